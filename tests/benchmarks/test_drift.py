"""What the drift benchmark feeds, and how it scores."""

import numpy as np
import pytest

from benchmarks.drift import CHANGE, CHANGES, FRAMES, MARGIN, WINDOW, recovered, stream
from ffstream.datasets import Dataset

SIDE = 4


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x, y = rng.integers(256, size=(FRAMES, SIDE * SIDE)).astype(np.uint8), rng.integers(10, size=FRAMES)
    return Dataset("made up", x, y, x[:10], y[:10])


@pytest.mark.parametrize("change", CHANGES)
def test_frames_are_of_another_kind_after_the_change(data, change):
    x, y = stream(data, change, 0)
    order = data.order(1, 0)
    lying = np.rot90(data.x[order].reshape(-1, SIDE, SIDE), axes=(1, 2)).reshape(len(order), -1)
    if change.startswith("labels"):
        assert (x == data.x[order]).all()
        new = y == (data.y[order] + 3) % 10
        assert (new | (y == data.y[order])).all()
    else:
        assert (y == data.y[order]).all()
        new = (x == lying).all(axis=1)
        assert (new | (x == data.x[order]).all(axis=1)).all()
    assert not new[:CHANGE].any()
    assert new[CHANGE + FRAMES // 4 :].all()
    middle = new[CHANGE : CHANGE + FRAMES // 4].mean()
    assert middle == 1 if "abrupt" in change else 0.4 < middle < 0.6, middle


def test_recovery_is_when_a_window_is_as_good_as_before():
    wrong = np.zeros(FRAMES, bool)
    wrong[CHANGE : CHANGE + 700] = True
    allowed = int(MARGIN * WINDOW)
    assert recovered(wrong) == 700 + WINDOW - allowed
    wrong[CHANGE:] = True
    assert recovered(wrong) == FRAMES - CHANGE
    assert recovered(np.zeros(FRAMES, bool)) == WINDOW
