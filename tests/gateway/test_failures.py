"""The chain fails; what was accepted is learned once all the same, or the service says that it cannot."""

import time

import numpy as np
import pytest

from ffstream import Schedule
from ffstream.errors import JournalError
from ffstream_gateway.service import ATTEMPTS, State


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("ffstream_gateway.service.PAUSE", 0.02)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("snapshot", [False, True])
def test_failing_once(gateway, frames, undisturbed, states, snapshot, after):
    x, y = frames[0][:200], frames[1][:200]
    left = [101]
    tried = gateway.break_wake(lambda first: first in left and not left.remove(first), after=after)
    app = gateway.open(every=50, snapshot_every=3 if snapshot else None)
    app.accepted(x, y)
    app.settle()
    assert not left
    assert tried.count(101) == 2
    assert State.RECOVERING in states
    assert states[-1] is State.READY
    status = app.get("/status")
    assert status["error"] is None
    assert status["frames"] == status["labelled"] == 200
    assert app.digests == undisturbed(app.stream.config, Schedule(every=50, idle=None), x, y)
    assert app.http.get("/readyz").status_code == 200


def test_recovering(gateway, frames):
    left = [26]
    gateway.break_wake(lambda first: first in left and not left.remove(first))
    opening = None

    def gate_second_opening():
        nonlocal opening
        opening = gateway.hold("__init__")

    app = gateway.open().settle()
    gate_second_opening()
    app.accepted(frames[0][:75], frames[1][:75])
    assert opening.reached.wait(10)
    assert app.get("/status")["state"] == "recovering"
    assert "a layer broke" in app.get("/status")["error"]
    assert app.http.get("/readyz").status_code == 503
    assert app.http.get("/readyz").json() == {"state": "recovering"}
    assert app.classify(frames[0][:2]).status_code == 200
    assert app.accepted(frames[0][75:100], frames[1][75:100])["last"] == 100
    opening.open()
    app.settle()
    assert app.get("/status")["frames"] == 100
    assert app.get("/status")["error"] is None


def test_failing_now_and_then_with_success_in_between(gateway, frames, wait_until):
    failed = set()
    gateway.break_wake(lambda first: first not in failed and not failed.add(first))
    app = gateway.open()
    for start in range(0, 250, 25):
        app.accepted(frames[0][start : start + 25], frames[1][start : start + 25])
        wait_until(lambda: app.at_rest() or app.service.state is State.FAILED)
        assert app.service.state is State.READY, f"gave up after {len(failed)} failures, with something learned after each"
    assert len(failed) == 10
    assert app.get("/status")["frames"] == 250


def test_failing_always(gateway, frames, refused, wait_until, monkeypatch):
    app = gateway.open().settle()
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    tried = gateway.break_wake(lambda _: True)
    app.accepted(frames[0][50:75], frames[1][50:75])
    wait_until(lambda: app.service.state is State.FAILED)
    assert len(tried) == ATTEMPTS + 1
    status = app.get("/status")
    assert status["state"] == "failed"
    assert status["error"] == "RuntimeError: a layer broke"
    assert app.http.get("/readyz").status_code == 503
    assert app.http.get("/readyz").json() == {"state": "failed"}
    assert app.http.get("/livez").status_code == 200
    kept = app.kept
    answer = app.feed(frames[0][:1])
    refused(answer, 503, "failed")
    assert int(answer.headers["retry-after"]) >= 1
    assert app.kept == kept
    assert app.classify(frames[0][:2]).json()["status"] == "live"
    assert app.http.get("/metrics").status_code == 200
    assert app.get("/snapshots") == []
    monkeypatch.setattr("ffstream_gateway.routes.JOURNALED_WITHIN", 0.1)
    refused(app.http.post("/sleep"), 503)
    refused(app.http.post("/snapshots"), 503)
    assert len(tried) == ATTEMPTS + 1, "it is not tried any more"


