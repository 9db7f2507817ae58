"""The paper's section 4.1: the next character of Aesop's Fables, with negatives that the network generates itself.

``python -m benchmarks.aesop --data FILE`` (or ``make bench-aesop AESOP=FILE``). 248 strings of 100 characters are learned, each
of the last 90 from the ten before it; 248 others choose every constant and the pass to stop at, 248 more are for the end.
Negatives three ways: teacher forcing (what was predicted after a real context, the true character excepted), self-generated,
and self-generated in sleep, when a whole pass of positives comes before a whole night of negatives. Beside them layers that
do not move, and backpropagation of the same net.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks import strings
from benchmarks.learners import make_learner
from benchmarks.learners.backprop import Backprop, forward
from benchmarks.learners.forward_forward import layer_config
from benchmarks.ledger import Ledger
from benchmarks.report import options, plot, table, verdict, write
from benchmarks.runs import Figures, Run
from benchmarks.search import Axis, tune
from ffstream import Schedule, Stream
from ffstream.alphabet import LETTERS
from ffstream.datasets import Dataset
from ffstream.fast_weights import FastWeights
from ffstream.frames import to_tensor
from ffstream.sequence import CONTEXT, sequence_network
from ffstream.symbols import one_of_n

UNITS = (500, 500, 500)

TARGET = 0.92
"""Of the perplexity with layers that do not move, on held-out strings: what teacher forcing may have at most."""

NEAR = 1.05
"""Of teacher forcing's perplexity: what self-generated negatives may have at most."""

STILL, TEACHER, GENERATED, ASLEEP, BACKPROP = (
    "fixed random layers",
    "teacher forcing",
    "self-generated",
    "self-generated in sleep",
    "backpropagation",
)


class Curve(NamedTuple):
    """What is measured under one name: the learner's constants, the micro-batch, and the passes until nothing is gained."""

    constants: dict[str, Any]
    batch: int
    passes: int
    learner: str = "ffstream"


CURVES = {
    STILL: Curve({"rule": "plain", "rate": 1e-12, "momentum": 0.0, "negatives": "confused_labels", "phase": None}, 100, 12),
    TEACHER: Curve({"negatives": "confused_labels", "phase": 10}, 100, 9),
    GENERATED: Curve({"negatives": "generated_symbols", "phase": 10}, 100, 14),
    ASLEEP: Curve({"negatives": "generated_symbols", "phase": None}, 500, 24),
    BACKPROP: Curve({"rate": None, "decay": "constant", "inputs": "unit", "start": "he"}, 100, 5, "adam"),
}
"""By name. A phase is so many micro-batches; None is a whole pass. Long phases want fewer updates, of larger micro-batches."""

RATES = Axis("rate", (3e-4, 1e-3), ladder=True)
"""What is tuned of backpropagation."""

SHOWN = 60
"""Learned strings whose perplexity is looked at too."""

Logits = Callable[[Tensor], Tensor]


class Ours:
    """The library's stream. Every pass ends asleep, unless the layers do not move."""

    def __init__(self, run: Run, frames: Dataset, symbols: int = LETTERS.size) -> None:
        constants = run.constants
        self.moves = constants.get("rule") != "plain"
        config = sequence_network(
            symbols,
            units=run.units,
            batch=run.batch,
            negatives=constants["negatives"],
            memory=len(frames.x),
            seed=run.seed,
            layer=layer_config(constants),
            context=window_of(run),
            fast_weights=FastWeights.from_dict(constants["fast_weights"]) if "fast_weights" in constants else None,
        )
        every = constants["phase"] and constants["phase"] * run.batch
        self.stream = Stream.in_process(config, Schedule(every=every, idle=None))

    def learn(self, x: Any, y: Any) -> None:
        """One pass."""
        self.stream.feed(x, y)
        if self.moves and self.stream.sequencer.debt.frames:
            self.stream.sleep()

    def logits(self, frames: Tensor) -> Tensor:
        """As ``/predict`` has them."""
        return self.stream.reader.logits(frames)


