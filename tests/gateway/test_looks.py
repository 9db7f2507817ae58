"""What the live page looks at: cold, live, after a restart, and for networks of every kind."""

import base64

import numpy as np
import pytest

from ffstream import Field, FieldsConfig
from ffstream.symbols import LARGEST
from ffstream_gateway import look_models


def bytes_of(pixels):
    return np.frombuffer(base64.b64decode(pixels, validate=True), np.uint8)


@pytest.fixture
def live(gateway, frames):
    """An application that has learned 250 frames and slept twice."""
    app = gateway.open(every=100).settle()
    app.accepted(frames[0][:250], frames[1][:250])
    return app.settle()


def test_cold(gateway):
    app = gateway.open().settle()
    assert app.get("/recent") == {
        "window": 500,
        "frames": [],
        "curve": [],
        "confusion": {"frames": 0, "counts": [[0] * 10] * 10},
    }
    assert app.get("/dreams") == {"seq": None, "dreams": []}
    goodness = app.get("/goodness")
    assert (goodness["positives"], goodness["negatives"], len(goodness["layers"])) == (0, 0, 2)
    assert not any(sum(layer["positives"]) + sum(layer["negatives"]) for layer in goodness["layers"])
    explained = app.http.post("/explain", json={"frame": [0.0] * 64}).json()
    assert (explained["status"], explained["goodness"], explained["neutral"], explained["by_goodness"]) == (
        "cold",
        None,
        None,
        None,
    )
    assert explained["one_pass"]["scores"] == pytest.approx([0.1] * 10)
    moment = app.get("/moment")
    assert (moment["phase"], moment["accuracy"], moment["latency"]) == ("wake", None, {"answers": 0, "p50": None, "p99": None})
    assert moment["layers"] == [{"positive": None, "negative": None}] * 2


def test_the_last_frames_are_those_of_the_journal(live, frames):
    look = live.get("/recent")
    assert [each["id"] for each in look["frames"]] == list(range(250, 226, -1))
    for each in look["frames"]:
        told = live.get(f"/frames/{each['id']}")
        assert told["label"] == each["label"] == frames[1][each["id"] - 1]
        assert told["prediction"]["label"] == each["prediction"]
        assert told["prediction"]["probability"] == pytest.approx(each["probability"])
        assert each["outcome"] == ("right" if each["label"] == each["prediction"] else "wrong")
        shown = bytes_of(each["pixels"])
        row = frames[0][each["id"] - 1].astype(float)
        np.testing.assert_array_equal(shown, np.round(255 * row / row.max()))


def test_unlabelled_frames_are_no_mistakes(gateway, frames):
    app = gateway.open().settle()
    app.accepted(frames[0][:10])
    look = app.settle().get("/recent")
    assert {each["outcome"] for each in look["frames"]} == {"unlabelled"}
    assert look["confusion"]["frames"] == 0


def test_confusions_and_curve_come_to_the_accuracy(live):
    look, status = live.get("/recent"), live.get("/status")
    counts = np.array(look["confusion"]["counts"])
    assert counts.sum() == look["confusion"]["frames"] == status["labelled"] == 250
    assert np.trace(counts) / counts.sum() == pytest.approx(status["accuracy"])
    assert look["curve"][-1] == {"labelled": 250, "accuracy": pytest.approx(status["accuracy"])}


def test_confusions_are_those_of_the_window(gateway, frames):
    app = gateway.open().settle()
    app.accepted(frames[0][:800], frames[1][:800])
    look = app.settle().get("/recent")
    assert look["confusion"]["frames"] == 500
    correct = np.trace(np.array(look["confusion"]["counts"]))
    assert correct / 500 == pytest.approx(app.get("/status")["accuracy"])


def test_dreams_have_wrong_labels(live, frames):
    look = live.get("/dreams")
    assert look["seq"] == live.events("sleep")[-1].seq
    assert len(look["dreams"]) == 12
    for each in look["dreams"]:
        assert each["label"] == frames[1][each["id"] - 1] != each["dreamt"]
        assert len(bytes_of(each["pixels"])) == 64
        assert each["dream"] is None


