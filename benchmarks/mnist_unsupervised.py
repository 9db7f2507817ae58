"""The paper's section 3.2: layers that learn from frames and hybrids of frames, and a softmax that learns from labels.

``python -m benchmarks.mnist_unsupervised --data FOLDER`` (or ``make bench-mnist-unsupervised``). No layer sees a label: wake
brings the frames as they are, sleep pairs of them mixed by masks of large regions. The readout learns from whatever labels
come: from all, and, for the curve of label efficiency, from 10, 100 and 1,000. As the same frames come again and again, what is
read is averaged over more updates than a stream that may drift could afford. Every constant was chosen on the last 10,000
training images. A run takes long: it leaves a checkpoint after every pass and goes on from it.
"""

from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.passes import draw_curve, draw_target, open_ledger, precise_options
from benchmarks.report import percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run
from ffstream import UNSUPERVISED, UNSUPERVISED_READOUT

TARGET = 1.37
"""Test error in percent with all labels (the paper's: 2000 units a layer, 100 epochs, a softmax on the last three layers)."""

UNITS = (2000, 2000, 2000, 2000)
PASSES = 10
SEEDS = 1
LABELS = (10, 100, 1000)
"""Frames with a label, beside all; the layers learn from every frame."""

CONSTANTS = {
    "phase": 10,
    "negatives": "hybrid_frames",
    "goodness": UNSUPERVISED.goodness,
    "sharpness": UNSUPERVISED.sharpness,
    "rate": UNSUPERVISED.rate,
    "readout": {"smoothing": UNSUPERVISED_READOUT.smoothing, "joint": True},
    "average_span": 2000,
}

READING = "one_pass"


def error(figures: list[Figures]) -> float:
    """Share of frames held out that are wrong after the last pass: mean over the seeds."""
    return mean(each.held_out[-1][READING] for each in figures)


def report(results: Path, by_labels: dict[str, list[Figures]], name: str, title: str) -> None:
    """Table and learning curves."""
    rows = [
        [labels, percent(error(figures)), f"{mean(each.seconds for each in figures) / 3600:.2f}"]
        for labels, figures in by_labels.items()
    ]
    header = ["labels", "error held out, %", "hours"]
    write(results / f"{name}.md", f"# MNIST, unsupervised\n\n{title}\n\n{table(header, rows)}")
    plot(results / f"{name}.png", lambda axes: _draw_curves(axes, by_labels, title))


def _draw_curves(axes: Any, by_labels: dict[str, list[Figures]], title: str) -> None:
    for labels, figures in by_labels.items():
        draw_curve(axes, figures[0].looks, READING, label=f"{labels} labels")
    axes.set_yscale("log")
    draw_target(axes, TARGET, "Hinton 2022, 100 epochs, all labels", title)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = precise_options(__doc__, PASSES)
    parser.set_defaults(seeds=SEEDS)
    parser.add_argument("--units", default=",".join(map(str, UNITS)), help="widths, like 2000,2000,2000,2000")
    parser.add_argument("--labels", nargs="*", type=int, default=list(LABELS), help="frames with a label, beside all")
    given = parser.parse_args()

    ledger = open_ledger(given, "mnist_unsupervised")
    units = tuple(int(width) for width in given.units.split(","))
    told: dict[str, dict[str, int]] = {"all": {}} | {
        f"{count:,}": {"labels": count} for count in sorted(given.labels, reverse=True)
    }
    constants = CONSTANTS | {"precision": given.precision}
    runs = {
        name: [Run("ffstream", constants | some, units, 100, seed, given.part, given.passes) for seed in range(given.seeds)]
        for name, some in told.items()
    }
    for each in runs.values():
        ledger.complete(each)

    widths = "-".join(map(str, units))
    title = f"784-{widths}, {given.passes} passes, {given.part}, {given.precision}, means of {given.seeds} seeds"
    by_labels = {name: [ledger[run] for run in each] for name, each in runs.items()}
    report(given.results, by_labels, f"mnist_unsupervised-{widths}-{given.part}", title)
    value = 100 * error(by_labels["all"])
    verdict(
        "mnist-unsupervised",
        value=value,
        target=TARGET,
        met=value <= TARGET and given.part == "test",
        passes=given.passes,
        seeds=given.seeds,
        **{f"labels_{count}": 100 * error(by_labels[f"{count:,}"]) for count in given.labels},
    )


if __name__ == "__main__":
    main()
