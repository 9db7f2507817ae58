"""Benchmarks of phases that are longer than a pass, of days without sleep, and of one pass that is only read at its end."""

import pytest

from benchmarks.goodness import stream_once
from benchmarks.learners import make_learner
from benchmarks.runs import Run
from benchmarks.sleep_deprivation import deprive
from ffstream import Method

SMALL = {"units": (20, 20), "batch": 25}


def test_a_phase_of_three_passes_ends_after_the_third(digits):
    frames = 200
    learner = make_learner("ffstream", Run("ffstream", {"phase": 3 * frames // 25}, **SMALL), 64, 10, updates=0)
    dreams = []
    for _ in range(4):
        learner.step(digits.x[:frames], digits.y[:frames])
        learner.rest()
        dreams.append(learner.stream.progress.dreams)
    assert dreams == [0, 0, 3 * frames, 3 * frames]


@pytest.mark.parametrize("phase", [2, 1000])
def test_a_rest_pays_what_no_other_pass_fits_into(digits, phase):
    learner = make_learner("ffstream", Run("ffstream", {"phase": phase}, **SMALL), 64, 10, updates=0)
    learner.step(digits.x[:75], digits.y[:75])
    learner.rest()
    assert learner.stream.progress.dreams == (75 if phase == 2 else 0)


def test_days_without_sleep_are_paid_at_once(digits):
    looks = deprive(Run("ffstream", {"phase": 2, "awake": True}, passes=4, **SMALL), "digits").looks
    frames = len(digits.x)
    found = [(look["frames"], round(look["dreams"] / frames)) for look in looks]
    assert found == [(frames, 1), (3 * frames, 1), (3 * frames, 3), (4 * frames, 4)]


def test_one_pass_is_read_at_its_end():
    figures = stream_once(Run("ffstream", {"phase": 2}, frames=1000, part="validation", **SMALL), "digits")
    assert figures.held_out[0].keys() == {"goodness"}
    assert figures.curve["live"]["1000"] == figures.prequential["live"]
    read = stream_once(Run("ffstream", {"phase": 2}, frames=1000, **SMALL), "digits").held_out[0]
    assert read.keys() == {method.value for method in Method}
    assert min(read.values()) < 0.3
