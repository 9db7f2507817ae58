"""The two clients, through the same tests, against a real server that answers as told."""

import asyncio
import inspect
import io
import json
import time

import numpy as np
import pytest

from ffstream.client import (
    Accepted,
    AnswerError,
    AsyncClient,
    Client,
    Feeding,
    NotReadyError,
    Prediction,
    RefusedError,
    RestorePlanned,
    Schedule,
    SleepPlanned,
    Snapshot,
    UnreachableError,
)
from tests.cli.answers import FED, STATUS

FRAMES = np.arange(8, dtype=np.uint8).reshape(2, 4)
ACCEPTED = Accepted(**FED)


class Awaited:
    """An asynchronous client that is waited for, so that it can be tested as the other one is."""

    def __init__(self, *args, **options):
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*args, **options)

    def __enter__(self):
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(self, *_):
        self._runner.run(self._client.__aexit__())
        self._runner.close()

    def __getattr__(self, name):
        def method(*args, **options):
            answer = getattr(self._client, name)(*args, **options)
            assert inspect.iscoroutine(answer)
            return self._runner.run(answer)

        return method


@pytest.fixture(params=[Client, Awaited], ids=["sync", "async"])
def make(request):
    return request.param


@pytest.fixture
def client(server, make):
    with make(server.url, patience=5.0, timeout=5.0) as client:
        yield client


def keys(server):
    return [asked.headers["Idempotency-Key"] for asked in server.asked]


def test_feed_sends_two_arrays_as_they_are(server, client):
    server.answer(FED, 202)
    assert client.feed(FRAMES, [1, -1]) == ACCEPTED
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


def test_feed_says_what_is_to_be_learned_in_one_step(server, client):
    server.answer(FED, 202)
    client.feed(FRAMES, [1, 0], learn="exact")
    assert server.asked[0].path == "/feed?learn=exact"


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
    assert client.feed(FRAMES) == ACCEPTED
    assert time.monotonic() - start >= 0.6
    assert len(set(keys(server))) == 1


def test_feed_tries_a_broken_connection_again_with_the_same_key(server, client):
    server.hang_up()
    server.answer(FED, 202)
    assert client.feed(FRAMES) == ACCEPTED
    assert len(keys(server)) == 2
    assert len(set(keys(server))) == 1


def test_feed_tries_again_when_the_service_is_away(server, client):
    server.answer({"detail": "closing"}, 503, Retry_After="0.1")
    server.answer(FED, 202)
    assert client.feed(FRAMES) == ACCEPTED


def test_feed_gives_up_in_time(make):
    with make("http://127.0.0.1:9", patience=0.5) as client:
        start = time.monotonic()
        with pytest.raises(
            UnreachableError, match=r"no answer from http://127\.0\.0\.1:9: .+; does `ffstream serve` run there"
        ):
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
    scores = [[0.1, 0.9], [1, 0]]
    version = {"method": "shortlist", "seq": 3, "status": "live"}
    server.answer({"labels": [1, 0], "scores": scores, "p_positive": [0.5, 1], **version})
    server.answer({"labels": [1, 0], "scores": scores, "p_positive": [0.5, 1], **version})
    found = client.classify(FRAMES, "shortlist", 2)
    assert found.labels.dtype == np.int64
    assert found.scores.dtype == found.p_positive.dtype == np.float64
    assert (found.labels.tolist(), found.scores.tolist(), found.p_positive.tolist()) == ([1, 0], scores, [0.5, 1.0])
    assert {name: getattr(found, name) for name in version} == version
    client.classify(FRAMES)
    assert [asked.path for asked in server.asked] == ["/classify?method=shortlist&shortlist=2", "/classify"]


def test_sleep_schedule_and_feeding(server, client):
    server.answer({"seq": 5, "dreams": 100, "reason": "request"}, 202)
    server.answer({"every": 10, "idle": None})
    server.answer({"every": 20, "idle": 0.5, "dreams_per_frame": 2.0, "cycle": 3, "enough": 0.1})
    server.answer({"paused": True})
    server.answer({"paused": False})
    assert client.sleep(100) == SleepPlanned(5, 100, "request")
    assert client.schedule() == Schedule(10, None)
    wanted = Schedule(20, 0.5, 2.0, 3, 0.1)
    assert client.schedule(wanted) == wanted
    assert client.pause() == Feeding(paused=True)
    assert client.resume() == Feeding(paused=False)
    asked = [(asked.verb, asked.path, json.loads(asked.body or "null")) for asked in server.asked]
    assert asked == [
        ("POST", "/sleep", {"dreams": 100}),
        ("GET", "/schedule", None),
        ("PUT", "/schedule", {"every": 20, "idle": 0.5, "dreams_per_frame": 2.0, "cycle": 3, "enough": 0.1}),
        ("PUT", "/feeding", {"paused": True}),
        ("PUT", "/feeding", {"paused": False}),
    ]


