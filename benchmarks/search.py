"""Tuning: a search along one constant after another, on validation data only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from benchmarks.ledger import Ledger
from benchmarks.runs import Figures, Run

Cost = Callable[[Figures], float]


@dataclass(frozen=True)
class Axis:
    """A constant and the values to try.

    Args:
        name: of the constant.
        values: for a ladder, ascending by a constant factor.
        ladder: whether to go on beyond the first or last value for as long as the best one lies there.
    """

    name: str
    values: tuple[Any, ...]
    ladder: bool = False


def prequential(figures: Figures) -> float:
    """Error of predictions made before learning, by the better way of reading."""
    return min(figures.prequential.values())


def held_out(figures: Figures) -> float:
    """Error on the held-out part after the last pass, by the best way of reading."""
    return min(figures.held_out[-1].values())


def tune(ledger: Ledger, run: Run, axes: Sequence[Axis], cost: Cost, seeds: int = 1) -> Run:
    """The run with the constants that cost least.

    Every axis is tried in turn from the best so far; when a later one has changed anything, the ladders are tried again
    around their best values.

    Args:
        ledger: where runs are measured and recorded.
        run: on validation data, with the constants to start from.
        axes: in the order in which they are tried.
        cost: of a run's figures; the least is best.
        seeds: over which the cost is a mean, from the run's own on.
    """
    assert run.part == "validation", "the test set is not for tuning"
    for axis in axes:
        run = _along(ledger, run, axis, cost, seeds)
    for axis in axes if len(axes) > 1 else ():
        if axis.ladder:
            factor, best = axis.values[1] / axis.values[0], run.constants[axis.name]
            run = _along(ledger, run, replace(axis, values=tuple(_step(best, factor, n) for n in (-1, 0, 1))), cost, seeds)
    return run


def _along(ledger: Ledger, run: Run, axis: Axis, cost: Cost, seeds: int) -> Run:
    values = list(axis.values)
    while True:
        tried = {value: replace(run, constants={**run.constants, axis.name: value}) for value in values}
        repeats = {value: [replace(each, seed=run.seed + n) for n in range(seeds)] for value, each in tried.items()}
        ledger.complete(repeat for each in repeats.values() for repeat in each)
        costs = [mean(cost(ledger[repeat]) for repeat in repeats[value]) for value in values]
        beyond = _beyond(values, costs) if axis.ladder else None
        if beyond is None:
            return tried[values[costs.index(min(costs))]]
        values = sorted([*values, beyond])


def _beyond(values: list[float], costs: list[float]) -> float | None:
    """The next value outside an ascending ladder, when the first or the last costs less than all others."""
    factor = values[1] / values[0]
    if costs[0] < min(costs[1:]):
        return _step(values[0], factor, -1)
    return _step(values[-1], factor, 1) if costs[-1] < min(costs[:-1]) else None


def _step(value: float, factor: float, steps: int) -> float:
    """``value * factor^steps`` to four digits, so that the same value is not met twice in two spellings."""
    return float(f"{value * factor**steps:.4g}")
