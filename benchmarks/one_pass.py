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

from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import MARKS, Figures, Run
from benchmarks.search import Axis, held_out, prequential, tune

PREQUENTIAL_TARGET = 0.90
TEST_TARGET = 1.00
"""ffstream's error, phases 10:10, as a share of the best backpropagation's."""

PHASES = {"ffstream 10:10": 10, "ffstream 30:30": 30, "ffstream 1:1": 1}
HEADLINE = "ffstream 10:10"

SHARED = (Axis("inputs", ("unit", "rms", "standard")), Axis("start", ("torch", "he")))
RATES = {
    "adam": (Axis("rate", (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3), ladder=True), *SHARED),
    "sgd": (Axis("rate", (0.0125, 0.025, 0.05, 0.1, 0.2), ladder=True), *SHARED),
    "muon": (
        Axis("rate", (0.0025, 0.005, 0.01, 0.02, 0.04), ladder=True),
        Axis("adam_rate", (5e-4, 1e-3, 2e-3, 4e-3), ladder=True),
        *SHARED,
        Axis("weight_decay", (0.0, 0.1, 0.3)),
    ),
}
"""Backpropagation's steppers and what is tuned of each."""

FIRST = {"rate": None, "inputs": "unit", "start": "torch"}
MORE = {"muon": {"adam_rate": 2e-3, "weight_decay": 0.0}}

PEERS = {
    "sklearn MLPClassifier": (Axis("rate", (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3), ladder=True),),
    "sklearn SGDClassifier": (Axis("rate", (1e-3, 3e-3, 1e-2, 3e-2, 0.1), ladder=True), Axis("average", (False, True))),
    "vowpal wabbit": (Axis("rate", (0.03, 0.06, 0.12, 0.25, 0.5), ladder=True),),
    "river": (Axis("rate", (0.0025, 0.005, 0.01, 0.02, 0.04), ladder=True),),
}
LINEAR = ("sklearn SGDClassifier", "vowpal wabbit", "river")
"""Models without hidden layers: measured once for all widths."""

RIVER_FRAMES = 10_000
"""River learns a few hundred frames a second: the first frames have to do."""


@dataclass(frozen=True)
class Row:
    """A line of the table: one setting of one learner, by its seeds."""

    name: str
    figures: list[Figures]

    def prequential(self) -> dict[str, float]:
        """Mean error over the seeds, by way of reading."""
        return {reading: mean(each.prequential[reading] for each in self.figures) for reading in self.figures[0].prequential}

    def test(self) -> dict[str, float]:
        """Mean error over the seeds, by way of reading."""
        return {reading: mean(each.held_out[-1][reading] for each in self.figures) for reading in self.figures[0].held_out[-1]}

    def after(self, mark: int) -> float | None:
        """Mean prequential error so far after ``mark`` frames, by the better way of reading; None when it saw fewer."""
        readings = self.prequential()
        best = min(readings, key=lambda reading: readings[reading])
        curves = [each.curve[best] for each in self.figures]
        return mean(curve[str(mark)] for curve in curves) if str(mark) in curves[0] else None

    def cells(self) -> list[str]:
        """Of the table."""
        errors = [self.after(mark) for mark in MARKS]
        so_far = [percent(error) if error is not None else "" for error in errors]
        seconds = f"{mean(each.seconds for each in self.figures):.0f}"
        return [self.name, *so_far, by_reading(self.prequential()), by_reading(self.test()), seconds]


def by_reading(errors: dict[str, float]) -> str:
    """All errors in one cell."""
    return ", ".join(f"{reading} {percent(error)}" for reading, error in errors.items())


HEADER = ["learner", *(f"{mark // 1000}k" for mark in MARKS), "prequential", "test", "seconds"]


def tuned_backprop(ledger: Ledger, units: tuple[int, ...]) -> dict[str, Run]:
    """For each stepper and decay, the best setting by the prequential error and by the error held out."""
    chosen = {}
    for stepper, decay in itertools.product(RATES, ("constant", "linear")):
        constants = FIRST | MORE.get(stepper, {}) | {"decay": decay}
        run = Run(stepper, constants, units, part="validation")
        for cost in (prequential, held_out):
            best = tune(ledger, run, RATES[stepper], cost)
            chosen[f"{stepper}, {decay} rate, tuned for {cost.__name__}: {_spelt(best)}"] = best
    return chosen


