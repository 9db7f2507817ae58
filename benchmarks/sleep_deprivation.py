"""What is lost without sleep, and what comes back with it.

``python -m benchmarks.sleep_deprivation --data FOLDER`` (or ``make bench-sleep-deprivation``). One pass over MNIST in phases of
10:10 micro-batches of 100. After a third of it sleep stops for another third; then all the sleep that is owed comes at
once, and the last third is as the first. Beside it the same stream with its sleep undisturbed. With ``--days 10`` it is ten
whole passes, 6,000 micro-batches, that go without sleep, between a first and a last one as usual.
"""

import sys
import time
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.learners.forward_forward import ForwardForward, network_config
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run, errors_of, part_of
from ffstream import Schedule
from ffstream.datasets import Dataset

PHASE = 10
LOOK_EVERY, LOOK_DAILY = 4_000, 60_000
"""Frames between two looks at the test set, and where whole days go without sleep."""

TARGET = 0.5
"""Points of test error, by goodness at the end of the stream, that the deprivation may have cost."""

STREAMS = {"deprived": True, "undisturbed": False}


def deprive(run: Run, data: str) -> Figures:
    """One stream, read on the way: ``looks`` hold frames, dreams and the errors by way of reading."""
    frames = part_of(data, run.part)
    learner = ForwardForward(network_config(run.constants, run, frames.inputs, frames.classes), run.constants["phase"])
    figures, began = Figures(), time.perf_counter()
    order = frames.order(run.passes, run.seed)
    third = len(order) // 3 if run.passes == 1 else len(order) // run.passes
    for number, rows in enumerate(np.split(order, [third, len(order) - third])):
        every = LOOK_EVERY if run.passes == 1 else LOOK_DAILY
        if run.constants["awake"] and number == 1:
            _without_sleep(learner, frames, rows, figures, every)
        else:
            _feed(learner, frames, rows, figures, every)
    figures.seconds = time.perf_counter() - began
    figures.held_out.append({name: error for name, error in figures.looks[-1].items() if name not in ("frames", "dreams")})
    return figures


def _without_sleep(learner: ForwardForward, frames: Dataset, rows: Any, figures: Figures, every: int) -> None:
    sequencer = learner.stream.sequencer
    usual, sequencer.schedule = sequencer.schedule, Schedule(every=None, idle=None)
    _feed(learner, frames, rows, figures, every)
    sequencer.schedule = usual
    learner.rest()
    _look(learner, frames, figures)


def _feed(learner: ForwardForward, frames: Dataset, rows: Any, figures: Figures, every: int) -> None:
    for start in range(0, len(rows), every):
        chosen = rows[start : start + every]
        learner.stream.feed(frames.x[chosen], frames.y[chosen])
        _look(learner, frames, figures)


def _look(learner: ForwardForward, frames: Dataset, figures: Figures) -> None:
    progress = learner.stream.progress
    errors = errors_of(learner.read(frames.x_held), frames.y_held)
    figures.looks.append({"frames": progress.frames, "dreams": progress.dreams, **errors})
    so_far = f"{progress.frames} frames, {progress.dreams} dreams"
    print(f"  {so_far}: goodness {errors['goodness']:.2%} wrong", file=sys.stderr, flush=True)


def _mean(looks: list[list[dict[str, float]]]) -> list[dict[str, float]]:
    """Looks of several seeds into one list."""
    return [{name: mean(each[name] for each in at) for name in at[0]} for at in zip(*looks, strict=True)]


def _draw(axes: Any, streams: dict[str, list[dict[str, float]]], title: str) -> None:
    for colour, (name, looks) in enumerate(streams.items()):
        at = [look["frames"] + look["dreams"] for look in looks]
        for style, reading in (("-", "goodness"), ("--", "one_pass")):
            errors = [100 * look[reading] for look in looks]
            axes.plot(at, errors, style, color=f"C{colour}", marker=".", label=f"{name}, {reading}")
    axes.set(yscale="log", xlabel="frames and dreams so far", ylabel="test error, %", title=title)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3, which="both")


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.add_argument("--days", type=int, default=0, help="whole passes without sleep; 0 for a third of one pass")
    given = parser.parse_args()
    ledger = Ledger(
        given.results / "sleep_deprivation.jsonl", given.data, workers=given.workers, fresh=given.fresh, measure=deprive
    )
    streams = {}
    for name, awake in STREAMS.items():
        passes = given.days + 2 if given.days else 1
        run = Run("ffstream", {"phase": PHASE, "awake": awake}, (500, 500, 500), passes=passes)
        runs = [replace(run, seed=seed) for seed in range(given.seeds)]
        ledger.complete(runs)
        streams[name] = _mean([ledger[each].looks for each in runs])
    without = f"{given.days} passes" if given.days else "a third of the stream"
    title = f"784-500-500-500, {without} without sleep, " + (f"means of {given.seeds} seeds" if given.seeds > 1 else "one seed")
    header = ["stream", "frames", "dreams", "one_pass", "goodness", "shortlist"]
    rows = [
        [name, f"{look['frames']:.0f}", f"{look['dreams']:.0f}", *(percent(look[reading]) for reading in header[3:])]
        for name, looks in streams.items()
        for look in looks
    ]
    file = f"sleep_deprivation-{given.days}-days" if given.days else "sleep_deprivation"
    write(given.results / f"{file}.md", f"# Sleep deprivation\n\n{title}; test errors in %\n\n{table(header, rows)}")
    plot(given.results / f"{file}.png", lambda axes: _draw(axes, streams, title))
    deprived, undisturbed = streams["deprived"], streams["undisturbed"]
    value = 100 * (deprived[-1]["goodness"] - undisturbed[-1]["goodness"])
    worst = max(100 * look["goodness"] for look in deprived if look["dreams"] < look["frames"])
    verdict("sleep-deprivation", value=value, target=TARGET, met=value <= TARGET, worst=worst, days=given.days)


if __name__ == "__main__":
    main()
