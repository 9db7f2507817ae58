"""What is kept to be looked at is bounded, whatever comes out of the chain."""

import pytest
import torch

from ffstream.outcome import Dreamt, Learned, Slept
from ffstream.polarity import Polarity
from ffstream.progress import Progress
from ffstream_gateway.recent import DREAMS, FRAMES, POINTS, Recent


def learned(seq, first, n):
    ids = torch.arange(first, first + n)
    return Learned(seq, ids, ids % 3 - 1, torch.nn.functional.one_hot(ids % 2, 2).float(), ())


def dreamt(seq, step, n=25, polarity=Polarity.NEGATIVE):
    return Dreamt(seq, step, polarity, torch.arange(n), torch.ones(n, dtype=torch.int64), ())


@pytest.mark.parametrize("batch", [1, 7, 3000])
def test_frames(batch):
    recent, total = Recent(), 3 * FRAMES
    for seq, first in enumerate(range(1, total, batch), start=1):
        recent.observe([learned(seq, first, batch)], Progress())
    predicted = recent.predicted()
    last = first + batch - 1
    assert FRAMES <= len(predicted.ids) < FRAMES + batch
    assert predicted.ids.tolist() == list(range(last - len(predicted.ids) + 1, last + 1))
    assert (predicted.predictions == predicted.ids % 2).all()
    assert (predicted.labelled.labels >= 0).all()
    assert predicted.last(5).ids.tolist() == list(range(last - 4, last + 1))


def test_dreams_are_those_of_the_latest_sleep():
    recent = Recent(clock=lambda: 7.0)
    assert recent.dreams() is None
    for seq in (3, 5):
        recent.observe([dreamt(seq, 1, polarity=Polarity.POSITIVE)], Progress())
        for step in range(2, 100):
            recent.observe([dreamt(seq, step)], Progress())
        assert recent.dreams().seq == seq
        assert DREAMS <= len(recent.dreams().ids) < DREAMS + 25
    assert recent.woke_at is None
    recent.observe([Slept(5, 99)], Progress())
    assert recent.woke_at == 7.0
    shown = torch.rand(2, 4)
    recent.observe([dreamt(6, 1), Slept(6, 1, shown, torch.tensor([-1, -1]), torch.tensor([8, 9]))], Progress())
    assert recent.dreams().frames is shown
    assert recent.dreams().ids.tolist() == [8, 9]


def test_the_curve_gets_coarser():
    recent = Recent()
    for labelled in range(1, 20_000):
        recent.observe([Slept(labelled, 0)], Progress(seq=labelled, labelled=labelled, accuracy=labelled / 20_000))
        assert len(recent.curve()) <= POINTS
    points = recent.curve()
    assert len(points) > POINTS / 3
    assert (points[0].labelled, points[-1].labelled) == (1, pytest.approx(20_000, rel=0.02))
    assert all(point.accuracy == point.labelled / 20_000 for point in points)


def test_what_does_not_hold_is_forgotten():
    recent = Recent()
    for seq in range(1, 11):
        recent.observe([learned(seq, seq, 1), dreamt(seq, 1), Slept(seq, 1)], Progress(seq=seq, labelled=seq, accuracy=0.5))
    version = recent.version
    recent.keep(lambda seq: seq <= 4)
    assert recent.version > version
    assert recent.predicted().ids.tolist() == [1, 2, 3, 4]
    assert [point.seq for point in recent.curve()] == [1, 2, 3, 4]
    assert recent.dreams() is None