class Theirs:
    """Backpropagation, read from its averaged weights."""

    def __init__(self, run: Run, frames: Dataset) -> None:
        updates = run.passes * -(-len(frames.x) // run.batch)
        made = make_learner("adam", run, CONTEXT * LETTERS.size, LETTERS.size, updates)
        assert isinstance(made, Backprop)
        self.network, self.batch = made, run.batch

    def learn(self, x: Any, y: Any) -> None:
        """One pass."""
        rows = 255 * one_of_n(to_tensor(x), LETTERS.size).numpy()
        for start in range(0, len(x), self.batch):
            self.network.step(rows[start : start + self.batch], y[start : start + self.batch])

    def logits(self, frames: Tensor) -> Tensor:
        """What the averaged weights make of windows."""
        return forward(list(self.network.average.mean.values()), one_of_n(frames, LETTERS.size))


def window_of(run: Run) -> int:
    """Symbols in a window."""
    return int(run.constants.get("window", CONTEXT))


@torch.no_grad()
def perplexity(logits: Logits, given: strings.Symbols, window: int = CONTEXT) -> tuple[float, float]:
    """``exp(mean -log p(next))`` over the strings' predicted characters, and the share of them that was thought likeliest."""
    x, y = strings.asked(given, window)
    nats, right = 0.0, 0
    for start in range(0, len(x), 1000):
        log_p = logits(to_tensor(x[start : start + 1000])).log_softmax(dim=1)
        labels = torch.from_numpy(y[start : start + 1000])
        nats -= float(log_p.gather(1, labels[:, None]).sum())
        right += int((log_p.argmax(dim=1) == labels).sum())
    return math.exp(nats / len(x)), right / len(x)


def measure(run: Run, data: str) -> Figures:
    """A learning curve: ``looks`` has perplexities and shares right after every pass, by part."""
    window = window_of(run)
    frames, parts = strings.part_of(data, "test", window), strings.strings(data)
    learner = Ours(run, frames) if run.learner == "ffstream" else Theirs(run, frames)
    figures = Figures()
    for number, rows in enumerate(frames.order(run.passes, run.seed).reshape(run.passes, -1), start=1):
        began = time.perf_counter()
        learner.learn(frames.x[rows], frames.y[rows])
        figures.seconds += time.perf_counter() - began
        look: dict[str, float] = {"passes": number}
        for part, given in parts.items():
            shown = given[:SHOWN] if part == "learned" else given
            look[part], look[f"{part} right"] = perplexity(learner.logits, shown, window)
        figures.looks.append(look)
        said = ", ".join(f"{part} {look[part]:.3f}" for part in parts)
        print(f"  {run} pass {number}/{run.passes}: {said}", file=sys.stderr, flush=True)
    figures.held_out.append({"one_pass": 1 - best(figures)["test right"]})
    return figures


def best(figures: Figures) -> dict[str, float]:
    """The look at the pass that validation would stop at."""
    return min(figures.looks, key=lambda look: look["validation"])


def cost(figures: Figures) -> float:
    """Perplexity on validation strings at the best pass."""
    return best(figures)["validation"]


def measured(ledger: Ledger, units: tuple[int, ...], precision: str, seeds: range) -> dict[str, list[Figures]]:
    """Figures of every seed by the name of a curve; backpropagation's rate is tuned first."""
    found = {}
    for name, curve in CURVES.items():
        ours = curve.learner == "ffstream"
        constants = curve.constants | ({"precision": precision} if ours else {})
        run = Run(curve.learner, constants, units, curve.batch, part="validation", passes=curve.passes)
        if not ours:
            run = tune(ledger, run, (RATES,), cost)
        runs = [replace(run, seed=seed) for seed in seeds]
        ledger.complete(runs)
        found[name] = [ledger[each] for each in runs]
    return found


def mean_of(figures: list[Figures], part: str) -> float:
    """At the pass that validation stops at, over the seeds."""
    return float(np.mean([best(each)[part] for each in figures]))


def report(results: Any, found: dict[str, list[Figures]], title: str, name: str, base: str = STILL) -> None:
    """Table and curves; perplexities held out are also set beside those of the curve ``base``."""
    of = mean_of(found[base], "test")
    rows = [
        [
            curve,
            f"{mean_of(figures, 'test'):.2f}",
            f"{mean_of(figures, 'test') / of:.3f}",
            f"{100 * mean_of(figures, 'test right'):.1f}",
            f"{mean_of(figures, 'validation'):.2f}",
            f"{mean_of(figures, 'learned'):.2f}",
            f"{mean_of(figures, 'passes'):.1f}",
        ]
        for curve, figures in found.items()
    ]
    header = [
        "negatives",
        "perplexity held out",
        f"of {base}'s",
        "right, %",
        "on validation",
        "on learned strings",
        "after passes",
    ]
    write(results / f"{name}.md", f"# Next character of Aesop's Fables\n\n{title}\n\n{table(header, rows)}")
    plot(results / f"{name}.png", lambda axes: _draw(axes, found, title))


def _draw(axes: Any, found: dict[str, list[Figures]], title: str) -> None:
    for colour, (curve, figures) in enumerate(found.items()):
        passes = [look["passes"] for look in figures[0].looks]
        for part, style in (("test", "-"), ("learned", ":")):
            values = np.mean([[look[part] for look in each.looks] for each in figures], axis=0)
            label = f"{curve}, {'held out' if part == 'test' else 'learned'}"
            axes.plot(passes, values, style, color=f"C{colour}", marker=".", label=label)
    axes.set(
        yscale="log", ylim=(1.5, 20), xlabel="passes over 248 strings", ylabel="perplexity of the next character", title=title
    )
    axes.set_yticks([2, 3, 4, 5, 6, 7, 8, 9, 10, 15], labels=["2", "3", "4", "5", "6", "7", "8", "9", "10", "15"])
    axes.set_yticks([], minor=True)
    axes.legend(fontsize=8, ncols=2)
    axes.grid(alpha=0.3)


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.set_defaults(data="aesop.txt", seeds=1)
    parser.add_argument("--units", default=",".join(map(str, UNITS)), help="widths, like 2000,2000,2000")
    parser.add_argument("--precision", default="float32", help="number format of large products: float32 or bfloat16")
    given = parser.parse_args()

    units = tuple(int(width) for width in given.units.split(","))
    record = given.results / "aesop.jsonl"
    ledger = Ledger(record, given.data, workers=given.workers, fresh=given.fresh, measure=measure, parts=strings.part_of)
    found = measured(ledger, units, given.precision, range(given.seeds))

    widths = "-".join(map(str, units))
    seeds = "one seed" if given.seeds == 1 else f"means of {given.seeds} seeds"
    title = f"10 characters of 30 kinds, {widths}, {given.precision}, {seeds}"
    report(given.results, found, title, f"aesop-{widths}")
    still, teacher, generated, asleep = (mean_of(found[name], "test") for name in (STILL, TEACHER, GENERATED, ASLEEP))
    gap = max(generated, asleep) / teacher
    verdict(
        "aesop",
        value=teacher / still,
        target=TARGET,
        met=teacher / still <= TARGET and gap <= NEAR,
        self_generated=generated / teacher,
        self_generated_in_sleep=asleep / teacher,
        self_generated_target=NEAR,
        perplexity={name: round(mean_of(figures, "test"), 3) for name, figures in found.items()},
    )


if __name__ == "__main__":
    main()
