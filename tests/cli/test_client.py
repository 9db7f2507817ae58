"""The client, against a real server that answers as told."""

import io
import json
import time

import numpy as np
import pytest

from ffstream_gateway.client import Client, NotReadyError, RefusedError, UnreachableError

FRAMES = np.arange(8, dtype=np.uint8).reshape(2, 4)
FED = {"first": 1, "last": 2, "frames": 2, "repeated": False, "waiting": 2}


@pytest.fixture
def client(server):
    with Client(server.url, patience=5.0, timeout=5.0) as client:
        yield client


def keys(server):
    return [asked.headers["Idempotency-Key"] for asked in server.asked]


def test_feed_sends_two_arrays_as_they_are(server, client):
    server.answer(FED, 202)
    assert client.feed(FRAMES, [1, -1]) == FED
    asked = server.asked[0]
    assert (asked.verb, asked.path, asked.headers["Content-Type"]) == ("POST", "/feed", "application/x-npy")
    body = io.BytesIO(asked.body)
    frames, labels = np.load(body, allow_pickle=False), np.load(body, allow_pickle=False)
    assert frames.dtype == np.uint8
    assert frames.tolist() == FRAMES.tolist()
    assert labels.tolist() == [1, -1]
    assert body.read() == b""


def test_feed_without_labels_sends_one_array(server, client):
    server.answer(FED, 202)
    client.feed(FRAMES)
    body = io.BytesIO(server.asked[0].body)
    np.load(body)
    assert body.read() == b""


def test_every_feed_has_a_key_of_its_own_unless_given(server, client):
    for _ in range(3):
        server.answer(FED, 202)
    client.feed(FRAMES)
    client.feed(FRAMES)
    client.feed(FRAMES, key="mine")
    first, second, third = keys(server)
    assert first != second
    assert third == "mine"


def test_feed_waits_as_told_and_keeps_its_key(server, client):
    server.answer({"detail": "too many wait"}, 429, Retry_After="0.3")
    server.answer({"detail": "too many wait"}, 429, Retry_After="0.3")
    server.answer(FED, 202)
    start = time.monotonic()
    assert client.feed(FRAMES) == FED
    assert time.monotonic() - start >= 0.6
    assert len(set(keys(server))) == 1


def test_feed_tries_a_broken_connection_again_with_the_same_key(server, client):
    server.hang_up()
    server.answer(FED, 202)
    assert client.feed(FRAMES) == FED
    assert len(keys(server)) == 2
    assert len(set(keys(server))) == 1


def test_feed_tries_again_when_the_service_is_away(server, client):
    server.answer({"detail": "closing"}, 503, Retry_After="0.1")
    server.answer(FED, 202)
    assert client.feed(FRAMES) == FED


def test_feed_gives_up_in_time():
    with Client("http://127.0.0.1:9", patience=0.5) as client:
        start = time.monotonic()
        with pytest.raises(UnreachableError, match=r"no answer from http://127\.0\.0\.1:9: .*refused"):
            client.feed(FRAMES)
        assert time.monotonic() - start < 3.0


def test_a_refusal_carries_what_the_service_says(server, client):
    server.answer({"title": "Bad frame", "status": 422, "detail": "got nan", "place": "frames[1][2]"}, 422)
    with pytest.raises(RefusedError) as refused:
        client.feed(FRAMES)
    assert str(refused.value) == "got nan (at frames[1][2]) [HTTP 422]"
    assert refused.value.status == 422
    assert len(server.asked) == 1


def test_a_stranger_on_the_port_is_named(server, client):
    server.answer(b"<h1>It works!</h1>", 404)
    with pytest.raises(RefusedError, match=r"/status answered '<h1>It works!</h1>' \[HTTP 404\]"):
        client.status()


def test_classify_asks_with_the_method_given(server, client):
    answer = {"labels": [1, 2], "scores": [[0.5], [0.5]], "method": "shortlist", "seq": 3, "status": "live"}
    server.answer(answer)
    server.answer(answer)
    assert client.classify(FRAMES, "shortlist", 2) == answer
    client.classify(FRAMES)
    assert [asked.path for asked in server.asked] == ["/classify?method=shortlist&shortlist=2", "/classify"]


