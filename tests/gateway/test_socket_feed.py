"""Frames over a WebSocket; ``tests/cli/test_unkind_clients.py`` has real connections."""

import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect

from ffstream_gateway.service import State
from ffstream_gateway.socket_feed import CREDITS

NPY = "application/x-npy"
ROW = [0.5] * 64


class Talk:
    def __init__(self, socket):
        self.socket = socket

    def send(self, content=None, /, **members):
        if isinstance(content, bytes):
            self.socket.send_bytes(content)
        else:
            self.socket.send_text(json.dumps(members) if content is None else content)

    def hear(self):
        return self.socket.receive_json()

    def ask(self, content=None, /, **members):
        self.send(content, **members)
        return self.hear()

    def refused(self, status, kind, place, content=None, /, **members):
        answer = self.ask(content, **members)
        assert answer["status"] == status, answer
        assert answer["type"] == f"urn:ffstream:problem:{kind}"
        assert answer.get("place") == place
        assert answer["title"]
        assert answer["detail"]
        assert answer["credits"] == 1
        return answer

    def closed(self):
        """The code and the reason of the service's goodbye."""
        with pytest.raises(WebSocketDisconnect) as goodbye:
            self.hear()
        return goodbye.value.code, goodbye.value.reason


@contextmanager
def talk(app, **headers):
    with app.http.websocket_connect("/feed", headers=headers) as socket:
        talking = Talk(socket)
        assert talking.hear() == {"credits": CREDITS}
        yield talking


@pytest.fixture
def talking(shared):
    shared.settle()
    with talk(shared) as talking:
        yield talking


@pytest.fixture
def journaling(monkeypatch, gateway):
    """An application whose journal waits at every append, what lets it go on, and what says that it has come to one."""
    app, go_on, arrived = gateway.open(max_body=20_000), threading.Semaphore(0), threading.Semaphore(0)
    append = app.stream.journal.append

    def slow(*args, **options):
        arrived.release()
        assert go_on.acquire(timeout=20)
        return append(*args, **options)

    monkeypatch.setattr(app.stream.journal, "append", slow)
    yield app, go_on, arrived
    go_on.release(1000)


def test_one_frame_several_and_npy_are_learned(gateway, encode):
    app, x = gateway.open(), np.random.default_rng(0).random((6, 64)).astype(np.float32)
    with talk(app) as talking:
        one = talking.ask(frame=x[0].tolist(), label=3)
        assert one == {"first": 1, "last": 1, "frames": 1, "repeated": False, "waiting": one["waiting"], "credits": 1}
        assert talking.ask(frames=x[1:4].tolist(), labels=[1, None, -1])["last"] == 4
        assert talking.ask(encode(NPY, x[4:], [5, 6]))["last"] == 6
    kept, labels = app.stream.journal.read(1, 6)
    np.testing.assert_array_equal(kept.numpy(), x)
    assert labels.tolist() == [3, 1, -1, -1, 5, 6]
    app.settle()
    assert app.get("/status")["frames"] == 6


def test_frames_without_labels(gateway, encode):
    app = gateway.open()
    with talk(app) as talking:
        assert talking.ask(frame=ROW)["last"] == 1
        assert talking.ask(frame=ROW, label=None)["last"] == 2
        assert talking.ask(frames=[ROW] * 2)["last"] == 4
        assert talking.ask(frames=[ROW], labels=None)["last"] == 5
        assert talking.ask(encode(NPY, np.ones((2, 64))))["last"] == 7
    assert app.stream.journal.read(1, 7)[1].tolist() == [-1] * 7