def test_goodness_pulls_apart(live):
    look = live.get("/goodness")
    assert (look["seq"], look["positives"], look["negatives"]) == (live.kept[1], 100, 100)
    for layer in look["layers"]:
        edges = np.array(layer["edges"])
        middles = (edges[1:] + edges[:-1]) / 2
        means = [np.average(middles, weights=layer[polarity]) for polarity in ("positives", "negatives")]
        assert sum(layer["positives"]) == sum(layer["negatives"]) == 100
        assert means[0] > layer["threshold"] > means[1]


def test_fields_are_the_weights(live):
    look = live.get("/fields")
    weights = live.stream.reader.stages[0].layer[:, :64].numpy()
    assert [each["unit"] for each in look["units"]][::35] == [0, 39]
    for each in look["units"]:
        shown, own = bytes_of(each["pixels"]).astype(float), weights[each["unit"]]
        np.testing.assert_allclose((shown - 127.5) / 127.5, own / np.abs(own).max(), atol=0.01)
        assert each["speaks"] == ("for" if each["unit"] < 20 else "against")


def test_explain_agrees_with_classify(live, frames):
    frame = frames[0][300] / 16
    before = live.digests
    explained = live.http.post("/explain", json={"frame": frame.tolist()}).json()
    look_models.Explained.model_validate(explained, strict=True)
    assert (explained["status"], explained["seq"]) == ("live", live.kept[1])
    assert np.shape(explained["goodness"]) == (10, 2)
    for method in ("goodness", "one_pass"):
        found = live.classify([frame.astype(np.float32)], method=method).json()
        verdict = explained["by_goodness" if method == "goodness" else method]
        assert verdict["label"] == found["labels"][0]
        assert verdict["scores"] == pytest.approx(found["scores"][0], abs=1e-5)
    assert np.argmax([by_layer[1] for by_layer in explained["goodness"]]) == explained["by_goodness"]["label"]
    assert live.digests == before, "it has learned"


@pytest.mark.parametrize("frame", [[0.0] * 63, [], ["1"] * 64, [1e39] * 64, None, [True] * 64])
def test_explain_refuses_what_is_no_frame(shared, refused, frame):
    refused(shared.http.post("/explain", json={"frame": frame}), 422)


def test_looks_do_not_change_what_is_learned(gateway, frames, undisturbed):
    app = gateway.open(every=100).settle()
    for start in range(0, 250, 25):
        app.accepted(frames[0][start : start + 25], frames[1][start : start + 25])
        for path in ("recent", "dreams", "goodness", "fields", "moment"):
            app.get(f"/{path}")
    app.settle()
    stream = app.stream
    assert app.digests == undisturbed(stream.config, stream.sequencer.schedule, frames[0][:250], frames[1][:250])


def test_a_look_is_made_once(live, monkeypatch):
    made = []
    original = type(live.stream.journal).recall
    monkeypatch.setattr(type(live.stream.journal), "recall", lambda *args: made.append(1) or original(*args))
    first = live.get("/goodness")
    assert made
    made.clear()
    assert live.get("/goodness") == first
    assert not made


def test_looking_all_the_time_costs_little(live, frames, monkeypatch):
    before = live.get("/recent")
    monkeypatch.setattr("ffstream_gateway.looks.REST", 1000.0)
    live.accepted(frames[0][250:300], frames[1][250:300])
    assert live.settle().get("/recent") == before
    monkeypatch.setattr("ffstream_gateway.looks.REST", 0.0)
    assert live.get("/recent") != before


def test_latencies_are_those_of_classify(live, frames):
    for _ in range(3):
        live.classify(frames[0][:2])
    live.classify(np.ones((1, 63)))
    latency = live.app.state.moments._latency()
    assert latency.answers == 3
    assert 0 < latency.p50 <= latency.p99


def test_what_is_replayed_counts_once(gateway, frames):
    broken = []
    gateway.break_wake(lambda first: first > 100 and not broken and not broken.append(first), after=True)
    app = gateway.open(every=50)
    app.accepted(frames[0][:150], frames[1][:150])
    app.settle()
    assert broken
    look = app.get("/recent")
    assert look["confusion"]["frames"] == app.get("/status")["labelled"] == 150
    labelled = [point["labelled"] for point in look["curve"]]
    assert labelled == sorted(set(labelled))