def test_a_frame_to_be_explained_is_sent_as_numbers(server, client):
    verdict = {"label": 1, "scores": [0.0, 1.0], "p_positive": 0.5}
    answer = {"seq": 3, "status": "live", "threshold": 0, "goodness": [[1, 2], [3, 4]], "neutral": [0, 1], "one_pass": verdict}
    server.answer(answer)
    found = client.explain(np.array([0, 51, 255, 102], np.uint8))
    np.testing.assert_allclose(json.loads(server.asked[0].body)["frame"], [0.0, 0.2, 1.0, 0.4], rtol=1e-6)
    assert found.goodness.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert found.one_pass.scores.tolist() == [0.0, 1.0]
    assert found.by_goodness is None
    server.answer(answer)
    client.explain([0.5, 3.0])
    assert json.loads(server.asked[1].body)["frame"] == [0.5, 3.0]


def test_label_names_frames_and_waits_and_tries_again_as_feed_does(server, client):
    server.answer({"detail": "too many wait"}, 429, Retry_After="0.1")
    server.hang_up()
    server.answer(FED, 202)
    assert client.label([12, 7], np.array([3, 0])) == ACCEPTED
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
    saved = {"seq": 9, "frames": 100, "accuracy": None, "parts": ["dreamer"], "torch": "2.13.0", "abandoned": False}
    server.answer({"id": 12, "state": "learned", "prediction": {"label": 1, "probability": 0.5, "seq": 3}})
    server.answer([saved, saved | {"seq": 5}])
    server.answer({"seq": 11, "snapshot": 5}, 202)
    frame = client.frame(12)
    assert (frame.state, frame.label, frame.prediction) == ("learned", None, Prediction(1, 0.5, 3))
    newest, oldest = client.snapshots()
    assert newest == Snapshot(9, 100, None, ("dreamer",), "2.13.0", False)
    assert oldest.seq == 5
    assert client.restore(5) == RestorePlanned(11, 5)
    asked = [(asked.verb, asked.path) for asked in server.asked]
    assert asked == [("GET", "/frames/12"), ("GET", "/snapshots"), ("POST", "/snapshots/5/restore")]


def test_a_restore_is_asked_for_once(server, client):
    """What was learned after it would be abandoned by a second one."""
    server.hang_up()
    with pytest.raises(UnreachableError):
        client.restore(5)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<h1>It works!</h1>", "answered '<h1>It works!</h1>', which this client cannot read .*; is it ffstream"),
        ({name: value for name, value in STATUS.items() if name != "through"}, "missing required field `through`"),
        (STATUS | {"frames": "many"}, r"Expected `int`, got `str` - at `\$\.frames`"),
        (STATUS | {"layers": [{"layer": 1, "positive": None}]}, r"`negative` - at `\$\.layers\[0\]`"),
    ],
    ids=["stranger", "missing", "kind", "within"],
)
def test_an_answer_that_cannot_be_read_says_what_is_wrong_with_it(server, client, answer, reason):
    server.answer(answer)
    with pytest.raises(AnswerError, match=reason):
        client.status()


def test_what_a_newer_service_says_besides_is_passed_over(server, client):
    server.answer(STATUS | {"mood": "fine", "paused": True})
    status = client.status()
    assert (status.frames, status.paused, status.alphabet) == (2, True, None)
    assert status.layers[0].positive.goodness == 1.5
    assert status.layers[0].negative is None
    with pytest.raises(AttributeError):
        status.frames = 3


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


def test_ready_gives_up(server, client, make):
    for _ in range(20):
        server.answer({"state": "starting"}, 503)
    with pytest.raises(NotReadyError, match="starting"):
        client.ready(0.5)
    with make("http://127.0.0.1:9") as nobody, pytest.raises(UnreachableError):
        nobody.ready(0.3)


@pytest.mark.parametrize("url", ["nowhere", "localhost:8000", "http://", "ftp://127.0.0.1", "http://127.0.0.1:port"])
def test_a_url_that_is_none(make, url):
    with pytest.raises(UnreachableError, match="is not "):
        make(url)


def test_loopback_is_asked_without_a_proxy(server, make, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.answer({"paused": False})
    with make(server.url) as client:
        assert client.feeding() == Feeding(paused=False)


def test_both_clients_ask_the_same():
    """What one has the other has, with the same words."""
    sync, other = ({name for name in dir(kind) if not name.startswith("_")} for kind in (Client, AsyncClient))
    assert sync == other
    for name in sync:
        assert inspect.signature(getattr(Client, name)).parameters == inspect.signature(getattr(AsyncClient, name)).parameters
        assert getattr(Client, name).__doc__