def test_sleep_and_schedule(server, client):
    server.answer({"seq": 5, "dreams": 100, "reason": "request"}, 202)
    server.answer({"every": 10})
    server.answer({"every": 20})
    assert client.sleep(100)["seq"] == 5
    assert client.schedule() == {"every": 10}
    assert client.schedule({"every": 20}) == {"every": 20}
    asked = [(asked.verb, asked.path) for asked in server.asked]
    assert asked == [("POST", "/sleep"), ("GET", "/schedule"), ("PUT", "/schedule")]


def test_label_names_frames_and_waits_and_tries_again_as_feed_does(server, client):
    server.answer({"detail": "too many wait"}, 429, Retry_After="0.1")
    server.hang_up()
    server.answer(FED, 202)
    assert client.label([12, 7], np.array([3, 0])) == FED
    asked = server.asked[-1]
    assert (asked.verb, asked.path, asked.headers["Content-Type"]) == ("POST", "/labels", "application/json")
    assert json.loads(asked.body) == {"labels": [{"id": 12, "label": 3}, {"id": 7, "label": 0}]}
    assert len(keys(server)) == 3
    assert len(set(keys(server))) == 1
    server.answer(FED, 202)
    client.label([12], [3], key="mine")
    assert keys(server)[-1] == "mine"


def test_a_refused_label_is_not_tried_again(server, client):
    server.answer({"detail": "labels[0]: frame 12 came with label 3", "place": "labels[0]"}, 409)
    with pytest.raises(RefusedError, match=r"^labels\[0\]: frame 12 came with label 3 \[HTTP 409\]$"):
        client.label([12], [3])
    assert len(server.asked) == 1
    with pytest.raises(ValueError, match="shorter"):
        client.label([12, 13], [3])


def test_frame_snapshots_and_restore(server, client):
    server.answer({"id": 12, "state": "learned"})
    server.answer([{"seq": 9}, {"seq": 5}])
    server.answer({"seq": 11, "snapshot": 5}, 202)
    assert client.frame(12)["state"] == "learned"
    assert [each["seq"] for each in client.snapshots()] == [9, 5]
    assert client.restore(5) == {"seq": 11, "snapshot": 5}
    asked = [(asked.verb, asked.path) for asked in server.asked]
    assert asked == [("GET", "/frames/12"), ("GET", "/snapshots"), ("POST", "/snapshots/5/restore")]


def test_a_restore_is_asked_for_once(server, client):
    """What was learned after it would be abandoned by a second one."""
    server.hang_up()
    with pytest.raises(UnreachableError):
        client.restore(5)
    assert len(server.asked) == 1


def test_a_stranger_has_no_snapshots(server, client):
    server.answer(b"<h1>It works!</h1>")
    with pytest.raises(RefusedError, match="/snapshots answered '<h1>It works!</h1>'"):
        client.snapshots()


def test_ready_waits_and_tells_what_for(server, client):
    server.answer({"state": "starting"}, 503)
    server.answer({"state": "replaying"}, 503)
    server.answer({"state": "ready"})
    seen = []
    client.ready(5.0, seen.append)
    assert seen == ["starting", "replaying", "ready"]


def test_ready_does_not_wait_for_what_has_failed(server, client):
    server.answer({"state": "failed"}, 503)
    with pytest.raises(NotReadyError, match="failed"):
        client.ready(60.0)


def test_ready_gives_up(server, client):
    for _ in range(20):
        server.answer({"state": "starting"}, 503)
    with pytest.raises(NotReadyError, match="starting"):
        client.ready(0.5)
    with Client("http://127.0.0.1:9") as nobody, pytest.raises(UnreachableError):
        nobody.ready(0.3)


def test_a_url_that_is_none():
    with pytest.raises(UnreachableError), Client("nowhere") as client:
        client.status()


def test_loopback_is_asked_without_a_proxy(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.answer({"state": "ready"})
    with Client(server.url) as client:
        assert client.status() == {"state": "ready"}
