from math import log2

import pytest

from benchmarks.runs import Figures, Run
from benchmarks.search import Axis, held_out, tune

START = Run("adam", {"rate": None, "inputs": "unit"}, part="validation")
RATE = Axis("rate", (1.0, 2.0, 4.0), ladder=True)
INPUTS = Axis("inputs", ("unit", "rms"))


class Landscape:
    """Stands in for a ledger: a valley at 32, or at 16 for the other inputs, which is deeper."""

    def __init__(self):
        self.seen = []

    def complete(self, runs):
        self.seen += [run.constants for run in runs]

    def __getitem__(self, run):
        rms = run.constants["inputs"] == "rms"
        valley = 16 if rms else 32
        return Figures(held_out=[{"live": 9.0, "averaged": abs(log2(run.constants["rate"] / valley)) - 2 * rms}])


def test_a_ladder_goes_on_while_its_end_is_best():
    landscape = Landscape()
    assert tune(landscape, START, (RATE,), held_out).constants["rate"] == 32
    assert {constants["rate"] for constants in landscape.seen} == {1, 2, 4, 8, 16, 32, 64}


def test_ladders_are_tried_again_after_a_choice():
    assert tune(Landscape(), START, (RATE, INPUTS), held_out).constants == {"rate": 16, "inputs": "rms"}


def test_a_ladder_ends_on_a_plain():
    axis = Axis("rate", (1e-9, 2e-9, 4e-9), ladder=True)
    assert tune(Landscape(), START, (axis,), held_out).constants["rate"] == 1e-9


class Seeded(Landscape):
    """The first seed would have 4, all three together have 8."""

    def __getitem__(self, run):
        best = (4, 16, 8)[run.seed]
        return Figures(held_out=[{"averaged": log2(run.constants["rate"] / best) ** 2}])


def test_the_cost_is_a_mean_over_seeds():
    assert tune(Seeded(), START, (RATE,), held_out).constants["rate"] == 4
    found = tune(Seeded(), START, (RATE,), held_out, seeds=3)
    assert (found.constants["rate"], found.seed) == (8, 0)


def test_the_test_set_is_not_for_tuning():
    with pytest.raises(AssertionError, match="not for tuning"):
        tune(Landscape(), Run("adam", {}), (RATE,), held_out)
