"""Back to a snapshot over HTTP."""

import time

import pytest

from ffstream_gateway.service import State


@pytest.fixture
def saved(gateway, frames):
    """An application with 30 frames in a snapshot and 30 after it, and the snapshot's number."""
    app = gateway.open()
    app.accepted(frames[0][:30], frames[1][:30])
    app.settle()
    seq = app.http.post("/snapshots").json()["seq"]
    app.settle()
    app.before = app.digests
    app.accepted(frames[0][30:60], frames[1][30:60])
    return app.settle(), seq


def test_what_is_fed_afterwards_is_learned_on_top_of_the_snapshot(gateway, saved, frames, refused):
    app, seq = saved
    assert app.digests != app.before
    later = app.http.post("/snapshots").json()["seq"]
    app.settle()
    answer = app.http.post(f"/snapshots/{seq}/restore")
    assert answer.status_code == 202
    assert answer.json() == {"seq": app.stream.journal.last_seq, "snapshot": seq}
    assert app.settle().digests == app.before
    status = app.get("/status")
    assert (status["frames"], status["accepted"], status["through"], status["seq"]) == (30, 60, 60, answer.json()["seq"])
    app.accepted(frames[0][60:80], frames[1][60:80])
    digests = app.settle().digests
    assert [app.get(f"/frames/{number}")["state"] for number in (30, 31, 60, 61, 80)] == [
        *("learned", "abandoned", "abandoned", "learned", "learned"),
    ]
    assert [(each["seq"], each["abandoned"]) for each in app.get("/snapshots")] == [(later, True), (seq, False)]
    assert app.get("/frames/31")["prediction"] is not None, "what was predicted is still told"
    app.close()
    app = gateway.open().settle()
    assert app.digests == digests
    assert app.get("/frames/31")["state"] == "abandoned"
    assert app.get("/status")["through"] == 80


def test_unknown_snapshots(saved, refused):
    app, seq = saved
    kept = app.kept
    for number in (seq - 1, seq + 1, 0, 10**30):
        assert str(number) in refused(app.http.post(f"/snapshots/{number}/restore"), 404, "unknown-snapshot")["detail"]
    refused(app.http.post("/snapshots/newest/restore"), 422, "invalid", "path.seq")
    assert app.settle().kept == kept


@pytest.mark.parametrize("state", ["starting", "recovering"])
def test_not_while_it_starts_or_recovers(gateway, saved, refused, state, wait_until):
    app, seq = saved
    if state == "starting":
        app.close()
        opening = gateway.hold("__init__")
        app = gateway.open()
    else:
        opening = gateway.hold("__init__")
        app.stream.chain.wake = lambda batch: 1 / 0
        app.accepted([[1.0] * 64])
        wait_until(lambda: app.get("/status")["state"] == "recovering")
    answer = app.http.post(f"/snapshots/{seq}/restore")
    refused(answer, 503, state)
    assert int(answer.headers["retry-after"]) >= 1
    opening.open()
    app.settle()
    assert app.http.post(f"/snapshots/{seq}/restore").status_code == 202


def test_not_ready_until_the_state_is_back(gateway, saved, frames, refused, states):
    app, seq = saved
    opening = gateway.hold("__init__")
    assert app.http.post(f"/snapshots/{seq}/restore").status_code == 202
    for moment in ("answered", "opening"):
        answer = app.http.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"state": "replaying"}), moment
        assert opening.reached.wait(10)
    status = app.get("/status")
    assert (status["state"], status["error"]) == ("replaying", None)
    refused(app.http.post(f"/snapshots/{seq}/restore"), 503, "replaying")
    assert app.classify(frames[0][:2]).status_code == 200
    app.accepted(frames[0][60:80], frames[1][60:80])
    opening.open()
    assert app.settle().get("/readyz") == {"state": "ready"}
    assert app.get("/status")["frames"] == 50
    assert states[-2:] == [State.REPLAYING, State.READY]
    assert State.RECOVERING not in states, "a restore is no failure"


def test_whoever_has_the_answer_does_not_find_it_ready(gateway, saved):
    """Not for a moment: who waits for readiness after a restore waits for the restored state."""
    app, seq = saved
    opening, seen = gateway.hold("__init__"), []
    app.service.request_restore(seq).add_done_callback(lambda _: seen.append(app.service.state))
    assert opening.reached.wait(10)
    assert seen == [State.REPLAYING]


def test_a_restore_that_comes_to_nothing_leaves_it_ready(saved, states):
    app, seq = saved
    app.http.post(f"/snapshots/{seq + 1}/restore")
    assert app.get("/readyz") == {"state": "ready"}
    assert State.REPLAYING not in states


def test_a_restore_is_not_learning(saved, monkeypatch):
    """Neither backwards nor forwards, however many frames the state that comes back has learned."""
    app, seq = saved
    later = app.http.post("/snapshots").json()["seq"]
    monkeypatch.setattr("ffstream_gateway.service.RATE_OVER", 0.5)
    for snapshot in (seq, later):
        time.sleep(1.0)
        app.http.post(f"/snapshots/{snapshot}/restore")
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            assert app.service.frames_per_second == 0
            time.sleep(0.01)
