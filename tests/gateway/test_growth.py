"""Labels that nobody had told of, over HTTP: taken where there is room, refused where there is none."""

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ffstream.client.answers import Status, read
from ffstream.errors import ConfigError
from ffstream.stream.events import Grow
from ffstream_gateway.service import State
from ffstream_gateway.view import describe

FIRST, MOST = 4, 10


def figure(app, name):
    families = text_string_to_metric_families(app.http.get("/metrics").text)
    return next(sample.value for family in families for sample in family.samples if sample.name == name)


def told(app):
    """What ``ffstream status`` says."""
    return describe(read(app.http.get("/status").content, Status))


def shown(app):
    """Labels that everything which can be looked at shows."""
    app.get("/dreams"), app.get("/goodness"), app.get("/fields")
    return app.get("/shape")["classes"], app.get("/moment")["classes"], len(app.get("/recent")["confusion"]["counts"])


@pytest.fixture
def shows(wait_until):
    """A look may be a second old."""
    return lambda app, classes: wait_until(lambda: shown(app) == (classes,) * 3)


@pytest.fixture
def known(frames):
    """Frames whose labels there are slots for, and their labels."""
    rows = frames[1] < FIRST
    return frames[0][rows], frames[1][rows]


@pytest.fixture
def app(gateway):
    app = gateway.open(classes=FIRST, max_classes=MOST)
    yield app
    app.close()


def test_new_labels_are_learned_and_told_of(app, frames, known, shows):
    app.accepted(known[0][:40], known[1][:40])
    app.settle()
    assert (app.get("/status")["network"]["classes"], app.get("/status")["max_classes"]) == (FIRST, MOST)
    assert "labels     4, and room for 6 more" in list(told(app))
    shows(app, FIRST)
    assert figure(app, "ffstream_classes") == FIRST
    assert len(app.classify(frames[0][:2]).json()["scores"][0]) == FIRST
    app.accepted(*(part[:100] for part in frames))
    app.http.post("/sleep", json={"dreams": 100})
    app.settle()
    assert (app.get("/status")["network"]["classes"], app.get("/status")["max_classes"]) == (MOST, MOST)
    assert "labels     10" in list(told(app))
    assert figure(app, "ffstream_classes") == MOST
    shows(app, MOST)
    assert sum(map(sum, app.get("/recent")["confusion"]["counts"])) == 140
    assert len(app.classify(frames[0][:2]).json()["scores"][0]) == MOST
    explained = app.http.post("/explain", json={"frame": frames[0][0].tolist()}).json()
    assert len(explained["goodness"]) == MOST
    assert {app.get(f"/frames/{number}")["state"] for number in range(1, 141)} == {"learned"}


def test_a_label_beyond_the_most_is_a_typo(app, frames, refused):
    """However it comes; nothing is kept, and nothing grows."""
    x = frames[0][:1]
    wanted = f"got {MOST}, expected 0 to {MOST - 1}"
    for kind in ("application/json", "application/x-ndjson", "application/x-npy"):
        assert wanted in refused(app.feed(x, [MOST], kind=kind), 422, "shape")["detail"]
    app.accepted(x)
    late = app.http.post("/labels", json={"labels": [{"id": 1, "label": MOST}]})
    assert wanted in refused(late, 422, "shape")["detail"]
    with app.http.websocket_connect("/feed") as socket:
        socket.receive_json()
        socket.send_text(orjson.dumps({"frame": x[0].tolist(), "label": MOST}).decode())
        assert wanted in socket.receive_json()["detail"]
    app.settle()
    assert (app.get("/status")["accepted"], app.get("/shape")["classes"]) == (1, FIRST)
    assert app.stream.journal.last(Grow.kind) is None


def test_without_room_nothing_grows(gateway, frames, refused):
    app = gateway.open(classes=FIRST)
    detail = refused(app.feed(frames[0][:1], [FIRST]), 422, "shape")["detail"]
    assert detail == f"labels[0]: got {FIRST}, expected 0 to {FIRST - 1}, or -1 for not known"
    assert app.get("/status")["max_classes"] == FIRST
    app.close()


def test_a_late_label_makes_room(app, frames):
    app.accepted(frames[0][:3])
    app.settle()
    assert app.http.post("/labels", json={"labels": [{"id": 2, "label": 6}]}).status_code == 202
    app.settle()
    assert (app.get("/shape")["classes"], app.get("/frames/2")["label"]) == (7, 6)


def test_back_before_the_growth_and_another_start(gateway, frames, known, shows):
    """What the page looks at goes back too; the folder is that of the network as it was made, and may be told of more room."""
    app = gateway.open(classes=FIRST, max_classes=MOST - 1)
    app.accepted(known[0][:40], known[1][:40])
    seq = app.settle().http.post("/snapshots").json()["seq"]
    app.settle()
    rows = frames[1] < MOST - 1
    app.accepted(frames[0][rows][:60], frames[1][rows][:60])
    wide = app.settle().http.post("/snapshots").json()["seq"]
    app.settle()
    digests = app.digests
    shows(app, MOST - 1)
    assert app.http.post(f"/snapshots/{seq}/restore").status_code == 202
    app.settle()
    shows(app, FIRST)
    assert len(app.classify(frames[0][:2]).json()["scores"][0]) == FIRST
    assert app.http.post(f"/snapshots/{wide}/restore").status_code == 202
    app.settle()
    shows(app, MOST - 1)
    assert app.digests == digests
    app.close()
    app = gateway.open(classes=FIRST, max_classes=MOST).settle()
    assert (app.get("/shape")["classes"], app.get("/status")["max_classes"], app.digests) == (MOST - 1, MOST, digests)
    app.accepted(frames[0][:200], frames[1][:200])
    app.settle()
    shows(app, MOST)
    app.close()


def test_a_failure_behind_the_growth_is_recovered_from(app, frames):
    app.accepted(*(part[:60] for part in frames))
    app.settle()
    digests = app.digests
    app.stream.chain.outcomes = lambda timeout: 1 / 0
    app.accepted(frames[0][:5])
    app.settle()
    assert (app.service.state, app.get("/shape")["classes"]) == (State.READY, MOST)
    layers = {name: digest for name, digest in digests.items() if name.startswith("layer")}
    assert layers.items() <= app.digests.items()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"classes": 5, "max_classes": 4}, "max_classes: got 4, but the network was made with 5 labels"),
        ({"task": "sequence", "max_classes": 40}, "setting max_classes: got 40, but a sequence has an alphabet"),
    ],
)
def test_room_that_cannot_be(gateway, settings, reason):
    with pytest.raises(ConfigError, match=reason):
        gateway.open(**settings)
