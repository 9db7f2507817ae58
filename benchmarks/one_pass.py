"""MNIST once through, every frame predicted before it is learned: ffstream beside backpropagation and other libraries.

``python -m benchmarks.one_pass --data FOLDER`` (or ``make bench-one-pass``). Constants of the competitors are tuned for each
width at micro-batches of 100 on the last 10,000 training images, once for the prequential error and once for the error held
out; ffstream has the library's defaults. The test set is read with the chosen settings only.
"""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import competitors
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import MARKS, Figures, Run

PREQUENTIAL_TARGET = 0.90
TEST_TARGET = 1.00
"""ffstream's error, phases 10:10, as a share of the best backpropagation's."""

PHASES = {"ffstream 10:10": 10, "ffstream 30:30": 30, "ffstream 1:1": 1}
HEADLINE = "ffstream 10:10"

HEADER = ["learner", *(f"{mark // 1000}k" for mark in MARKS), "prequential", "test", "seconds"]


@dataclass(frozen=True)
class Row:
    """A line of the table: one setting of one learner, by its seeds."""

    name: str
    figures: list[Figures]

    @property
    def prequential(self) -> dict[str, float]:
        """Mean error over the seeds, by way of reading."""
        return _means([each.prequential for each in self.figures])

    @property
    def test(self) -> dict[str, float]:
        """Mean error over the seeds, by way of reading."""
        return _means([each.held_out[-1] for each in self.figures])

    def after(self, mark: int) -> float | None:
        """Mean prequential error so far after ``mark`` frames, by the better way of reading; None when it saw fewer."""
        curve = _means([each.curve[_least(self.prequential)] for each in self.figures])
        return curve.get(str(mark))

    def cells(self) -> list[str]:
        """Of the table."""
        errors = [self.after(mark) for mark in MARKS]
        so_far = [percent(error) if error is not None else "" for error in errors]
        readings = [
            ", ".join(f"{reading} {percent(error)}" for reading, error in each.items())
            for each in (self.prequential, self.test)
        ]
        return [self.name, *so_far, *readings, f"{mean(each.seconds for each in self.figures):.0f}"]


@dataclass(frozen=True)
class Comparison:
    """All learners on one shape. ``readings`` are ffstream's before learning and after it, as validation prefers them."""

    units: tuple[int, ...]
    batch: int
    own: list[Row]
    backprop: list[Row]
    peers: list[Row]
    readings: tuple[str, str]
    without: tuple[str, ...] = ()

    @property
    def headline(self) -> Row:
        """The row that the targets speak of."""
        return next(row for row in self.own if row.name == HEADLINE)

    @property
    def best_prequential(self) -> Row:
        """The backpropagation whose prequential error is least."""
        return min(self.backprop, key=lambda row: min(row.prequential.values()))

    @property
    def best_test(self) -> Row:
        """The backpropagation whose test error is least."""
        return min(self.backprop, key=lambda row: min(row.test.values()))

    @property
    def value(self) -> float:
        """ffstream's prequential error as a share of the best backpropagation's."""
        return self.headline.prequential[self.readings[0]] / min(self.best_prequential.prequential.values())

    @property
    def test_value(self) -> float:
        """ffstream's test error as a share of the best backpropagation's."""
        return self.headline.test[self.readings[1]] / min(self.best_test.test.values())


def compare(
    ledger: Ledger, units: tuple[int, ...], narrow: tuple[int, ...], batch: int, seeds: range, without: tuple[str, ...] = ()
) -> Comparison:
    """Tune, then measure all learners on one shape but for steppers ``without``; tuning starts at the widths ``narrow``."""
    own = {name: Run("ffstream", {"phase": phase}, units) for name, phase in PHASES.items()}
    validation = replace(own[HEADLINE], batch=batch, part="validation")
    ledger.complete([validation])
    backprop, peers = competitors.backprop(ledger, units, narrow, without), competitors.peers(ledger, units)

    def rows(runs: dict[str, Run]) -> list[Row]:
        measured = {name: [replace(run, part="test", batch=batch, seed=seed) for seed in seeds] for name, run in runs.items()}
        ledger.complete(itertools.chain(*measured.values()))
        return [Row(name, [ledger[run] for run in each]) for name, each in measured.items()]

    readings = (_least(ledger[validation].prequential), _least(ledger[validation].held_out[-1]))
    return Comparison(units, batch, rows(own), rows(backprop), rows(peers), readings, without)


def report(results: Path, found: Comparison, seeds: int) -> None:
    """Table and plot of one shape."""
    widths = "-".join(map(str, found.units))
    title = f"784-{widths}, micro-batches of {found.batch}, means of {seeds} seeds"
    if found.without:
        title += f"; without {', '.join(found.without)}"
    rows = [*found.own, *found.backprop, *found.peers]
    said = (
        f"Best backpropagation, prequential: {found.best_prequential.name}.\n\n"
        f"Best backpropagation, test: {found.best_test.name}.\n\n"
        f"{HEADLINE}, read by {found.readings[0]} and by {found.readings[1]}, over these: {found.value:.3f} prequential "
        f"(target {PREQUENTIAL_TARGET}), {found.test_value:.3f} test (target {TEST_TARGET}).\n"
    )
    name = f"one_pass-{widths}-batch{found.batch}"
    lines = table(HEADER, (row.cells() for row in rows))
    write(results / f"{name}.md", f"# One pass\n\n{title}; errors in %, so far and of the whole pass\n\n{lines}\n{said}")
    shown = [*found.own, *found.peers, found.best_prequential, found.best_test]
    plot(results / f"{name}.png", lambda axes: _draw(axes, shown, title))


def _draw(axes: Any, rows: list[Row], title: str) -> None:
    for row in rows:
        errors = {mark: error for mark in MARKS if (error := row.after(mark)) is not None}
        style = "-" if row.name.startswith("ffstream") else "--"
        axes.plot(errors.keys(), [100 * error for error in errors.values()], style, marker="o", label=row.name)
    axes.set(xscale="log", yscale="log", xlabel="frames", ylabel="prequential error so far, %", title=title)
    axes.legend(fontsize=7, loc="lower left")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3, which="both")


def _means(errors: list[dict[str, float]]) -> dict[str, float]:
    return {name: mean(each[name] for each in errors) for name in errors[0]}


def _least(errors: dict[str, float]) -> str:
    return min(errors, key=lambda name: errors[name])


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.add_argument("--units", nargs="*", default=["500,500,500", "1000,1000,1000"], help="shapes, the narrowest first")
    parser.add_argument("--batch", nargs="*", type=int, default=[100, 128])
    parser.add_argument("--without", nargs="*", default=[], choices=competitors.STEPPERS, help="steppers that take too long")
    given = parser.parse_args()

    ledger = Ledger(given.results / "one_pass.jsonl", given.data, workers=given.workers, fresh=given.fresh)
    shapes = [tuple(int(width) for width in units.split(",")) for units in given.units]
    found = []
    for units, batch in itertools.product(shapes, given.batch):
        found.append(compare(ledger, units, shapes[0], batch, range(given.seeds), tuple(given.without)))
        report(given.results, found[-1], given.seeds)
    value, test_value = max(each.value for each in found), max(each.test_value for each in found)
    verdict(
        "one-pass",
        value=value,
        target=PREQUENTIAL_TARGET,
        met=value <= PREQUENTIAL_TARGET and test_value <= TEST_TARGET and not given.without,
        test_value=test_value,
        test_target=TEST_TARGET,
        shapes=[[*each.units, each.batch, round(each.value, 4), round(each.test_value, 4)] for each in found],
    )


if __name__ == "__main__":
    main()
