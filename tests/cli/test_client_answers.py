"""The client's dataclasses are what the service answers: the same members, and every call is understood."""

import dataclasses
import json

import numpy as np
import pytest

from ffstream import client
from ffstream.client.answers import read, to_json
from ffstream_gateway import last_drift, look_models, models, sequences
from ffstream_gateway.child import Child
from tests.cli.test_client import Awaited
from tests.cli.test_serve import rest
from tests.patience import until

ANSWERS = [
    (models.Accepted, client.Accepted),
    (models.Classified, client.Classification),
    (models.FrameState, client.Frame),
    (models.PredictionModel, client.Prediction),
    (models.ScheduleModel, client.Schedule),
    (models.SleepPlanned, client.SleepPlanned),
    (models.SleepState, client.SleepState),
    (models.LastSleep, client.LastSleep),
    (models.Status, client.Status),
    (models.LayerState, client.LayerState),
    (models.PolarityReport, client.PolarityReport),
    (last_drift.LastDrift, client.Drift),
    (models.SnapshotPlanned, client.SnapshotPlanned),
    (models.Snapshot, client.Snapshot),
    (models.RestorePlanned, client.RestorePlanned),
    (look_models.Feeding, client.Feeding),
    (look_models.Explained, client.Explanation),
    (look_models.Verdict, client.Verdict),
    (sequences.Next, client.NextSymbol),
    (sequences.Generated, client.Generated),
]


@pytest.mark.parametrize(("model", "known"), ANSWERS, ids=lambda kind: kind.__name__)
def test_the_same_members(model, known):
    assert {each.name for each in dataclasses.fields(known)} == set(model.model_fields)
    for example in (model.model_config.get("json_schema_extra") or {}).get("examples", ()):
        full = json.loads(model(**example).model_dump_json())
        assert json.loads(to_json(read(json.dumps(full), known))) == full


def whole(client, seq):
    """Wait until a snapshot is whole."""
    until(lambda: seq in [each.seq for each in client.snapshots()], 30)


@pytest.mark.parametrize("make", [client.Client, Awaited], ids=["sync", "async"])
def test_every_call_is_understood(digits, make):
    flags = ["--chain", "in-process", "--units", "50,50", "--every", "never", "--idle", "never"]
    with Child(flags) as child, make(child.url()) as client:
        client.ready(60)
        assert client.state() == "ready"
        assert client.feed(digits.x[:50], digits.y[:50]).last == 50
        assert client.feed(digits.x[50:52]).last == 52
        assert client.label([51, 52], digits.y[50:52]).frames == 2
        rest(client)
        found = client.classify(digits.x_held[:7], "shortlist", 2)
        assert (found.labels.shape, found.scores.shape, found.p_positive.shape) == ((7,), (7, 10), (7,))
        np.testing.assert_allclose(found.scores.sum(axis=1), 1.0, rtol=1e-5)
        explained = client.explain(digits.x_held[0])
        assert explained.goodness.shape == (10, 2)
        assert explained.neutral.shape == (2,)
        one_pass = client.classify(digits.x_held[:1], "one_pass")
        np.testing.assert_allclose(explained.one_pass.scores, one_pass.scores[0], rtol=1e-5)
        assert client.frame(51).taught_as == 53
        assert client.sleeping().owed == 52
        assert client.sleep(25).dreams == 25
        assert client.schedule(dataclasses.replace(client.schedule(), every=70)).every == 70
        assert (client.pause().paused, client.feeding().paused, client.resume().paused) == (True, True, False)
        seq = client.snapshot().seq
        whole(client, seq)
        assert client.restore(seq).snapshot == seq
        rest(client)
        assert (client.status().frames, client.sleeping().last.reason) == (54, "request")
