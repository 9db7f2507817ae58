"""Frames that are learned in one step, through the service."""

import json

import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect

from ffstream import Stream
from ffstream.schedule import Schedule
from tests.gateway.conftest import NPY, body


def taught(app, x, y, kind=NPY, learn="exact", **headers):
    return app.post(f"/feed?learn={learn}", body(kind, x, y), kind, **headers)


def test_a_frame_shown_once_is_known(gateway, frames):
    """A digit that is called another from now on; exactly once, also when it is sent twice and replayed."""
    x, y = frames
    app = gateway.open()
    app.accepted(x[:100], y[:100])
    x, labels = x[:102], [*y[:101], (y[101] + 1) % 10]
    for repeated in (False, True):
        answer = taught(app, x[100:], labels[100:], idempotency_key="a")
        assert (answer.status_code, answer.json()["repeated"]) == (202, repeated)
    app.settle()
    assert app.classify(x[101:]).json()["labels"] == labels[101:]
    assert [(each.event.frames, each.event.exact) for each in app.events("wake")[-2:]] == [(1, True), (1, True)]
    assert app.get("/status")["labelled"] == 102
    reference = Stream.in_process(app.stream.config, Schedule(every=None, idle=None))
    reference.feed(x[:100], y[:100])
    reference.feed(x[100:], labels[100:], learn="exact")
    layers = {name: digest for name, digest in reference.chain.digests().items() if name != "dreamer"}
    assert layers.items() <= app.digests.items()
    app.close()
    app = gateway.open().settle()
    assert layers.items() <= app.digests.items()


def test_over_a_websocket(gateway, frames):
    """The whole conversation, and another key than the same bytes learned bit by bit."""
    x, y = frames
    app = gateway.open()
    message = json.dumps({"frames": x[:2].tolist(), "labels": [int(label) for label in y[:2]], "key": "a"})
    with app.http.websocket_connect("/feed?learn=exact") as socket:
        socket.receive_json()
        for repeated in (False, True):
            socket.send_text(message)
            assert socket.receive_json()["repeated"] is repeated
    with app.http.websocket_connect("/feed") as socket:
        socket.receive_json()
        socket.send_text(message)
        assert socket.receive_json()["type"] == "urn:ffstream:problem:idempotency-key"
    with pytest.raises(WebSocketDisconnect), app.http.websocket_connect("/feed?learn=slowly"):
        pass
    app.settle()
    assert [each.event.exact for each in app.events("wake")] == [True, True]
    assert app.classify(x[1:2]).json()["labels"] == [int(y[1])]


def test_what_cannot_be_learned_in_one_step_is_refused(gateway, frames):
    x, y = frames
    app = gateway.open()
    for labels in (None, np.array([y[0], -1])):
        answer = taught(app, x[:2], labels)
        assert answer.status_code == 422
        assert "exact learning needs every label" in answer.json()["detail"]
    assert taught(app, x[:2], y[:2], learn="slowly").status_code == 422
    answer = taught(app, x[:2], y[:2], learn="gradient", idempotency_key="b")
    assert answer.status_code == 202
    assert taught(app, x[:2], y[:2], idempotency_key="b").status_code == 422, "another request"
    assert app.kept[0] == 2