def test_a_restore_takes_back_what_is_seen(live, frames):
    seq = live.http.post("/snapshots").json()["seq"]
    live.settle()
    then = live.get("/recent")
    live.accepted(frames[0][250:300], frames[1][250:300])
    assert live.settle().get("/recent")["frames"][0]["id"] == 300
    live.http.post(f"/snapshots/{seq}/restore")
    live.settle()
    assert live.get("/recent") == then


def test_frames_that_are_no_squares_are_not_shown(gateway):
    app = gateway.open(inputs=63).settle()
    app.accepted(np.random.default_rng(0).random((50, 63), np.float32), [1, 2] * 25)
    app.settle().http.post("/sleep")
    app.settle()
    shape = app.get("/shape")
    assert shape["side"] is None
    assert "63 numbers" in shape["not_pictures"]
    assert all(each["pixels"] is None for each in app.get("/recent")["frames"])
    assert all(each["pixels"] is None for each in app.get("/dreams")["dreams"])
    assert app.get("/fields")["units"] == []
    assert app.get("/goodness")["positives"] == 50


def test_dreams_without_labels_are_other_pictures(gateway, frames):
    app = gateway.open(task="unsupervised").settle()
    app.accepted(frames[0][:50], [-1] * 25 + frames[1][25:50].tolist())
    app.settle().http.post("/sleep", json={"dreams": 50})
    app.settle()
    shown = app.get("/dreams")["dreams"]
    assert len(shown) == 12
    assert all(each["dreamt"] is None for each in shown)
    assert sum(each["dream"] != each["pixels"] for each in shown) >= 9, "few masks are of one piece"
    look = app.get("/goodness")
    assert (look["positives"], look["negatives"]) == (50, 25), "a batch's dreams are shown, 32 at most"
    explained = app.http.post("/explain", json={"frame": frames[0][0].tolist()}).json()
    assert explained["goodness"] is explained["by_goodness"] is None
    assert len(explained["neutral"]) == 2


def test_symbols(gateway):
    app = gateway.open(task="sequence", context=4, alphabet="bytes").settle()
    app.http.post("/feed", json={"text": "the fox saw the grapes " * 10})
    app.settle().http.post("/sleep", json={"dreams": 50})
    app.settle()
    shape, look = app.get("/shape"), app.get("/recent")
    assert len(shape["names"]) == shape["classes"] == LARGEST + 1
    assert "symbols" in shape["not_pictures"]
    assert look["confusion"]["counts"] is None
    assert look["confusion"]["frames"] > 100
    assert app.get("/goodness")["negatives"] == 32
    assert app.get("/dreams")["dreams"][0]["pixels"] is None


def test_a_table(gateway, frames):
    app = gateway.open(standardize=True).settle()
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    assert all(len(base64.b64decode(unit["pixels"])) == 64 for unit in app.get("/fields")["units"])
    assert len(app.get("/fields")["units"]) == 36


def test_recurrent(gateway, frames):
    app = gateway.open(ticks=4).settle()
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    assert app.get("/shape")["recurrent"]
    assert len(app.get("/fields")["units"]) == 36
    explained = app.http.post("/explain", json={"frame": frames[0][0].tolist()}).json()
    assert np.shape(explained["goodness"]) == (10, 2)
    assert app.get("/goodness")["positives"] == 50


def test_a_convolution(gateway, frames):
    """A picture a channel: its weights, as the unit in the middle has them."""
    field = Field(4, 12, 3, 2, shared=True)
    fields = FieldsConfig(8, 1, (field,))
    app = gateway.open(inputs=64, units=fields.units, network={"fields": fields.to_dict()}).settle()
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    shown, weights = app.get("/fields")["units"], app.stream.reader.stages[0].layer[0].numpy()
    assert [each["speaks"] for each in shown] == ["for"] * 6 + ["against"] * 6
    for each, own in zip(shown, weights, strict=True):
        picture = (bytes_of(each["pixels"]).astype(float).reshape(8, 8) - 127.5) / 127.5
        kernel = own[:9].reshape(3, 3) / np.abs(own[:9]).max()
        np.testing.assert_allclose(picture[3:6, 3:6], kernel, atol=0.01)
        picture[3:6, 3:6] = 0
        np.testing.assert_allclose(picture, 0, atol=0.01)
