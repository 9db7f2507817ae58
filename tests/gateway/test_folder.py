"""What a folder keeps from one service to the next, and what it refuses."""

import json
import shutil

import numpy as np
import pytest

from ffstream import Schedule
from ffstream.errors import ConfigError
from ffstream_gateway.app import create_app
from ffstream_gateway.folder import NETWORK


def test_goes_on_where_it_was(gateway, frames):
    x, y = frames
    app = gateway.open(every=100)
    app.accepted(x[:230], y[:230])
    app.settle()
    digests, status, kept = app.digests, app.get("/status"), app.kept
    app.close()
    app = gateway.open(every=100).settle()
    again = app.get("/status")
    assert app.digests == digests
    for name in ("accepted", "frames", "labelled", "dreams", "sleeps", "accuracy", "accuracy_overall", "network"):
        assert again[name] == status[name]
    assert app.stream.journal.last_frame == kept[0]
    assert app.classify(x[:2]).json()["status"] == "live"
    assert app.accepted(x[230:250], y[230:250])["first"] == 231
    app.settle()
    assert app.get("/status")["frames"] == app.get("/status")["labelled"] == 250


def test_classifies_before_the_chain_is_open_again(gateway, frames):
    app = gateway.open()
    app.accepted(frames[0][:100], frames[1][:100])
    app.settle()
    expected = app.classify(frames[0][:5]).json()
    app.close()
    opening = gateway.hold("__init__")
    app = gateway.open()
    assert opening.reached.wait(10)
    found = app.classify(frames[0][:5]).json()
    assert found["status"] == "live"
    assert (found["labels"], found["scores"]) == (expected["labels"], expected["scores"])
    assert app.get("/status")["state"] == "starting"
    opening.open()


def test_nothing_new_makes_no_snapshot(gateway, frames):
    app = gateway.open()
    app.accepted(frames[0][:30], frames[1][:30])
    app.close()
    app = gateway.open().settle()
    saved, kept = app.get("/snapshots"), app.kept
    assert len(saved) == 1
    app.close()
    app = gateway.open().settle()
    assert (app.get("/snapshots"), app.kept) == (saved, kept)


def test_a_folder_as_a_crash_leaves_it_is_replayed(gateway, frames, tmp_path):
    app = gateway.open(every=100)
    app.accepted(frames[0][:250], frames[1][:250])
    app.settle()
    digests, status = app.digests, app.get("/status")
    copy = tmp_path / "copy"
    shutil.copytree(gateway.folder, copy)
    app.close()
    learning = gateway.hold("wake")
    app = gateway.open(every=100, folder=copy)
    assert learning.reached.wait(10)
    assert app.http.get("/readyz").status_code == 503
    assert app.classify(frames[0][:2]).json()["status"] == "cold"
    learning.open()
    app.settle()
    again = app.get("/status")
    assert app.digests == digests
    assert {name: again[name] for name in ("frames", "seq", "dreams", "sleeps", "accuracy")} == {
        name: status[name] for name in ("frames", "seq", "dreams", "sleeps", "accuracy")
    }


def test_what_was_not_learned_in_time_is_learned_by_the_next(gateway, frames, undisturbed):
    x, y = frames[0][:1000], frames[1][:1000]
    app = gateway.open(drain_seconds=0, every=100)
    app.accepted(x, y)
    app.close()
    app = gateway.open(every=100).settle()
    assert app.get("/status")["frames"] == 1000
    assert app.digests == undisturbed(app.stream.config, Schedule(every=100, idle=None), x, y)


def test_what_waits_is_learned_before_closing(gateway, frames):
    app = gateway.open()
    app.accepted(frames[0][:203], frames[1][:203])
    app.close()
    app = gateway.open().settle()
    assert app.get("/status")["frames"] == 203
    assert [each["frames"] for each in app.get("/snapshots")] == [203]


def test_snapshots(gateway, frames, wait_until):
    app = gateway.open()
    assert app.get("/snapshots") == []
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    answer = app.http.post("/snapshots")
    assert answer.status_code == 202
    seq = answer.json()["seq"]
    assert answer.json() == {"seq": 3}
    saved = wait_until(lambda: app.get("/snapshots"))
    assert [(each["seq"], each["frames"]) for each in saved] == [(seq, 50)]
    assert saved[0]["accuracy"] == app.get("/status")["accuracy"] > 0
    assert saved[0]["parts"] == ["dreamer", "layer-0", "layer-1"]
    assert app.events("barrier")[0].event.reason == "request"
    newer = app.http.post("/snapshots").json()["seq"]
    app.settle()
    assert [each["seq"] for each in app.get("/snapshots")] == [newer, seq]


def test_snapshots_by_themselves(gateway, frames):
    app = gateway.open(snapshot_every=4)
    app.accepted(frames[0][:500], frames[1][:500])
    app.settle()
    saved = app.get("/snapshots")
    assert len(saved) == 3, "the newest are kept"
    assert saved[0]["seq"] > saved[1]["seq"] > saved[2]["seq"]
    assert {each.event.reason for each in app.events("barrier")} == {"every"}


def test_one_service_a_folder(gateway):
    app = gateway.open().settle()
    with pytest.raises(ConfigError, match="another service") as found:
        create_app(gateway.settings())
    assert str(gateway.folder) in str(found.value)
    assert app.get("/status")["state"] == "ready"
    app.close()
    gateway.open().settle()


def test_a_new_folder_gets_the_network_of_the_settings(gateway):
    gateway.open(inputs=5, classes=3, units=(8, 9), batch=7, seed=4).close()
    kept = json.loads((gateway.folder / "network.json").read_text())
    assert (kept["inputs"], kept["classes"], kept["units"], kept["batch"], kept["seed"]) == (5, 3, [8, 9], 7, 4)


