"""A stream that changes: how soon is a learner as good as before?

``python -m benchmarks.drift --data FOLDER`` (or ``make bench-drift``). 20,000 frames of MNIST, of which those after the first
10,000 are of another kind, from one frame to the next or, gradually, with a probability that rises over 5,000: every label
stands for the digit three further on, or every picture lies on its side. ffstream watches for the change and answers as its
setting says; beside it are online backpropagation, plain and with a watch and a forgetting of its own, and River. All are
scored by what they predict before they learn it.
"""

import sys
import time
from dataclasses import replace
from functools import partial
from statistics import mean
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.learners import Frames, Labels, Learner, make_learner
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run, part_of
from benchmarks.search import Axis, prequential, tune
from ffstream.datasets import Dataset
from ffstream.drift import DriftConfig, DriftWatch
from ffstream.masks import side_of

FRAMES, CHANGE, WIDTH = 20_000, 10_000, 5_000
"""Of the stream; before it changes; and through which it changes gradually."""

WINDOW = 500
"""Frames whose mean error says how good a learner is at a time."""

MARGIN = 0.02
"""Share of frames by which a learner may be worse than before the change and counts as recovered."""

TARGET = 0.90
"""ffstream's error from the change on as a share of the best backpropagation's: the mean over all changes."""

CHANGES = ("labels, abrupt", "labels, gradual", "pictures, abrupt", "pictures, gradual")
UNITS = (500, 500, 500)
REACTIONS = (None, "sleep", "forget")
HEADLINE = "ffstream, forget"
PLAIN = {"inputs": "unit", "start": "torch", "decay": "constant", "forget": "nothing"}
RATES = {"adam": (5e-4, 1e-3, 2e-3, 4e-3, 8e-3), "sgd": (0.0125, 0.025, 0.05, 0.1, 0.2)}
AXES = (Axis("inputs", ("unit", "rms", "standard")), Axis("start", ("torch", "he")))
FORGET = Axis("forget", ("nothing", "output", "all"))
RIVER = Axis("rate", (0.0025, 0.005, 0.01, 0.02, 0.04), ladder=True)
"""Of its softmax regression; its adaptive forest takes 14 ms a frame and more."""


class Forgetful(Protocol):
    """A learner that can begin anew."""

    def forget(self, what: str) -> None:
        """Forget a part of what was learned."""
        ...


def stream(data: Dataset, change: str, seed: int) -> tuple[Frames, Labels]:
    """Frames [n, inputs] and labels [n] of a stream that changes as one of :data:`CHANGES` says."""
    rows = data.order(1, seed)[:FRAMES]
    x, y = data.x[rows], data.y[rows]
    what, _, how = change.partition(", ")
    place = np.arange(len(rows)) - CHANGE
    rising = np.clip(place / WIDTH, 0, 1) if how == "gradual" else (place >= 0).astype(float)
    new = np.random.default_rng(seed).random(len(rows)) < rising
    if what == "labels":
        return x, np.where(new, (y + 3) % data.classes, y)
    side = side_of(data.inputs)
    turned = np.rot90(x[new].reshape(-1, side, side), axes=(1, 2)).reshape(-1, data.inputs)
    x = x.copy()
    x[new] = turned
    return x, y


