"""Tables, row after row: what is predicted of each before it is learned, beside River's best and backpropagation.

``python -m benchmarks.tabular`` (or ``make bench-tabular``). Every learner is a River classifier that predicts a row, then
learns it; all get the same rows in the same order. River's models have River's defaults; the rate of softmax regression, and
rate, inputs and average of backpropagation (as many rectified units, Adam), are tuned on other streams than those that are
measured, on which ffstream's encoding of rows and its defaults were chosen too. One setting for all streams.
"""

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.learners.online import LEARNERS, make_online
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run
from benchmarks.tables import MEASURED, TUNED_ON, stream, together
from ffstream.estimators.learner import AVERAGE_SPAN, BATCH, UNITS

STEADY = ("softmax regression",)
"""Learners that draw no random numbers: measured with one seed."""

TRIED: dict[str, list[dict[str, Any]]] = {
    "softmax regression": [{"rate": rate} for rate in (0.003, 0.01, 0.03, 0.1, 0.3)],
    "backpropagation": [
        {"rate": rate, "rows": rows, "span": span}
        for rate in (1e-3, 3e-3, 1e-2)
        for rows in ("z", "spread")
        for span in (20, 200)
    ],
}
TUNED_ROWS = 2000
"""Settings that are tried, and the first rows of every other stream, on which they are."""

LEAST = 1e-6
"""Probability below which a label counts as so improbable: one that was never met has none at all."""

TARGET = 1.0
"""Of the error of the best model of River, on the mean of all streams."""


def measure(run: Run, data: str) -> Figures:
    """One pass: the prequential error, and log loss and kappa beside it. Seconds are those of the processor."""
    torch.set_num_threads(1)
    name = run.constants["stream"]
    rows = stream(name)
    classes = int(rows.y.max()) + 1
    learner = make_online(run.learner, run.constants, run.units, run.seed, rows.inputs, classes)
    said, nats, began = np.empty_like(rows.y[: run.frames]), 0.0, time.process_time()
    for at, (x, y) in enumerate(zip(rows.x[: run.frames].tolist(), rows.y[: run.frames].tolist(), strict=True)):
        row = dict(enumerate(x))
        p = learner.predict_proba_one(row)
        said[at] = max(p, key=p.__getitem__, default=-1)
        nats -= math.log(max(p.get(y, 0.0), LEAST))
        learner.learn_one(row, y)
    seconds = time.process_time() - began
    truth = rows.y[: run.frames]
    error = float((said != truth).mean())
    print(f"  {name}, {run.learner}, seed {run.seed}: {error:.2%} wrong", file=sys.stderr, flush=True)
    return Figures(
        prequential={"one_pass": error},
        held_out=[{"one_pass": error}],
        looks=[{"log_loss": nats / len(truth), "kappa": kappa(truth, said), "rows": len(truth)}],
        seconds=seconds,
    )


def kappa(truth: NDArray[np.int64], said: NDArray[np.int64]) -> float:
    """Cohen's: how much more often it is right than labels dealt out at random, as often each, would be."""
    by_chance = sum(float((truth == label).mean() * (said == label).mean()) for label in np.unique(truth))
    return (float((truth == said).mean()) - by_chance) / max(1 - by_chance, 1e-12)


def on(name: str, run: Run) -> Run:
    """A run on the stream of that name."""
    return replace(run, constants={**run.constants, "stream": name})


def tuned(ledger: Ledger, learner: str) -> Run:
    """The learner in the setting with the least mean error on the first rows of the streams that are for tuning."""
    if learner == "ffstream":
        return Run(learner, {"standardize": True, "average_span": AVERAGE_SPAN}, UNITS, BATCH)
    run = Run(learner, {}, UNITS if learner == "backpropagation" else (), batch=1)
    if learner not in TRIED:
        return run
    tried = [replace(run, constants=each, frames=TUNED_ROWS, part="validation") for each in TRIED[learner]]
    ledger.complete(on(name, each) for each in tried for name in TUNED_ON)
    best = min(tried, key=lambda each: fmean(ledger[on(name, each)].prequential["one_pass"] for name in TUNED_ON))
    return replace(run, constants=best.constants)


