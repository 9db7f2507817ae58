"""What is told of a frame: queued or learned, its label, and the prediction that was made before it was learned."""

import json

import numpy as np
import pytest

from ffstream import Stream
from ffstream.schedule import Schedule


def told(app, numbers):
    return [app.get(f"/frames/{number}") for number in numbers]


def test_queued_then_learned(gateway, frames):
    opening = gateway.hold("__init__")
    app = gateway.open()
    app.accepted(frames[0][:2], [5, -1])
    blank = {"state": "queued", "taught_as": None, "repeats": None, "prediction": None}
    assert told(app, [1, 2]) == [{"id": 1, "label": 5, **blank}, {"id": 2, "label": None, **blank}]
    opening.open()
    app.settle()
    first, second = told(app, [1, 2])
    assert first == {**first, "id": 1, "state": "learned", "label": 5}
    assert second == {**second, "id": 2, "state": "learned", "label": None}
    assert first["prediction"] == second["prediction"] == {"label": 0, "probability": pytest.approx(0.1), "seq": 1}


def test_the_prediction_is_the_one_made_before_learning(gateway, frames):
    x, y = frames[0][:60], frames[1][:60]
    app = gateway.open()
    app.accepted(x, y)
    app.settle()
    found = [each["prediction"] for each in told(app, range(1, 61))]
    reference = Stream.in_process(app.stream.config, Schedule(every=None, idle=None))
    made = [
        (batch.seq, int(label), float(probability))
        for batch in reference.feed(x, y)
        for probability, label in zip(*batch.logits.softmax(dim=1).max(dim=1), strict=True)
    ]
    assert [(each["seq"], each["label"], each["probability"]) for each in found] == made
    assert len({label for _, label, _ in made}) > 1
    right = np.mean(np.array([label for _, label, _ in made]) == y)
    assert app.get("/status")["accuracy"] == pytest.approx(right), "the score is of these predictions"


@pytest.mark.parametrize("saved", [True, False])
def test_a_restart_tells_the_same(gateway, frames, saved):
    app = gateway.open()
    app.accepted(frames[0][:30], frames[1][:30])
    if saved:
        app.settle()
        app.http.post("/snapshots")
    app.accepted(frames[0][30:50])
    app.settle()
    before = told(app, range(1, 51))
    app.close()
    app = gateway.open().settle()
    assert told(app, range(1, 51)) == before


def test_a_late_label_links_two_frames(gateway, frames):
    app = gateway.open()
    app.accepted(frames[0][:3])
    app.settle()
    app.post("/labels", json.dumps({"labels": [{"id": 2, "label": 7}]}))
    app.settle()
    second, third, fourth = told(app, [2, 3, 4])
    assert (second["label"], second["taught_as"], second["repeats"]) == (7, 4, None)
    assert (third["label"], third["taught_as"], third["repeats"]) == (None, None, None)
    assert (fourth["label"], fourth["taught_as"], fourth["repeats"]) == (7, None, 2)
    assert (second["prediction"]["seq"], fourth["prediction"]["seq"]) == (1, 2)


@pytest.mark.parametrize("number", ["0", "-1", "1000000", "1" + "0" * 30])
def test_no_such_frame(shared, refused, number):
    assert number in refused(shared.http.get(f"/frames/{number}"), 404, "unknown-frame")["detail"]


@pytest.mark.parametrize("number", ["one", "1.5", "1e3"])
def test_no_number(shared, refused, number):
    refused(shared.http.get(f"/frames/{number}"), 422, "invalid", "path.number")
