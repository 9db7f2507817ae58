import itertools
import json

import numpy as np
import pytest


def reasons(app):
    return [each.event.reason for each in app.events("sleep")]


def in_order(app):
    """Whether the wake events name every accepted frame once, in order."""
    wakes = [each.event for each in app.events("wake")]
    ends = [(wake.first, wake.last) for wake in wakes]
    return ends[0][0] == 1 and all(b[0] == a[1] + 1 for a, b in itertools.pairwise(ends)) and ends[-1][1] == app.kept[0]


def test_on_request_for_what_is_owed(gateway, frames):
    app = gateway.open(dreams_per_frame=2.0)
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    assert app.get("/sleep")["owed"] == 50
    assert app.get("/sleep")["last"] is None
    answer = app.http.post("/sleep")
    assert answer.status_code == 202
    assert answer.json() == {"seq": 3, "dreams": 100, "reason": "request"}
    app.settle()
    state = app.get("/sleep")
    assert (state["phase"], state["owed"], state["sleeps"]) == ("wake", 0, 1)
    assert 0 < state["dreams"] <= 100
    assert state["last"]["seq"] == 3
    assert state["last"]["reason"] == "request"
    assert state["last"]["dreams"] == 100
    assert state["last"]["at"] == pytest.approx(app.events("sleep")[0].at)
    assert state["schedule"] == {"every": None, "idle": None, "dreams_per_frame": 2.0, "cycle": 0, "enough": None}
    assert reasons(app) == ["request"]


@pytest.mark.parametrize(("body", "dreams"), [({"dreams": 75}, 75), ({"dreams": 60}, 75), ({"dreams": None}, 25), ({}, 25)])
def test_on_request_for_so_many_dreams(gateway, frames, body, dreams):
    app = gateway.open()
    app.accepted(frames[0][:25], frames[1][:25])
    app.settle()
    answer = app.http.post("/sleep", json=body).json()
    assert answer["dreams"] == dreams, "whole batches of 25"
    app.settle()
    assert app.events("sleep")[0].event.steps * app.events("sleep")[0].event.batch == dreams


def test_with_nothing_to_dream_of(gateway):
    app = gateway.open().settle()
    assert app.http.post("/sleep", json={"dreams": 50}).status_code == 202
    app.settle()
    assert app.get("/sleep")["dreams"] == 0
    assert app.get("/status")["error"] is None


def test_every_so_many_labelled_frames(gateway, frames):
    app = gateway.open(every=50)
    app.accepted(frames[0][:110], [*frames[1][:100], *[-1] * 10])
    app.settle()
    assert reasons(app) == ["every", "every"]
    assert app.get("/sleep")["last"]["reason"] == "every"
    assert [each.event.kind for each in app.events()][:6] == ["wake", "wake", "sleep", "wake", "wake", "sleep"]


def test_when_idle(gateway, frames, wait_until):
    app = gateway.open(idle=0.2)
    app.accepted(frames[0][:10], frames[1][:10])
    wait_until(lambda: reasons(app))
    app.settle()
    assert reasons(app) == ["idle"]
    assert app.get("/sleep")["owed"] == 0
    assert app.get("/sleep")["last"]["reason"] == "idle"


def test_frames_fed_during_sleep_are_learned_afterwards_in_order(gateway, frames):
    x, y = frames
    app = gateway.open()
    app.accepted(x[:50], y[:50])
    app.settle()
    dreaming = gateway.hold("sleep")
    asleep = app.http.post("/sleep").json()["seq"]
    assert dreaming.reached.wait(10)
    for start in range(50, 130, 20):
        app.accepted(x[start : start + 20], y[start : start + 20])
    assert app.get("/status")["waiting"] == 80
    assert app.get("/status")["frames"] == 50
    assert app.stream.journal.last_seq == asleep
    dreaming.open()
    app.settle()
    assert app.get("/status")["frames"] == 130
    assert all(each.event.first > 50 for each in app.events("wake") if each.seq > asleep)
    assert in_order(app)


def test_a_schedule_is_kept_over_a_restart(gateway, frames):
    app = gateway.open(every=500)
    assert app.get("/schedule") == {"every": 500, "idle": None, "dreams_per_frame": 1.0, "cycle": 0, "enough": None}
    wanted = {"every": 25, "idle": 60.0, "dreams_per_frame": 0.5, "cycle": 3, "enough": 0.25}
    answer = app.http.put("/schedule", json=wanted)
    assert answer.status_code == 200
    assert answer.json() == app.get("/schedule") == app.get("/sleep")["schedule"] == wanted
    app.accepted(frames[0][:25], frames[1][:25])
    app.settle()
    assert reasons(app) == ["every"]
    app.close()
    assert json.loads((gateway.folder / "schedule.json").read_text()) == wanted
    app = gateway.open(every=500).settle()
    assert app.get("/schedule") == wanted
    app.accepted(frames[0][:25], frames[1][:25])
    app.settle()
    assert reasons(app) == ["every", "every"]


def test_a_schedule_may_say_never(gateway):
    app = gateway.open(every=5, idle=1.0)
    never = {"every": None, "idle": None}
    assert app.http.put("/schedule", json=never).json() == {**never, "dreams_per_frame": 1.0, "cycle": 0, "enough": None}
    app.accepted(np.ones((20, 64)), [1] * 20)
    app.settle()
    assert reasons(app) == []


@pytest.mark.parametrize("path", ["/sleep", "/snapshots"])
def test_what_cannot_be_journaled_in_time_is_refused_and_harms_nothing(gateway, refused, frames, monkeypatch, path):
    monkeypatch.setattr("ffstream_gateway.routes.JOURNALED_WITHIN", 0.1)
    opening = gateway.hold("__init__")
    app = gateway.open()
    assert opening.reached.wait(10)
    opened = []
    open_chain = app.stream._open_chain
    monkeypatch.setattr(app.stream, "_open_chain", lambda start: opened.append(start) or open_chain(start))
    answer = app.http.post(path)
    refused(answer, 503, "busy")
    assert int(answer.headers["retry-after"]) >= 1
    opening.open()
    app.accepted(frames[0][:30], frames[1][:30])
    app.settle()
    assert app.get("/status")["frames"] == 30
    assert not opened, "the chain was opened again: the request that nobody waits for broke the learning"
