import numpy as np
import pytest
import torch

from ffstream.classify import Method
from ffstream.frames import to_tensor

KINDS = ["application/json", "application/x-ndjson", "application/x-npy", "application/octet-stream"]
METHODS = ["one_pass", "goodness", "shortlist"]


@pytest.fixture(scope="module")
def cold(shared):
    return shared


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_cold(cold, kind, method):
    answer = cold.classify(np.random.default_rng(0).random((2, 64)), kind, method=method)
    assert answer.status_code == 200
    found = answer.json()
    assert found.keys() == {"labels", "scores", "p_positive", "method", "seq", "status"}
    assert (found["method"], found["seq"], found["status"]) == (method, 0, "cold")
    np.testing.assert_allclose(found["scores"], np.full((2, 10), 0.1), rtol=1e-6)
    assert len(found["labels"]) == 2
    assert cold.kept == (0, 0)


def test_cold_while_the_chain_opens(gateway, frames):
    opening = gateway.hold("__init__")
    app = gateway.open()
    app.accepted(frames[0][:50], frames[1][:50])
    assert app.classify(frames[0][:2]).json()["status"] == "cold"
    assert app.http.get("/readyz").json() == {"state": "starting"}
    assert app.http.get("/readyz").status_code == 503
    opening.open()
    app.settle()
    assert app.classify(frames[0][:2]).json()["status"] == "live"


def test_without_labels(gateway, frames):
    """Digits without a label are all it learns from; noise is stranger to it than digits, and the readout waits for labels."""
    x, y = frames
    app = gateway.open(task="unsupervised", units=(80, 80), every=125)
    app.accepted(x[:1000], None)
    app.settle()
    digits, noise = x[1000:1200], np.random.default_rng(0).permuted(x[1000:1200], axis=1)
    known, strange = (app.classify(each).json() for each in (digits, noise))
    assert (known["method"], known["status"]) == ("one_pass", "cold")
    assert np.mean(known["p_positive"]) > np.mean(strange["p_positive"]) + 0.1
    app.accepted(x[:1000], y[:1000])
    app.settle()
    found = app.classify(digits).json()
    assert found["status"] == "live"
    assert np.mean(np.array(found["labels"]) == y[1000:1200]) > 0.8
    refused = app.classify(digits, method="goodness")
    assert refused.status_code == 422
    assert "never see a label" in refused.json()["detail"]


def test_live_in_every_way_and_nothing_changes(gateway, frames):
    x, y = frames
    app = gateway.open()
    app.accepted(x[:300], y[:300])
    app.http.post("/sleep")
    app.settle()
    digests, kept = app.digests, app.kept
    fed = x[300:305] / np.float32(255)
    for method in METHODS:
        expected = app.stream.reader.classify(to_tensor(fed), Method(method), 3)
        for kind in KINDS:
            found = app.classify(fed, kind, method=method).json()
            assert (found["method"], found["seq"], found["status"]) == (method, kept[1], "live")
            assert found["labels"] == expected.labels.tolist()
            np.testing.assert_allclose(found["scores"], expected.scores, rtol=1e-5)
            np.testing.assert_allclose(np.sum(found["scores"], axis=1), 1, rtol=1e-5)
            np.testing.assert_allclose(found["p_positive"], expected.p_positive, rtol=1e-4)
    for shortlist in (1, 10, 1000):
        found = app.classify(fed, method="shortlist", shortlist=shortlist).json()
        assert (np.count_nonzero(found["scores"], axis=1) <= shortlist).all()
    assert app.digests == digests
    assert app.kept == kept
    assert app.settle().digests == digests


def test_bytes_and_the_numbers_they_stand_for_are_classified_alike(gateway, frames):
    x, y = frames
    app = gateway.open()
    app.accepted(x[:200], y[:200])
    app.settle()
    as_bytes, as_numbers = app.classify(x[:20]).json(), app.classify(x[:20].astype(np.float32) / 255).json()
    np.testing.assert_allclose(as_bytes["scores"], as_numbers["scores"], rtol=1e-4)


def test_goodness_is_the_default(cold):
    assert cold.classify(np.ones((1, 64))).json()["method"] == "goodness"


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ({"method": "best"}, "query.method"),
        ({"method": ""}, "query.method"),
        ({"shortlist": "0"}, "query.shortlist"),
        ({"shortlist": "-3"}, "query.shortlist"),
        ({"shortlist": "many"}, "query.shortlist"),
        ({"shortlist": "1.5"}, "query.shortlist"),
    ],
)
def test_unknown_ways_are_refused(cold, refused, query, place):
    problem = refused(cold.classify(np.ones((1, 64)), **query), 422, "invalid", place)
    assert repr(next(iter(query.values()))) in problem["detail"]


@pytest.mark.parametrize("label", ["3", "null"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_labels_are_refused(cold, refused, kind, label):
    row = str([0.5] * 64)
    raw = (
        f'{{"frames": [{row}], "labels": [{label}]}}' if kind == "application/json" else f'{{"frame": {row}, "label": {label}}}'
    )
    refused(cold.post("/classify", raw.encode(), kind), 422, "unknown-member")


def test_labels_that_are_null_as_a_whole_are_refused(cold, refused):
    raw = f'{{"frames": [{[0.5] * 64}], "labels": null}}'
    refused(cold.post("/classify", raw.encode()), 422, "unknown-member")


def test_an_array_of_labels_is_refused(cold, refused, encode):
    raw = encode("application/x-npy", np.ones((1, 64)), [3])
    refused(cold.post("/classify", raw, "application/x-npy"), 422, "unknown-member", "labels")


def test_while_asleep(gateway, frames, wait_until):
    x, y = frames
    app = gateway.open()
    app.accepted(x[:100], y[:100])
    app.settle()
    dreaming = gateway.hold("sleep")
    planned = app.http.post("/sleep", json={"dreams": 5000})
    assert planned.json() == {"seq": app.stream.journal.last_seq, "dreams": 5000, "reason": "request"}
    assert dreaming.reached.wait(10)
    assert app.get("/sleep")["phase"] == app.get("/status")["phase"] == "sleep"
    before = app.classify(x[:3]).json()
    assert before["status"] == "live"
    assert before["seq"] < planned.json()["seq"]
    dreaming.open()
    wait_until(lambda: app.stream.progress.dreams > 0)
    assert app.classify(x[:3]).status_code == 200
    app.settle()
    assert app.get("/sleep")["phase"] == "wake"
    assert app.classify(x[:3]).json()["seq"] == planned.json()["seq"]


def test_one_torch_thread(shared):
    assert torch.get_num_threads() == 1