REFUSED = {  # name: message, kind of problem, place
    "not-json": ('{"frame": [', "json", "message"),
    "nothing": ("", "empty", "body"),
    "null": ("null", "json", "message"),
    "list": (f"[{ROW}]", "json", "message"),
    "nan": (f'{{"frame": {[float("nan"), *ROW[1:]]}}}'.replace("nan", "NaN"), "json", "message"),
    "no-frames": ("{}", "shape", "frames"),
    "none": ('{"frames": []}', "shape", "frames"),
    "one-and-several": (json.dumps({"frame": ROW, "frames": [ROW]}), "unknown-member", "message"),
    "labels-of-one": (json.dumps({"frame": ROW, "labels": [1]}), "unknown-member", "message"),
    "short": (json.dumps({"frame": ROW[1:]}), "shape", "frame"),
    "short-among-several": (json.dumps({"frames": [ROW, ROW[1:]]}), "shape", "frames[1]"),
    "string": (json.dumps({"frame": [*ROW[1:], "x"]}), "shape", "frame[63]"),
    "label": (json.dumps({"frame": ROW, "label": 10}), "shape", "label"),
    "labels": (json.dumps({"frames": [ROW] * 2, "labels": [1, 10]}), "shape", "labels[1]"),
    "key-long": (json.dumps({"frame": ROW, "key": "k" * 201}), "invalid", "key"),
    "key-number": (json.dumps({"frames": [ROW], "key": 1}), "invalid", "key"),
    "not-npy": (b"PK", "npy", "frames"),
    "empty-npy": (b"", "empty", "body"),
    "key-alone": (b'{"key": "a"}\n', "empty", "body"),
    "key-no-json": (b'{"key": \n', "json", "message"),
    "key-unknown-member": (b'{"kay": "a"}\n', "unknown-member", "message"),
    "key-number-npy": (b'{"key": 1}\n', "invalid", "key"),
    "key-no-npy": (b'{"key": "a"}\nPK', "npy", "frames"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_of_a_refused_message_nothing_is_kept_and_the_connection_goes_on(shared, talking, name):
    message, kind, place = REFUSED[name]
    before = shared.stream.journal.last_frame
    talking.refused(422, kind, place, message)
    assert shared.stream.journal.last_frame == before
    assert talking.ask(frame=ROW, label=1)["last"] == before + 1


def test_npy_is_refused_as_in_a_request(talking, encode):
    talking.refused(422, "shape", "frames", encode(NPY, np.ones((3, 63))))
    talking.refused(422, "shape", "labels[1]", encode(NPY, np.ones((2, 64)), [1, 10]))


def test_a_key_is_learned_once(gateway):
    app = gateway.open()
    with talk(app) as talking:
        first = talking.ask(frames=[ROW] * 2, labels=[1, 2], key="a")
        again = talking.ask(frames=[ROW] * 2, labels=[1, 2], key="a")
        assert (first["repeated"], again["repeated"]) == (False, True)
        assert (again["first"], again["last"]) == (first["first"], first["last"]) == (1, 2)
        talking.refused(422, "idempotency-key", "Idempotency-Key", frame=ROW, key="a")
        assert talking.ask(frame=ROW, label=1, key="b")["last"] == 3
    with talk(app) as talking:
        assert talking.ask(frame=ROW, label=1, key="b")["repeated"]
    assert app.stream.journal.last_frame == 3


def test_npy_with_a_key_is_learned_once(gateway, encode):
    app, x = gateway.open(), np.random.default_rng(0).integers(256, size=(3, 64), dtype=np.uint8)
    message = b'{"key": "a"}\n' + encode(NPY, x, [1, 2, 3])
    for repeated in (False, True):
        with talk(app) as talking:
            answer = talking.ask(message)
            assert (answer["first"], answer["last"], answer["repeated"]) == (1, 3, repeated)
    with talk(app) as talking:
        talking.refused(422, "idempotency-key", "Idempotency-Key", b'{"key": "a"}\n' + encode(NPY, x, [1, 2, 4]))
    np.testing.assert_array_equal(app.stream.journal.read(1, 3)[0].numpy(), x.astype(np.float32) / 255)
    assert app.stream.journal.last_frame == 3


def test_a_repeated_npy_message_is_answered_though_the_backlog_is_full(gateway, encode):
    gateway.hold("__init__")
    message = b'{"key": "a"}\n' + encode(NPY, [ROW] * 5)
    with talk(gateway.open(backlog=5)) as talking:
        assert talking.ask(message)["waiting"] == 5
        assert talking.ask(message)["repeated"]
        talking.refused(429, "backlog", None, message.replace(b"a", b"b", 1))


def test_a_full_backlog_refuses_with_the_time_to_wait(gateway):
    opening = gateway.hold("__init__")
    app = gateway.open(backlog=5)
    with talk(app) as talking:
        assert talking.ask(frames=[ROW] * 5)["waiting"] == 5
        assert talking.refused(429, "backlog", None, frame=ROW)["retry_after"] >= 1
        assert app.stream.journal.last_frame == 5
        opening.open()
        app.settle()
        assert talking.ask(frame=ROW)["last"] == 6


def test_answers_come_in_the_order_of_messages_and_not_before_the_journal(journaling):
    app, go_on, _ = journaling
    with talk(app) as talking:
        for size in (1, 2, 3):
            talking.send(frames=[ROW] * size)
        talking.send("{}")
        assert app.stream.journal.last_frame == 0
        for last in (1, 3, 6):
            go_on.release()
            answer = talking.hear()
            assert answer["last"] == last == app.stream.journal.last_frame
        assert talking.hear()["status"] == 422


def test_messages_beyond_the_credits_end_the_connection(journaling, wait_until):
    app, go_on, arrived = journaling
    with talk(app) as talking:
        for _ in range(CREDITS):
            talking.send(frame=ROW)
        go_on.release()
        assert talking.hear()["last"] == 1
        assert all(arrived.acquire(timeout=20) for _ in range(2)), "the second is under way in the journal"
        talking.send(frame=ROW)  # for the credit that came back
        talking.send(frame=ROW)
        code, reason = talking.closed()
        assert code == 1008
        assert str(CREDITS) in reason
    go_on.release(CREDITS)
    wait_until(lambda: app.stream.journal.last_frame == 2)
    assert app.accepted([ROW])["last"] == 3, "what was not under way in the journal is not kept"


def test_messages_are_not_read_ahead_beyond_the_limit_of_a_body(journaling):
    app, go_on, _ = journaling
    big = [ROW] * 40  # about 13 kB of 20 kB
    with talk(app) as talking:
        for _ in range(CREDITS + 1):
            talking.send(frames=big)
        for last in range(40, 40 * (CREDITS + 2), 40):
            go_on.release()
            assert talking.hear()["last"] == last, "two messages at a time are held: nobody went beyond the credits"


@pytest.mark.parametrize("content", [b"x" * 20_001, "x" * 20_001])
def test_a_message_over_the_limit_of_a_body_ends_the_connection(journaling, content):
    app, *_ = journaling
    with talk(app) as talking:
        talking.send(content)
        code, reason = talking.closed()
        assert code == 1009
        assert "20000" in reason
    assert app.kept == (0, 0)


def test_a_service_that_does_not_accept_refuses_and_goes_on(gateway):
    app = gateway.open().settle()
    with talk(app) as talking:
        app.service.state = State.FAILED
        assert talking.refused(503, "failed", None, frame=ROW)["retry_after"] >= 1
        assert talking.refused(503, "failed", None, frame=ROW)["retry_after"] >= 1
    assert app.kept == (0, 0)


def test_a_service_that_closes_says_goodbye(gateway):
    app = gateway.open().settle()
    with talk(app) as talking:
        app.service.close()
        talking.refused(503, "closing", None, frame=ROW)
        assert talking.closed()[0] == 1012
    with talk(app) as talking:
        assert talking.closed()[0] == 1012


def test_pages_of_other_sites_are_kept_out(shared):
    for origin in ("http://elsewhere.example", "null", "http://[", "http://127.0.0.1.elsewhere.example"):
        with pytest.raises(WebSocketDisconnect) as refusal, talk(shared, origin=origin):
            pass
        assert refusal.value.code == 1008
    with talk(shared, origin="http://127.0.0.1") as talking:
        assert talking.ask(frame=ROW)["frames"] == 1


def test_a_client_that_leaves_takes_nobody_with_it(journaling):
    app, go_on, _ = journaling
    with talk(app) as talking:
        talking.send(frame=ROW)
    with talk(app) as talking:
        talking.send(frame=ROW)
        go_on.release(2)
        assert talking.hear()["frames"] == 1
