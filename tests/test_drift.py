"""A stream that changes is noticed, told of once, and answered as it was set."""

import numpy as np
import pytest
import torch

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.datasets import load
from ffstream.drift import DriftConfig, DriftWatch
from ffstream.errors import ConfigError
from ffstream.labels import UNLABELLED
from ffstream.stream.events import Drift, Sleep

DIGITS = load("digits")
CONFIG = NetworkConfig(inputs=64, classes=10, units=(100, 100), batch=25)
SCHEDULE = Schedule(every=125, idle=None)
LEARNED, CHANGED = 2500, 1000
"""Frames before the change and after it."""


def fed(watch, errors, seq=1):
    """What the watch finds in predictions of which these are wrong."""
    wrong = torch.tensor(errors, dtype=torch.int64)
    return watch.observe(seq, torch.zeros_like(wrong), wrong)


def often(share, n, seed=0):
    return (np.random.default_rng(seed).random(n) < share).astype(int).tolist()


def test_more_errors_are_a_drift():
    watch = DriftWatch(DriftConfig("tell"))
    assert fed(watch, often(0.05, 2000)) is None
    found = [drift for seq in range(2, 12) if (drift := fed(watch, often(0.6, 20, seed=seq), seq))]
    assert found
    first = found[0]
    assert first.at <= 8
    assert first.reaction == "tell"
    assert first.before < 0.15 < first.since
    assert 20 <= first.frames <= 400


@pytest.mark.parametrize("shares", [(0.05, 0.05), (0.6, 0.05)], ids=["the same", "fewer"])
def test_as_many_errors_or_fewer_are_none(shares):
    watch = DriftWatch(DriftConfig())
    for seed, share in enumerate(shares):
        assert fed(watch, often(share, 3000, seed)) is None


def test_frames_without_a_label_say_nothing():
    watch = DriftWatch(DriftConfig())
    fed(watch, often(0.05, 1000))
    labels = torch.full((1000,), UNLABELLED)
    assert watch.observe(2, labels, torch.ones(1000, dtype=torch.int64)) is None


def test_it_goes_on_from_recent_predictions():
    """After a restart a change shows as soon as without, and what has been told of is not told of again."""
    watch, errors = DriftWatch(DriftConfig()), often(0.7, 100, seed=3)
    watch.begin([True] * 500, told=7)
    assert fed(watch, errors, seq=7) is None
    watch.begin([True] * 500, told=6)
    assert fed(watch, errors, seq=7) is not None


@pytest.mark.parametrize("wrong", [{"reaction": "panic"}, {"delta": 0.0}, {"delta": 1.0}, {"dreams": 0}])
def test_settings_are_checked(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        DriftConfig(**wrong)


def test_without_river_it_says_what_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"ffstream\[drift\]"):
        DriftWatch(DriftConfig())


def live_through(stream, changed=True):
    """Digits, and then digits that are called something else; the share wrong after the change."""
    order = DIGITS.order(3, 0)[: LEARNED + CHANGED]
    labels = np.where(np.arange(len(order)) < LEARNED, DIGITS.y[order], (DIGITS.y[order] + 3 * changed) % 10)
    learned = [
        each for part in np.split(np.arange(len(order)), 140) for each in stream.feed(DIGITS.x[order[part]], labels[part])
    ]
    wrong = torch.cat([each.logits.argmax(dim=1) != each.labels for each in learned])
    return float(wrong[LEARNED:].float().mean())


def events(stream, kind):
    return [recorded for recorded in stream.journal.events(0, limit=10_000) if isinstance(recorded.event, kind)]


def test_forgetting_helps(tmp_path):
    """Labels that mean something else are learned sooner; the change is one event of the journal, also after a restart."""
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path, drift=DriftConfig("forget"))
    error, told = live_through(stream), events(stream, Drift)
    digests, progress = stream.chain.digests(), stream.progress
    stream.close()
    assert error < 0.7 * live_through(Stream.in_process(CONFIG, SCHEDULE, drift=DriftConfig("tell")))
    assert told
    assert told[0].event.reaction == "forget"
    first = next(each.seq for each in told)
    assert 0 < first - told[0].event.at < 20
    assert progress.drifts == len(told)
    again = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path, drift=DriftConfig("forget"))
    again.settle()
    assert again.chain.digests() == digests
    assert again.progress.drifts == len(told)
    assert events(again, Drift) == told
    again.close()


def test_no_change_is_no_drift():
    stream = Stream.in_process(CONFIG, SCHEDULE, drift=DriftConfig("forget"))
    live_through(stream, changed=False)
    assert not events(stream, Drift)


def test_telling_changes_nothing():
    """The weights are those of a stream that nobody watches."""
    watched, free = Stream.in_process(CONFIG, SCHEDULE, drift=DriftConfig("tell")), Stream.in_process(CONFIG, SCHEDULE)
    for stream in (watched, free):
        live_through(stream)
    assert watched.progress.drifts > 0
    assert watched.chain.digests() == free.chain.digests()


def test_sleeping_is_asked_for():
    stream = Stream.in_process(CONFIG, SCHEDULE, drift=DriftConfig("sleep", dreams=300))
    live_through(stream)
    (first, *_) = events(stream, Drift)
    after = next(recorded for recorded in events(stream, Sleep) if recorded.seq > first.seq)
    assert after.seq == first.seq + 1
    assert after.event.steps * after.event.batch == 300