def tuned_peers(ledger: Ledger, units: tuple[int, ...]) -> dict[str, Run]:
    """Other libraries, each with the setting of the best prequential error."""
    chosen = {}
    for name, axes in PEERS.items():
        constants = {axis.name: axis.values[0] for axis in axes}
        widths = () if name in LINEAR else units
        frames = RIVER_FRAMES if name == "river" else None
        best = tune(ledger, Run(name, constants, widths, part="validation", frames=frames), axes, prequential)
        chosen[f"{name}: {_spelt(best)}" + (f", {frames} frames" if frames else "")] = best
    return chosen


def _spelt(run: Run) -> str:
    return ", ".join(f"{name} {value}" for name, value in run.constants.items() if name != "decay")


def measure(ledger: Ledger, results: Path, units: tuple[int, ...], batch: int, seeds: range) -> dict[str, float]:
    """All learners on one shape; writes its table and plot, returns the two ratios."""
    own = {name: Run("ffstream", {"phase": phase}, units, batch) for name, phase in PHASES.items()}
    backprop, peers = tuned_backprop(ledger, units), tuned_peers(ledger, units)
    runs = {name: _on_test(run, batch, seeds) for name, run in (own | backprop | peers).items()}
    by_validation = replace(own[HEADLINE], part="validation")
    ledger.complete([by_validation, *itertools.chain(*runs.values())])
    rows = {name: Row(name, [ledger[run] for run in each]) for name, each in runs.items()}

    before, after = _best_readings(ledger[by_validation])
    best_prequential = min((rows[name] for name in backprop), key=lambda row: min(row.prequential().values()))
    best_test = min((rows[name] for name in backprop), key=lambda row: min(row.test().values()))
    ratios = {
        "value": rows[HEADLINE].prequential()[before] / min(best_prequential.prequential().values()),
        "test_value": rows[HEADLINE].test()[after] / min(best_test.test().values()),
    }
    title = f"784-{'-'.join(map(str, units))}, micro-batches of {batch}, means of {len(seeds)} seeds, errors in %"
    said = (
        f"Best backpropagation, prequential: {best_prequential.name}.\nBest backpropagation, test: {best_test.name}.\n"
        f"{HEADLINE} (read by {before}, then by {after}, as validation has it) over these: {ratios['value']:.3f} prequential "
        f"(target {PREQUENTIAL_TARGET}), {ratios['test_value']:.3f} test (target {TEST_TARGET}).\n"
    )
    name = f"one_pass-{'-'.join(map(str, units))}-batch{batch}"
    write(results / f"{name}.md", f"# One pass\n\n{title}\n\n{table(HEADER, (row.cells() for row in rows.values()))}\n{said}")
    shown = [rows[each] for each in (*own, *peers)] + [best_prequential, best_test]
    plot(results / f"{name}.png", lambda axes: _draw(axes, shown, title))
    return ratios


def _best_readings(validation: Figures) -> tuple[str, str]:
    """The ways of reading that are best before learning and after the last pass."""
    before, after = validation.prequential, validation.held_out[-1]
    return min(before, key=lambda reading: before[reading]), min(after, key=lambda reading: after[reading])


def _on_test(run: Run, batch: int, seeds: range) -> list[Run]:
    return [replace(run, part="test", batch=batch, seed=seed) for seed in seeds]


def _draw(axes: Any, rows: list[Row], title: str) -> None:
    for row in rows:
        errors = {mark: error for mark in MARKS if (error := row.after(mark)) is not None}
        style = "-" if row.name.startswith("ffstream") else "--"
        axes.plot(errors.keys(), [100 * error for error in errors.values()], style, marker="o", label=row.name)
    axes.set(xscale="log", yscale="log", xlabel="frames", ylabel="prequential error so far, %", title=title)
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3, which="both")


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.add_argument("--units", nargs="*", default=["500,500,500", "1000,1000,1000"])
    parser.add_argument("--batch", nargs="*", type=int, default=[100, 128])
    given = parser.parse_args()

    ledger = Ledger(given.results / "one_pass.jsonl", given.data, workers=given.workers, fresh=given.fresh)
    ratios = {}
    for units, batch in itertools.product(given.units, given.batch):
        widths = tuple(int(width) for width in units.split(","))
        ratios[f"{units}, batch {batch}"] = measure(ledger, given.results, widths, batch, range(given.seeds))
    value = max(each["value"] for each in ratios.values())
    test_value = max(each["test_value"] for each in ratios.values())
    verdict(
        "one-pass",
        value=value,
        target=PREQUENTIAL_TARGET,
        met=value <= PREQUENTIAL_TARGET and test_value <= TEST_TARGET,
        test_value=test_value,
        test_target=TEST_TARGET,
        shapes={shape: {name: round(ratio, 4) for name, ratio in each.items()} for shape, each in ratios.items()},
    )


if __name__ == "__main__":
    main()
