"""The paper's section 3.2 with local receptive fields and no weight sharing (footnotes 8 and 9), no layer sees a label.

``python -m benchmarks.mnist_local --data FOLDER`` (or ``make bench-mnist-local``). A 4 x 4 grid of fields of 10 x 10 pixels
with 128 channels, a 3 x 3 grid with 220, a 2 x 2 grid with 512; wake brings the frames as they are, sleep pairs of them mixed
by masks of large regions; peer normalization; a linear softmax reads all layers. Constants are those of the dense network
without labels. A run leaves a checkpoint after every pass and goes on from it: one that was asked for fewer passes is the
beginning of one that is asked for more.
"""

from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import mnist_unsupervised
from benchmarks.passes import draw_curve, draw_target, open_ledger, pass_options
from benchmarks.report import percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run
from ffstream import Field, FieldsConfig

TARGET = 1.16
"""Test error in percent (the paper's, after 60 epochs)."""

FIELDS = FieldsConfig(28, 1, (Field(4, 128, 10, 6), Field(3, 220, 2), Field(2, 512, 2)))
PASSES = 60
SEEDS = 1
CONSTANTS = mnist_unsupervised.CONSTANTS | {"fields": FIELDS.to_dict()}

READING = "one_pass"


def report(results: Path, figures: list[Figures], name: str, title: str) -> float:
    """Table and learning curve; returns the error in percent after the last pass, mean over the seeds."""
    rows = [
        [f"{looks[0]['passes']:.0f}", *(percent(mean(look[what] for look in looks)) for what in ("learned", READING))]
        for looks in zip(*(each.looks for each in figures), strict=True)
    ]
    said = f"{title}; {mean(each.seconds for each in figures) / 3600:.2f} hours"
    header = ["passes", "before learning, %", "held out, %"]
    write(results / f"{name}.md", f"# MNIST, unsupervised, local receptive fields\n\n{said}\n\n{table(header, rows)}")
    plot(results / f"{name}.png", lambda axes: _draw_curves(axes, figures, title))
    return 100 * mean(each.looks[-1][READING] for each in figures)


def _draw_curves(axes: Any, figures: list[Figures], title: str) -> None:
    for seed, each in enumerate(figures):
        draw_curve(axes, each.looks, READING, label=f"seed {seed}")
    draw_target(axes, TARGET, "Hinton 2022, 60 epochs", title)


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = pass_options(__doc__, PASSES)
    parser.set_defaults(seeds=SEEDS)
    given = parser.parse_args()

    ledger = open_ledger(given, "mnist_local")
    runs = [Run("ffstream", CONSTANTS, FIELDS.units, 100, seed, given.part, given.passes) for seed in range(given.seeds)]
    ledger.complete(runs)

    title = f"{'-'.join(map(str, FIELDS.units))} units, passes: {given.passes}, {given.part}, seeds: {given.seeds}"
    value = report(given.results, [ledger[run] for run in runs], f"mnist_local-{given.part}", title)
    met = value <= TARGET and given.part == "test"
    verdict("mnist-local", value=value, target=TARGET, met=met, passes=given.passes, seeds=given.seeds)


if __name__ == "__main__":
    main()
