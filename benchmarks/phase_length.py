"""How long wake and sleep may be: test accuracy against the length of a phase, sleep being negatives only.

``python -m benchmarks.phase_length --data FOLDER`` (or ``make bench-phase-length``). A phase of n is n micro-batches of 100
awake and as many asleep. ffstream has the library's defaults, once with negatives only and once with cycles: 5 batches of
replayed positives before 5 of negatives, which is twice the sleep. The rates of the plain rule and of Adam are tuned for every
phase length, by goodness after one pass on the last 10,000 training images. The floor is a network whose layers do not move
while its readout learns. ``--phases 6000 --passes 10 --curves ffstream`` is ten passes awake before the first sleep, alone.
"""

from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run
from benchmarks.search import Axis, tune

PHASES = (1, 3, 10, 30, 100, 300, 600)
PASSES = 5
OURS = "ffstream"
VARIANTS: dict[str, dict[str, Any]] = {OURS: {}, "ffstream-cycles": {"cycle": 5}, "ffstream-enough": {"enough": 0.3}}
"""Curves of the library's own rule, with the constants that they add to its defaults."""

READINGS = ("goodness", "one_pass")

LOSS_TARGET = 0.5
"""Points of test accuracy, by goodness after five passes, that phases of 100 may lose against phases of 1."""

LONG_TARGET = 97.0
"""Test accuracy in percent, by goodness after five passes, that phases of 600 have to reach."""

PUBLISHED = {1: 89, 4: 81, 8: 63, 16: 35, 32: 11}
"""Accuracy in percent by phase length: Lica and Dinucu-Jianu 2023, arXiv:2310.18647."""

RATES = {
    "plain": Axis("rate", (0.0025, 0.005, 0.01, 0.02, 0.04), ladder=True),
    "adam": Axis("rate", (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3), ladder=True),
}
"""What is tuned of the rules that ffstream's is compared with."""

STILL = {"rule": "plain", "rate": 1e-12, "phase": 1}
"""Constants of layers that do not move."""

Curve = dict[int, list[dict[str, float]]]
"""By phase length and pass: mean test accuracy in percent, by way of reading."""


def by_goodness(figures: Figures) -> float:
    """Held-out error by goodness after the last pass."""
    return figures.held_out[-1]["goodness"]


def tuned(ledger: Ledger, run: Run, rule: str) -> Run:
    """Another rule at the phase length of ``run``, its rate tuned in one pass."""
    constants = {"rule": rule, "phase": run.constants["phase"], "rate": None}
    best = tune(ledger, replace(run, constants=constants, part="validation", passes=1), (RATES[rule],), by_goodness)
    return replace(run, constants=best.constants)


def accuracy(ledger: Ledger, run: Run, seeds: range) -> list[dict[str, float]]:
    """Percent right on the test set after every pass, by way of reading: means over the seeds."""
    runs = [replace(run, seed=seed) for seed in seeds]
    ledger.complete(runs)
    by_pass = zip(*(ledger[each].held_out for each in runs), strict=True)
    return [{reading: 100 * (1 - mean(errors[reading] for errors in each)) for reading in READINGS} for each in by_pass]


def curves(ledger: Ledger, run: Run, names: list[str], phases: list[int], seeds: range) -> dict[str, Curve]:
    """Accuracy against phase length, by the name of a variant or of another rule."""
    found: dict[str, Curve] = {name: {} for name in names}
    for name, curve in found.items():
        for phase in phases:
            each = replace(run, constants={"phase": phase} | VARIANTS.get(name, {}))
            curve[phase] = accuracy(ledger, each if name in VARIANTS else tuned(ledger, each, name), seeds)
    return found


def report(results: Path, found: dict[str, Curve], floor: list[dict[str, float]] | None, number: int, title: str) -> None:
    """Table and plot of what is right after pass ``number``."""
    passes = "1 pass" if number == 1 else f"{number} passes"
    phases = list(next(iter(found.values())))
    rows = [
        [f"{name}, {reading}", *(percent(curve[phase][number - 1][reading] / 100) for phase in phases)]
        for name, curve in found.items()
        for reading in READINGS
    ]
    still = floor[number - 1]["one_pass"] if floor else None
    if still is not None:
        rows.append(["fixed random layers, one_pass", *[percent(still / 100)] * len(phases)])
    name = f"phase_length-{passes.replace(' ', '-')}"
    header = [f"right after {passes}, %", *(f"{phase}:{phase}" for phase in phases)]
    write(results / f"{name}.md", f"# Phase length\n\n{title}\n\n{table(header, rows)}")
    plot(results / f"{name}.png", lambda axes: _draw(axes, found, still, number, f"{title}, {passes}"))


def _draw(axes: Any, found: dict[str, Curve], floor: float | None, number: int, title: str) -> None:
    for colour, (name, curve) in enumerate(found.items()):
        for style, reading in zip(("-", "--"), READINGS, strict=True):
            right = [each[number - 1][reading] for each in curve.values()]
            axes.plot(curve.keys(), right, style, color=f"C{colour}", marker="o", label=f"{name}, {reading}")
    axes.plot(PUBLISHED.keys(), PUBLISHED.values(), ":", color="gray", marker="s", label="Lica and Dinucu-Jianu 2023")
    if floor is not None:
        axes.axhline(floor, color="black", linewidth=0.8, label="fixed random layers, one_pass")
    axes.set(xscale="log", xlabel="phase length, micro-batches of 100", ylabel="right on the test set, %", title=title)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.add_argument("--phases", nargs="*", type=int, default=list(PHASES))
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--curves", nargs="*", choices=[*VARIANTS, *RATES], default=[*VARIANTS, *RATES], help="beside ffstream")
    given = parser.parse_args()

    ledger = Ledger(given.results / "phase_length.jsonl", given.data, workers=given.workers, fresh=given.fresh)
    seeds = range(given.seeds)
    run = Run("ffstream", {}, (500, 500, 500), batch=100, passes=given.passes)
    short = max(given.phases) <= PHASES[-1]
    floor = accuracy(ledger, replace(run, constants=STILL), seeds) if short else None
    names = [OURS, *(name for name in given.curves if name != OURS)]
    found = curves(ledger, run, names, given.phases, seeds)
    title = f"784-500-500-500, means of {given.seeds} seeds"
    for number in sorted({1, given.passes}) if short else [given.passes]:
        report(given.results, found, floor, number, title)
    ours = {phase: by_pass[-1]["goodness"] for phase, by_pass in found[OURS].items()}
    shortest, long, longest = (min(ours, key=lambda phase: abs(phase - wanted)) for wanted in (1, 100, 600))
    loss = ours[shortest] - ours[long]
    whole = (shortest, long, longest) == (1, 100, 600) and given.passes >= PASSES
    verdict(
        "phase-length",
        value=loss,
        target=LOSS_TARGET,
        met=whole and loss <= LOSS_TARGET and ours[longest] >= LONG_TARGET,
        compared=[shortest, long],
        longest=longest,
        longest_value=ours[longest],
        longest_target=LONG_TARGET,
        passes=given.passes,
    )


if __name__ == "__main__":
    main()
