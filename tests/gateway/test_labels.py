"""Labels that come after their frames."""

import json

import numpy as np
import pytest

from ffstream import Stream
from ffstream.schedule import Schedule


def late(app, pairs, **headers):
    return app.post("/labels", json.dumps({"labels": [{"id": number, "label": int(y)} for number, y in pairs]}), **headers)


@pytest.fixture
def app(gateway, frames):
    """Ten frames with labels, ten without."""
    app = gateway.open(label_lifetime=25)
    app.accepted(frames[0][:10], frames[1][:10])
    app.accepted(frames[0][10:20])
    return app.settle()


def test_late_labels_are_learned(gateway, app, frames):
    x, y = frames
    answer = late(app, [(13, y[12]), (11, y[10])])
    assert answer.status_code == 202
    given = answer.json()
    assert (given["first"], given["last"], given["frames"], given["repeated"]) == (21, 22, 2, False)
    app.settle()
    status = app.get("/status")
    assert (status["accepted"], status["frames"], status["labelled"]) == (22, 22, 12)
    reference = Stream.in_process(app.stream.config, Schedule(every=None, idle=None))
    reference.feed(x[:10], y[:10])
    reference.feed(x[10:20])
    reference.feed(x[[12, 10]], y[[12, 10]])
    layers = {name: digest for name, digest in reference.chain.digests().items() if name != "dreamer"}
    assert layers.items() <= app.digests.items()


def test_a_repetition_gets_the_same_answer_also_after_a_restart(gateway, app):
    first = late(app, [(13, 2)], idempotency_key="a")
    assert first.status_code == 202
    app.settle()
    again = late(app, [(13, 2)], idempotency_key="a")
    assert again.json() == first.json() | {"repeated": True, "waiting": 0}
    digests = app.settle().digests
    app.close()
    app = gateway.open().settle()
    assert late(app, [(13, 2)], idempotency_key="a").json() == again.json()
    assert app.settle().digests == digests
    assert app.get("/status")["frames"] == 21


@pytest.mark.parametrize(
    ("pairs", "status", "kind", "place"),
    [
        ([(11, 1), (21, 1)], 404, "unknown-frame", "labels[1]"),
        ([(11, 1), (10, 1)], 409, "labelled", "labels[1]"),
        ([(11, 1), (11, 1)], 409, "labelled", "labels[1]"),
        ([(11, 1), (12, 1), (11, 2)], 422, "contradiction", "labels[2]"),
        ([(11, 1), (12, 10)], 422, "shape", "labels[1]"),
    ],
)
def test_a_label_that_cannot_be_taken(app, refused, pairs, status, kind, place):
    kept = app.kept
    refused(late(app, pairs, idempotency_key="a"), status, kind, place)
    assert app.kept == kept
    assert late(app, [(11, 1)], idempotency_key="a").json()["repeated"] is False, "a refused request uses up no key"


def test_a_second_label_is_refused(app, refused):
    assert late(app, [(11, 1)]).status_code == 202
    refused(late(app, [(12, 1), (11, 1)]), 409, "labelled", "labels[1]")
    refused(late(app, [(21, 1)]), 409, "labelled", "labels[0]")
    assert app.stream.journal.last_frame == 21


def test_a_label_that_comes_too_late(app, refused):
    app.accepted(np.ones((16, 64)))
    problem = refused(late(app, [(12, 1), (11, 1)]), 410, "expired-frame", "labels[1]")
    assert "25" in problem["detail"]
    assert late(app, [(12, 1)]).status_code == 202


def test_a_key_serves_one_request(app, refused):
    assert late(app, [(11, 1)], idempotency_key="a").status_code == 202
    refused(late(app, [(12, 1)], idempotency_key="a"), 422, "idempotency-key")
    refused(app.feed(np.ones((1, 64)), idempotency_key="a"), 422, "idempotency-key")


def test_late_labels_wait_like_frames(gateway, refused):
    opening = gateway.hold("__init__")
    app = gateway.open(backlog=6)
    app.accepted(np.ones((5, 64)))
    answer = late(app, [(1, 1), (2, 1)])
    refused(answer, 429, "backlog")
    assert int(answer.headers["retry-after"]) >= 1
    assert late(app, [(2, 1)]).status_code == 202
    opening.open()


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"labels": []}', "body.labels"),
        (b"{}", "body.labels"),
        (b'{"labels": [{"id": 11}]}', "body.labels.0.label"),
        (b'{"labels": [{"id": 0, "label": 1}]}', "body.labels.0.id"),
        (b'{"labels": [{"id": "11", "label": 1}]}', "body.labels.0.id"),
        (b'{"labels": [{"id": 11.0, "label": 1}]}', "body.labels.0.id"),
        (b'{"labels": [{"id": 11, "label": -1}]}', "body.labels.0.label"),
        (b'{"labels": [{"id": 11, "label": null}]}', "body.labels.0.label"),
        (b'{"labels": [{"id": 11, "label": true}]}', "body.labels.0.label"),
        (b'{"labels": [{"id": 11, "label": 1, "frame": []}]}', "body.labels.0.frame"),
        (b'{"labels": [{"id": 11, "label": 1}], "frames": []}', "body.frames"),
        (b"[]", "body"),
    ],
)
def test_malformed(shared, refused, raw, place):
    kept = shared.kept
    refused(shared.post("/labels", raw), 422, "invalid", place)
    assert shared.kept == kept