def test_a_network_that_cannot_be_leaves_nothing_behind(gateway):
    with pytest.raises(ConfigError, match="units"):
        create_app(gateway.settings(units=(40, 0)))
    gateway.open().settle()


def test_a_new_folder_like_a_data_set(gateway):
    app = gateway.open(like="digits")
    assert (app.stream.config.inputs, app.stream.config.classes) == (64, 10)


OTHERS = [("inputs", 32), ("classes", 3), ("units", (40, 41)), ("batch", 50), ("seed", 1), ("precision", "bfloat16")]
OTHERS += [("standardize", True)]


@pytest.mark.parametrize(("name", "value"), OTHERS)
def test_a_flag_that_contradicts_the_folder(gateway, name, value):
    gateway.open(inputs=64, classes=10).close()
    with pytest.raises(ConfigError, match=name) as found:
        create_app(gateway.settings(**{name: value}))
    assert "network.json" in str(found.value)
    assert "\n" not in str(found.value)
    gateway.open().settle()


def test_a_variable_that_contradicts_the_folder(gateway, monkeypatch):
    gateway.open().close()
    monkeypatch.setenv("FFSTREAM_INPUTS", "32")
    with pytest.raises(ConfigError, match="inputs"):
        create_app(gateway.settings())


def test_defaults_contradict_nothing(gateway):
    gateway.open(inputs=5, classes=3, batch=7, seed=2).close()
    app = gateway.open().settle()
    assert (app.stream.config.inputs, app.stream.config.batch) == (5, 7)
    app.accepted(np.ones((1, 5)), [2])


@pytest.mark.parametrize("able", ["float32", "bfloat16"])
def test_the_faster_precision_of_the_machine_that_made_a_folder(gateway, monkeypatch, able):
    """Another machine, which would be faster otherwise, goes on in it."""
    monkeypatch.setattr("ffstream.precision.fastest", lambda: able)
    gateway.open(precision="auto").close()
    monkeypatch.setattr("ffstream.precision.fastest", lambda: "float32" if able == "bfloat16" else "bfloat16")
    for given in ({"precision": "auto"}, {"precision": able}, {}):
        opened = gateway.open(**given)
        assert opened.settle().stream.config.layer.precision == able
        opened.close()
    with pytest.raises(ConfigError, match="setting precision"):
        gateway.open(precision="float32" if able == "bfloat16" else "bfloat16")


def test_a_network_of_another_precision(gateway):
    gateway.open(precision="bfloat16").close()
    assert gateway.open().settle().stream.config.layer.precision == "bfloat16"


def test_a_network_with_more_than_settings_say(gateway, frames):
    """A table takes what the configuration does; it is served, and found again."""
    table = {"hardware": 7, "box": {"kind": "unknown", "strength": 0.3}, "layer": {"blocks": 4, "rate": 0.05}}
    app = gateway.open(network=table)
    config = app.stream.config
    assert (config.hardware, config.box.strength, config.layer.blocks, config.layer.rate) == (7, 0.3, 4, 0.05)
    assert config.units == (40, 40)
    app.accepted(*frames)
    assert app.settle().get("/status")["frames"] == len(frames[0])
    app.close()
    assert gateway.open(network={"layer": {"blocks": 4}}).stream.config == config


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"units": [40]}, "setting network: got units, which is a setting by itself"),
        ({"layer": {"precision": "bfloat16"}}, "setting network: got precision, which is a setting by itself"),
        ({"colour": 1}, "unknown names .'colour'."),
        ({"layer": {"colour": 1}}, "colour"),
        ({"layer": {"blocks": 50}}, "blocks: got 50, but a layer has 40 units"),
        ({"layer": "wide"}, "network configuration: "),
        ({"hardware": -1}, "hardware: got -1"),
    ],
)
def test_a_table_that_will_not_do_leaves_nothing_behind(gateway, table, message):
    with pytest.raises(ConfigError, match=message):
        create_app(gateway.settings(network=table))
    assert not (gateway.folder / NETWORK).exists()


def test_a_table_that_contradicts_the_folder(gateway):
    gateway.open(network={"layer": {"blocks": 2}}).close()
    gateway.open().close()
    with pytest.raises(ConfigError, match=r"^setting network: got .* has another one"):
        create_app(gateway.settings(network={"layer": {"blocks": 4}}))


def test_a_data_set_that_contradicts_the_folder(gateway):
    gateway.open(inputs=5).close()
    with pytest.raises(ConfigError, match="inputs"):
        create_app(gateway.settings(like="digits"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("network.json", "not json"),
        ("network.json", ""),
        ("network.json", "[]"),
        ("network.json", "{}"),
        ("network.json", '{"units": [40, 40], "layer": {}, "readout": {}}'),
        ("network.json", '{"inputs": "64", "classes": 10, "units": [40, 40], "layer": {}, "readout": {}}'),
        ("network.json", '{"inputs": 64, "classes": 10, "units": [40, 40], "layer": {}, "readout": {}, "depth": 2}'),
        ("schedule.json", "not json"),
        ("schedule.json", "[]"),
        ("schedule.json", '{"often": 3}'),
        ("schedule.json", '{"every": "often"}'),
        ("schedule.json", '{"every": 0}'),
    ],
)
def test_a_damaged_file_is_named(gateway, name, text):
    gateway.open().close()
    (gateway.folder / name).write_text(text)
    with pytest.raises(ConfigError) as found:
        create_app(gateway.settings())
    assert "\n" not in str(found.value)
    (gateway.folder / name).unlink()
    gateway.open().settle()


def test_a_folder_that_cannot_be_made(gateway, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        create_app(gateway.settings(folder=tmp_path / "file" / "data"))