def endure(run: Run, name: str) -> Figures:
    """The errors of a learner on one stream.

    ``prequential`` is the share wrong from the change on, ``curve`` that of every :data:`WINDOW` frames, by way of reading;
    ``held_out`` has the frames, as a share of those after the change, until it is as good as before.
    """
    data = part_of(name, run.part)
    x, y = stream(data, run.constants["change"], run.seed)
    learner = make_learner(run.learner, run, data.inputs, data.classes, -(-len(x) // run.batch))
    began = time.perf_counter()
    wrong = _all_of_it(learner, x, y, run)
    figures = Figures(seconds=time.perf_counter() - began)
    for reading, each in wrong.items():
        figures.prequential[reading] = float(each[CHANGE:].mean())
        figures.curve[reading] = {str(end): float(each[end - WINDOW : end].mean()) for end in range(WINDOW, len(y) + 1, WINDOW)}
    figures.held_out.append({reading: recovered(each) / (FRAMES - CHANGE) for reading, each in wrong.items()})
    return figures


def recovered(wrong: NDArray[np.bool_]) -> int:
    """Frames after the change until the last :data:`WINDOW` are as good as those before it, within :data:`MARGIN`."""
    before = wrong[CHANGE - 2 * WINDOW : CHANGE].mean()
    last = np.convolve(wrong[CHANGE:], np.ones(WINDOW) / WINDOW, mode="valid")
    good = (last <= before + MARGIN).nonzero()[0]
    return int(good[0]) + WINDOW if len(good) else FRAMES - CHANGE


def _all_of_it(learner: Learner, x: Frames, y: Labels, run: Run) -> dict[str, NDArray[np.bool_]]:
    forget = run.constants.get("forget", "nothing")
    watch = DriftWatch(DriftConfig()) if forget != "nothing" else None
    wrong: dict[str, list[NDArray[np.bool_]]] = {}
    for start in range(0, len(y), run.batch):
        labels = y[start : start + run.batch]
        predicted = learner.step(x[start : start + run.batch], labels)
        for reading, each in predicted.items():
            wrong.setdefault(reading, []).append(each != labels)
        if watch and watch.observe(start + 1, torch.from_numpy(labels), torch.from_numpy(predicted["live"])):
            print(f"  {run}: a drift by frame {start + len(labels)}", file=sys.stderr, flush=True)
            _forgetful(learner).forget(forget)
    return {reading: np.concatenate(each) for reading, each in wrong.items()}


def _forgetful(learner: Any) -> Forgetful:
    found: Forgetful = learner
    return found


def competitors(ledger: Ledger, change: str) -> dict[str, Run]:
    """Each tuned for the change on validation data, by what it gets wrong from then on."""
    found = {}
    for stepper, rates in RATES.items():
        run = Run(stepper, PLAIN | {"rate": rates[1], "change": change}, UNITS, part="validation")
        plain = tune(ledger, run, (Axis("rate", rates, ladder=True), *AXES), prequential)
        found[f"{stepper}, plain"] = plain
        found[f"{stepper}, forgetting"] = tune(ledger, plain, (FORGET, Axis("rate", rates, ladder=True)), prequential)
    run = Run("river", {"change": change, "rate": RIVER.values[0]}, part="validation")
    found["river softmax regression"] = tune(ledger, run, (RIVER,), prequential)
    return found


def measured(ledger: Ledger, change: str, seeds: range) -> dict[str, list[Figures]]:
    """All learners on one change, by name."""
    own = {
        f"ffstream, {reaction or 'no watch'}": Run("ffstream", {"change": change, "phase": 10, "drift": reaction}, UNITS)
        for reaction in REACTIONS
    }
    runs = {
        name: [replace(run, part="test", seed=seed) for seed in seeds]
        for name, run in (own | competitors(ledger, change)).items()
    }
    for each in runs.values():
        ledger.complete(each)
    return {name: [ledger[run] for run in each] for name, each in runs.items()}


def error(figures: list[Figures]) -> float:
    """From the change on, by the best way of reading: mean over the seeds."""
    return mean(each.prequential[_best(figures)] for each in figures)


def recovery(figures: list[Figures]) -> float:
    """Frames until it is as good as before, by the same way of reading: mean over the seeds."""
    return (FRAMES - CHANGE) * mean(each.held_out[-1][_best(figures)] for each in figures)


def _best(figures: list[Figures]) -> str:
    readings = figures[0].prequential
    return min(readings, key=lambda reading: mean(each.prequential[reading] for each in figures))


def ratio(learners: dict[str, list[Figures]]) -> float:
    """ffstream's error over the best backpropagation's."""
    rivals = [error(figures) for name, figures in learners.items() if name.split(",")[0] in RATES]
    return error(learners[HEADLINE]) / min(rivals)


def _draw(axes: Any, learners: dict[str, list[Figures]], change: str) -> None:
    for name, figures in learners.items():
        curves = [each.curve[_best(figures)] for each in figures]
        at = [int(end) for end in curves[0]]
        errors = [100 * mean(curve[str(end)] for curve in curves) for end in at]
        axes.plot(at, errors, "-" if name.startswith("ffstream") else "--", label=name)
    axes.axvline(CHANGE, color="gray", linestyle=":")
    axes.set(yscale="log", xlabel="frames", ylabel=f"error of the last {WINDOW}, %", title=f"{change} change")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3, which="both")


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    given = options(__doc__).parse_args()
    ledger = Ledger(given.results / "drift.jsonl", given.data, workers=given.workers, fresh=given.fresh, measure=endure)
    found = {change: measured(ledger, change, range(given.seeds)) for change in CHANGES}
    names = list(found[CHANGES[0]])
    rows = [
        [name, *(f"{percent(error(found[change][name]))}; {recovery(found[change][name]):.0f}" for change in CHANGES)]
        for name in names
    ]
    widths = "-".join(map(str, UNITS))
    title = f"784-{widths}, means of {given.seeds} seeds; error from the change on in %, and frames until as good as before"
    write(given.results / "drift.md", f"# Drift\n\n{title}\n\n{table(['learner', *CHANGES], rows)}")
    for change in CHANGES:
        name = change.replace(", ", "-")
        plot(given.results / f"drift-{name}.png", partial(_draw, learners=found[change], change=change))
    ratios = {change: ratio(learners) for change, learners in found.items()}
    value = mean(ratios.values())
    verdict("drift", value=value, target=TARGET, met=value <= TARGET, **ratios, seeds=given.seeds)


if __name__ == "__main__":
    main()