def test_failing_always_at_the_same_frame(gateway, frames, wait_until):
    """What is learned again on the way to it is nothing new."""
    tried = gateway.break_wake(lambda first: first == 501)
    app = gateway.open()
    app.accepted(frames[0][:600], frames[1][:600])
    wait_until(lambda: app.service.state is State.FAILED)
    assert tried.count(501) == ATTEMPTS + 1
    assert app.stream.progress.frames > 0


def test_the_first_recovery_comes_at_once(gateway, frames, monkeypatch):
    monkeypatch.setattr("ffstream_gateway.service.PAUSE", 60.0)
    left = [1]
    gateway.break_wake(lambda first: first in left and not left.remove(first))
    app = gateway.open()
    app.accepted(frames[0][:25], frames[1][:25])
    app.settle()
    assert app.get("/status")["frames"] == 25


def test_the_next_comes_after_a_pause(gateway, frames, monkeypatch):
    monkeypatch.setattr("ffstream_gateway.service.PAUSE", 0.3)
    times = []
    gateway.break_wake(lambda _: times.append(time.monotonic()) or len(times) < 3)
    app = gateway.open()
    app.accepted(frames[0][:25], frames[1][:25])
    app.settle()
    assert len(times) == 3
    assert times[2] - times[1] >= 0.3


def test_what_was_accepted_before_failing_is_learned_by_the_next(gateway, frames, wait_until, undisturbed):
    x, y = frames[0][:75], frames[1][:75]
    with pytest.MonkeyPatch.context() as patch:
        from ffstream.network import Network

        def broken(*_):
            raise RuntimeError("a layer broke")

        patch.setattr(Network, "wake", broken)
        app = gateway.open()
        app.accepted(x, y)
        wait_until(lambda: app.service.state is State.FAILED)
        app.close()
    app = gateway.open().settle()
    assert app.get("/status")["frames"] == 75
    assert app.digests == undisturbed(app.stream.config, Schedule(every=None, idle=None), x, y)


def test_a_chain_that_does_not_open_at_first(gateway, frames, monkeypatch, states):
    from ffstream.network import Network

    original, left = Network.__init__, [1, 1]

    def opening(*args, **options):
        if left:
            left.pop()
            raise RuntimeError("no place for it")
        original(*args, **options)

    monkeypatch.setattr(Network, "__init__", opening)
    app = gateway.open()
    app.accepted(frames[0][:25], frames[1][:25])
    app.settle()
    assert State.RECOVERING in states
    assert app.get("/status")["frames"] == 25


def test_a_sleep_is_journaled_once_though_it_fails(gateway, frames, monkeypatch):
    from ffstream.network import Network

    original, left = Network.sleep, [1]

    def sleep(*args):
        original(*args)
        if left:
            left.pop()
            raise RuntimeError("a nightmare")

    monkeypatch.setattr(Network, "sleep", sleep)
    app = gateway.open()
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    assert app.http.post("/sleep").status_code == 202
    app.settle()
    assert not left
    assert len(app.events("sleep")) == 1
    assert app.get("/sleep")["sleeps"] == 1
    assert app.get("/sleep")["phase"] == "wake"


def test_a_journal_that_cannot_be_written(gateway, refused, monkeypatch):
    app = gateway.open().settle()

    def full(*_, **__):
        raise JournalError("disk full")

    monkeypatch.setattr(app.stream.journal, "append", full)
    answer = app.feed(np.ones((1, 64)))
    assert "disk full" in refused(answer, 503, "journal")["detail"]
    assert int(answer.headers["retry-after"]) >= 1


def test_closing_takes_no_more(gateway, refused):
    app = gateway.open().settle()
    app.close()
    kept = gateway.folder.joinpath("journal.sqlite").read_bytes()
    refused(app.feed(np.ones((1, 64))), 503, "closing")
    assert gateway.folder.joinpath("journal.sqlite").read_bytes() == kept
