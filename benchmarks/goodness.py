"""Which goodness, which activation: the questions of the paper's section 9, in one table.

``python -m benchmarks.goodness --data FOLDER`` (or ``make bench-goodness``). One pass over MNIST in phases of 10:10
micro-batches of 100, 784-500-500-500, three seeds. Rate and sharpness of every row are tuned over the same few values, by the
error by goodness on the last 10,000 training images after 10,000 others; everything else is the library's default.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean, pstdev
from typing import Any, NamedTuple

import numpy as np

from benchmarks.learners import Frames, Labels, make_learner
from benchmarks.learners.forward_forward import ForwardForward
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run, at_marks, errors_of, part_of
from benchmarks.search import Axis, tune
from ffstream import Method

PHASE = 10
TUNED_ON = 10_000
"""Frames after which constants are compared."""

TUNED = (Axis("rate", (0.15, 0.3, 0.6)), Axis("sharpness", (25.0, 60.0)))

READINGS = ("one_pass", "goodness", "shortlist")

DEFAULT = "opponent squares, ReLU"
"""What the library has where nothing else is asked for: detectors and violated constraints that decide together."""

TARGET = 1.0
"""Of the least error of all other rows, by goodness: what the default may have at most."""

ROWS: dict[str, dict[str, Any]] = {
    "squares up, ReLU": {"goodness": "mean_of_squares"},
    "squares down, ReLU": {"goodness": "negative_mean_of_squares"},
    "activities down, ReLU": {"goodness": "negative_mean_of_activities"},
    DEFAULT: {"goodness": "opponent_squares"},
    "activities down, Student's t": {"goodness": "negative_mean_of_activities", "activation": "student_t"},
    "detectors and constraints, each deciding, ReLU": {"goodness": "detectors_and_constraints", "blocks": 2},
    "opponent squares, Student's t": {"goodness": "opponent_squares", "activation": "student_t"},
}
"""Constants by what a layer does for positives, and the activation."""


class Row(NamedTuple):
    """What three seeds of one choice came to."""

    constants: dict[str, Any]
    figures: list[Figures]

    def mean_of(self, reading: str) -> float:
        """Test error after the last frame."""
        return mean(each.held_out[-1][reading] for each in self.figures)


def stream_once(run: Run, data: str) -> Figures:
    """One pass, predicted by the stream itself only; read at the end by all methods, and by goodness alone to tune."""
    frames = part_of(data, run.part)
    learner = make_learner(run.learner, run, frames.inputs, frames.classes, 0)
    assert isinstance(learner, ForwardForward)
    order = frames.order(1, run.seed)[: run.frames]
    figures, began = Figures(), time.perf_counter()
    learned = learner.stream.feed(frames.x[order], frames.y[order])
    learner.rest()
    figures.seconds = time.perf_counter() - began
    wrong = np.concatenate([outcome.logits.argmax(dim=1).numpy() for outcome in learned]) != frames.y[order]
    figures.prequential["live"] = float(wrong.mean())
    figures.curve["live"] = at_marks(wrong)
    figures.held_out.append(errors_of(_read(learner, frames.x_held, run.part), frames.y_held))
    return figures


def _read(learner: ForwardForward, frames: Frames, part: str) -> dict[str, Labels]:
    if part == "test":
        return learner.read(frames)
    found = [learner.stream.classify(each, Method.GOODNESS).labels.numpy() for each in np.array_split(frames, 10)]
    return {Method.GOODNESS.value: np.concatenate(found)}


def by_goodness(figures: Figures) -> float:
    """Held-out error by goodness."""
    return figures.held_out[-1]["goodness"]


def measured(ledger: Ledger, chosen: dict[str, Any], seeds: range, frames: int | None, tuned: Sequence[Axis] = TUNED) -> Row:
    """Tune a choice, then measure it on the test set, after ``frames`` of the pass or all."""
    start = Run("ffstream", {"phase": PHASE, "rate": 0.3, "sharpness": 25.0} | chosen, (500, 500, 500))
    best = tune(ledger, replace(start, part="validation", frames=TUNED_ON), tuned, by_goodness)
    runs = [replace(start, constants=best.constants, seed=seed, frames=frames) for seed in seeds]
    ledger.complete(runs)
    return Row(dict(best.constants), [ledger[run] for run in runs])


def cells(name: str, row: Row) -> list[str]:
    """A row of the table."""
    held = [f"{percent(row.mean_of(reading))} ({100 * _spread(row, reading):.2f})" for reading in READINGS]
    live = [percent(mean(each.curve["live"][mark] for each in row.figures)) for mark in ("3000", "10000")]
    live.append(percent(mean(each.prequential["live"] for each in row.figures)))
    seconds = f"{mean(each.seconds for each in row.figures):.0f}"
    return [name, f"{row.constants['rate']:g}", f"{row.constants['sharpness']:g}", *live, *held, seconds]


HEADER = ["rate", "sharpness", "3k", "10k", "all", *READINGS, "seconds"]


def frame_options(about: str) -> argparse.ArgumentParser:
    """A command line that can stop a pass before its end."""
    parser = options(about)
    parser.add_argument("--frames", type=int, help="of the pass, at least 10,000; all by default")
    return parser


def title_of(given: argparse.Namespace) -> str:
    """What the figures are of."""
    what = f"{given.frames:,} frames" if given.frames else "one pass"
    seeds = "one seed" if given.seeds == 1 else f"means of {given.seeds} seeds"
    return f"784-500-500-500, {what}, phases of 10:10, {seeds}"


def label_axes(axes: Any, x: str, y: str, title: str) -> None:
    """Two logarithmic axes, in plain numbers."""
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y, title=title)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3, which="both")


def _spread(row: Row, reading: str) -> float:
    return pstdev(each.held_out[-1][reading] for each in row.figures)


def _draw(axes: Any, found: dict[str, Row], title: str) -> None:
    for colour, (name, row) in enumerate(found.items()):
        marks = [int(mark) for mark in row.figures[0].curve["live"]]
        errors = [100 * mean(each.curve["live"][str(mark)] for each in row.figures) for mark in marks]
        label = f"{name}: {percent(row.mean_of('goodness'))} % by goodness in the end"
        axes.plot(marks, errors, "-" if name.endswith("ReLU") else "--", color=f"C{colour % 10}", marker=".", label=label)
    label_axes(axes, "frames", "wrong before learning, so far, %", title)


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = frame_options(__doc__)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS), help="beside the default's")
    given = parser.parse_args()
    ledger = Ledger(given.results / "goodness.jsonl", given.data, workers=given.workers, fresh=given.fresh, measure=stream_once)
    chosen = {name: constants for name, constants in ROWS.items() if name in (DEFAULT, *given.rows)}
    found = {name: measured(ledger, constants, range(given.seeds), given.frames) for name, constants in chosen.items()}
    title = title_of(given)
    about = f"{title} (and their standard deviation); errors in %, so far and on the test set"
    rows = table(["for positives", *HEADER], [cells(name, row) for name, row in found.items()])
    write(given.results / "goodness.md", f"# Goodness and activation\n\n{about}\n\n{rows}")
    plot(given.results / "goodness.png", lambda axes: _draw(axes, found, title))
    errors = {name: 100 * row.mean_of("goodness") for name, row in found.items()}
    default = errors[DEFAULT]
    value = default / min(error for name, error in errors.items() if name != DEFAULT)
    verdict(
        "goodness",
        value=value,
        target=TARGET,
        met=value <= TARGET and len(found) == len(ROWS),
        default=default,
        errors={name: round(error, 2) for name, error in errors.items()},
    )


if __name__ == "__main__":
    main()