def measured(ledger: Ledger, seeds: int) -> dict[str, dict[str, list[Figures]]]:
    """Figures of every seed by learner and stream."""
    found: dict[str, dict[str, list[Figures]]] = {}
    for learner in (*LEARNERS, "backpropagation"):
        run = tuned(ledger, learner)
        runs = [replace(run, seed=seed) for seed in range(1 if learner in STEADY else seeds)]
        ledger.complete(on(name, each) for each in runs for name in MEASURED)
        named = ", ".join([learner, *(f"{key} {value}" for key, value in run.constants.items() if learner in TRIED)])
        found[named] = {name: [ledger[on(name, each)] for each in runs] for name in MEASURED}
    return found


def errors(figures: dict[str, list[Figures]]) -> list[float]:
    """Mean error over the seeds, stream by stream."""
    return [fmean(each.prequential["one_pass"] for each in figures[name]) for name in MEASURED]


def ranks(found: dict[str, dict[str, list[Figures]]]) -> dict[str, float]:
    """Mean place among all learners, stream by stream, from 1."""
    places = np.argsort(np.argsort([errors(figures) for figures in found.values()], axis=0), axis=0) + 1
    return dict(zip(found, places.mean(axis=1).tolist(), strict=True))


def report(results: Path, found: dict[str, dict[str, list[Figures]]], title: str) -> None:
    """Table and plot."""
    place, rows = ranks(found), []
    for learner, figures in found.items():
        each = errors(figures)
        all_of = [one for name in MEASURED for one in figures[name]]
        looks = [one.looks[0] for one in all_of]
        speed = 1000 * sum(one.seconds for one in all_of) / sum(look["rows"] for look in looks)
        means = [fmean(look[name] for look in looks) for name in ("log_loss", "kappa")]
        rows.append([learner, *map(percent, each), percent(fmean(each)), *(f"{mean:.3f}" for mean in means)])
        rows[-1] += [f"{place[learner]:.1f}", f"{speed:.2f}"]
    header = ["prequential error, %", *MEASURED, "mean", "log loss", "kappa", "mean rank", "CPU s a thousand rows"]
    write(results / "tabular.md", f"# Tables\n\n{title}\n\n{table(header, rows)}")
    plot(results / "tabular.png", lambda axes: _draw(axes, found, title))


def _draw(axes: Any, found: dict[str, dict[str, list[Figures]]], title: str) -> None:
    width = 0.8 / len(found)
    for place, (learner, figures) in enumerate(found.items()):
        values: Sequence[float] = [100 * error for error in errors(figures)]
        axes.bar(np.arange(len(MEASURED)) + place * width, values, width, label=learner)
    axes.set(ylabel="prequential error, %", title=title)
    axes.set_xticks(np.arange(len(MEASURED)) + 0.4 - width / 2, MEASURED, fontsize=7)
    axes.legend(fontsize=7)


def main() -> None:
    """Tune, measure what is not measured yet, say what came of it."""
    given = options(__doc__).parse_args()
    record = given.results / "tabular.jsonl"
    ledger = Ledger(record, "River", workers=given.workers, fresh=given.fresh, measure=measure, parts=together)
    found = measured(ledger, given.seeds)
    report(given.results, found, f"every row predicted before it is learned; means over seeds 0 to {given.seeds - 1}")
    means = {learner: fmean(errors(figures)) for learner, figures in found.items()}
    rivers = {name: mean for name, mean in means.items() if not name.startswith(("ffstream", "backpropagation"))}
    value = means["ffstream"] / min(rivers.values())
    verdict("tabular", value=value, target=TARGET, met=value <= TARGET, mean_rank=ranks(found)["ffstream"], errors=means)


if __name__ == "__main__":
    main()
