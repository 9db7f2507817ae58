"""Two digits that were never seen, known from one example each: the exact step beside backpropagation and neighbours.

``python -m benchmarks.one_shot --data FOLDER`` (or ``make bench-one-shot``; digits when no folder is given). Two digits, others
with every seed, are left out of a stream of the rest. Then examples of the two are shown by turns, each once, and nothing else:
what the two are recognised by from there, and what is left of the others, is read from the frames held out. Beside it

- the same network, for which each example is an ordinary micro-batch of one, with the sleep that it owes;
- a network of the same shape that backpropagation (Adam, rate falling linearly) has taught on the same stream: one step of
  gradient descent an example, or steps until it is as certain of it as the exact step makes ours;
- the nearest neighbour among all frames of the stream, which keeps them all, and the nearest mean of a class.

Rates of the steps, and ours' certainty, are chosen on the validation part, two digits of it new.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.learners import Labels, make_learner
from benchmarks.learners.backprop import Backprop
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run, part_of
from ffstream import Method, NetworkConfig, Schedule, Stream
from ffstream.config import CERTAINTY
from ffstream.datasets import Dataset
from ffstream.frames import to_tensor
from ffstream.network import Network
from ffstream.stage import restore

NEW = ((8, 9), (3, 5), (0, 7))
"""Digits that are left out of the stream, by seed."""

SHOTS = (1, 2, 5, 10)
"""Examples of each of them after which is looked."""

CERTAINTIES = (0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
FEW_CERTAINTIES = (0.95, 0.99, 0.999)
"""For digits, and for MNIST, where each takes minutes."""

LOOKED_AT = 2_000
"""Frames held out that are read at most."""

RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
PATIENCE = 100
"""Steps that backpropagation takes for one example at most."""

ADAM = {"rate": 0.002, "decay": "linear", "inputs": "rms", "start": "he"}
"""As tuned by ``one_pass`` for a pass of 784-500-500-500, to the next value of its ladder."""

PHASE = 10
Teach = Callable[[Any, int], None]
Read = Callable[[Any], Labels]


def unseen(run: Run, data: str) -> Figures:
    """One stream without two digits, then all ways to show them: ``looks`` after so many examples, by way and setting."""
    frames = part_of(data, run.part)
    new = NEW[run.seed % len(NEW)]
    kept = ~np.isin(frames.y, new)
    known = replace(frames, x=frames.x[kept], y=frames.y[kept])
    figures, began = Figures(), time.perf_counter()
    for way, setting, teach, read in WAYS[run.learner](run, known):
        looks = list(_show(teach, read, frames, new, run.seed))
        figures.looks += [{"setting": setting, "exact": float(way), **look} for look in looks]
        first = looks[0]
        print(
            f"  {NAMES[run.learner, float(way)]}, {setting:g}: new {first['new']:.1%}, others {first['others']:.1%}",
            file=sys.stderr,
            flush=True,
        )
    figures.seconds = time.perf_counter() - began
    best = max(figures.looks, key=lambda look: (look["shots"] == 1) * look["all"])
    figures.held_out.append({"one_shot": 1 - best["all"]})
    return figures


def _show(teach: Teach, read: Read, frames: Dataset, new: tuple[int, ...], seed: int) -> Iterator[dict[str, float]]:
    """Show examples by turns; after each of :data:`SHOTS`, the accuracy on the new digits, on the others, and over all ten
    alike, and what share of the examples shown so far is known.
    """
    rng = np.random.default_rng(seed)
    rows = {digit: rng.permutation(np.flatnonzero(frames.y == digit))[: SHOTS[-1]] for digit in new}
    x_held, y_held = frames.x_held[:LOOKED_AT], frames.y_held[:LOOKED_AT]
    held_new = np.isin(y_held, new)
    for shot in range(SHOTS[-1]):
        for digit in new:
            teach(frames.x[rows[digit][shot]], digit)
        if shot + 1 in SHOTS:
            right = read(x_held) == y_held
            shown = np.concatenate([rows[digit][: shot + 1] for digit in new])
            recalled = float((read(frames.x[shown]) == frames.y[shown]).mean())
            ours, others = float(right[held_new].mean()), float(right[~held_new].mean())
            everything = (len(new) * ours + (10 - len(new)) * others) / 10
            yield {"shots": shot + 1, "new": ours, "others": others, "all": everything, "recalled": recalled}


def _ffstream(run: Run, known: Dataset) -> Iterator[tuple[bool, float, Teach, Read]]:
    config = NetworkConfig(known.inputs, 10, run.units, batch=run.batch, seed=run.seed)
    schedule = Schedule(every=PHASE * run.batch, idle=None)
    stream = Stream.in_process(config, schedule)
    for rows in np.array_split(known.order(run.passes, run.seed), 20):
        stream.feed(known.x[rows], known.y[rows])
    stream.sleep()
    for certainty in run.constants["exact"]:
        taught = _copy(stream, replace(config, certainty=certainty))
        yield True, certainty, _once(taught), _by_goodness(taught)
    ordinary = _copy(stream, config)
    yield False, 0.0, _slowly(ordinary), _by_goodness(ordinary)


def _copy(stream: Stream, config: NetworkConfig) -> Stream:
    """Another stream whose network has learned the same."""
    other = Stream.in_process(config, Schedule(every=None, idle=None))
    assert isinstance(stream.chain, Network)
    assert isinstance(other.chain, Network)
    for into, saved in zip(other.chain.states().values(), stream.chain.states().values(), strict=True):
        learned = into.keys() - {"place"}
        if any(name.startswith("layer.") for name in learned):
            restore({name: into[name] for name in learned}, {name: saved[name] for name in learned})
    return other


def _once(stream: Stream) -> Teach:
    def teach(frame: Any, digit: int) -> None:
        stream.accept(frame[None], [digit], learn="exact")

    return teach


def _slowly(stream: Stream) -> Teach:
    def teach(frame: Any, digit: int) -> None:
        stream.feed(frame[None], [digit])
        stream.sleep(1)

    return teach


def _by_goodness(stream: Stream) -> Read:
    def read(frames: Any) -> Labels:
        parts = np.array_split(frames, max(1, len(frames) // 1000))
        return np.concatenate([stream.classify(part, Method.GOODNESS).labels.numpy() for part in parts])

    return read


def _backprop(run: Run, known: Dataset) -> Iterator[tuple[bool, float, Teach, Read]]:
    order = known.order(run.passes, run.seed)
    learner = make_learner("adam", run, known.inputs, 10, -(-len(order) // run.batch))
    assert isinstance(learner, Backprop)
    for start in range(0, len(order), run.batch):
        rows = order[start : start + run.batch]
        learner.step(known.x[rows], known.y[rows])
    start_from = [parameter.clone() for parameter in learner.live]
    for until, rates in ((False, run.constants["step"]), (True, run.constants["until"])):
        for rate in rates:
            for parameter, was in zip(learner.live, start_from, strict=True):
                parameter.copy_(was)
            yield until, rate, _descend(learner, rate, PATIENCE if until else 1), lambda x: learner.read(x)["live"]


def _descend(learner: Backprop, rate: float, steps: int) -> Teach:
    model = nn.Sequential(*(part for layer in learner.linear for part in (layer, nn.ReLU())))[:-1]

    def teach(frame: Any, digit: int) -> None:
        x, y = learner.rows(frame[None]), torch.tensor([digit])
        for _ in range(steps):
            logits = model(x)
            if float(logits.detach().softmax(dim=1)[0, digit]) >= CERTAINTY:
                return
            model.zero_grad()
            nn.functional.cross_entropy(logits, y).backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter.add_(parameter.grad, alpha=-rate)

    return teach


def _neighbours(run: Run, known: Dataset) -> Iterator[tuple[bool, float, Teach, Read]]:
    for means in (False, True):
        yield means, 0.0, *_remember(known, means)


def _remember(known: Dataset, means: bool) -> tuple[Teach, Read]:
    x, y = _unit(known.x), known.y
    if means:
        digits = np.unique(y)
        x, y = torch.stack([x[torch.from_numpy(y == digit)].mean(dim=0) for digit in digits]), digits
    shown: list[tuple[Tensor, int]] = []

    def teach(frame: Any, digit: int) -> None:
        shown.append((_unit(frame[None])[0], digit))

    def read(frames: Any) -> Labels:
        digits = sorted({digit for _, digit in shown})
        examples = [torch.stack([each for each, of in shown if of == digit]) for digit in digits]
        if means:
            kept, labels = [each.mean(dim=0, keepdim=True) for each in examples], digits
        else:
            kept, labels = examples, [digit for digit, each in zip(digits, examples, strict=True) for _ in each]
        everything, names = torch.cat([x, *kept]), np.concatenate([y, labels])
        halves = everything.square().sum(dim=1) / 2
        nearest = [(part @ everything.t() - halves).argmax(dim=1) for part in torch.split(_unit(frames), 500)]
        return np.asarray(names[torch.cat(nearest).numpy()])

    return teach, read


def _unit(frames: Any) -> Tensor:
    """Frames [n, inputs] of length 1."""
    return nn.functional.normalize(to_tensor(frames))


WAYS = {"ffstream": _ffstream, "adam": _backprop, "neighbours": _neighbours}
NAMES = {
    ("ffstream", 1.0): "ffstream, exact step",
    ("ffstream", 0.0): "ffstream, an ordinary step and its sleep",
    ("adam", 0.0): "backpropagation, one step",
    ("adam", 1.0): "backpropagation, steps until certain",
    ("neighbours", 0.0): "nearest neighbour, all frames kept",
    ("neighbours", 1.0): "nearest mean of a class",
}
"""What is compared, by learner and by which of its two ways."""


def _chosen(figures: Figures, way: float) -> float:
    """The setting with the best accuracy over all ten digits after one example each."""
    first = [look for look in figures.looks if look["exact"] == way and look["shots"] == 1]
    return max(first, key=lambda look: look["all"])["setting"]


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.set_defaults(data="digits")
    given = parser.parse_args()
    small = given.data == "digits"
    shape: dict[str, Any] = {"units": (200,) * 3, "batch": 25, "passes": 5} if small else {"units": (500,) * 3}
    about = "digits" if small else "mnist"
    ledger = Ledger(
        given.results / f"one_shot-{about}.jsonl", given.data, workers=given.workers, fresh=given.fresh, measure=unseen
    )
    settings: dict[str, Any] = {
        "ffstream": {"exact": CERTAINTIES if small else FEW_CERTAINTIES},
        "adam": {**ADAM, "step": RATES, "until": RATES},
        "neighbours": {},
    }
    tuning = {name: Run(name, constants, part="validation", **shape) for name, constants in settings.items()}
    ledger.complete(tuning[name] for name in ("ffstream", "adam"))
    settings["ffstream"] = {"exact": (CERTAINTY,)}
    settings["adam"] |= {"step": (_chosen(ledger[tuning["adam"]], 0.0),), "until": (_chosen(ledger[tuning["adam"]], 1.0),)}
    runs = {name: [Run(name, each, seed=seed, **shape) for seed in range(given.seeds)] for name, each in settings.items()}
    ledger.complete(run for each in runs.values() for run in each)
    _tell(given.results, about, ledger, runs, given.seeds, ledger[tuning["ffstream"]])


def _tell(results: Any, about: str, ledger: Ledger, runs: dict[str, list[Run]], seeds: int, tuned: Figures) -> None:
    curves: dict[str, list[dict[str, float]]] = {}
    for (learner, way), name in NAMES.items():
        looks = [[look for look in ledger[run].looks if look["exact"] == way] for run in runs[learner]]
        curves[name] = [{key: mean(each[key] for each in at) for key in at[0]} for at in zip(*looks, strict=True)]
    header = ["way", "examples of each", "new digits", "others", "all ten", "shown ones known"]
    rows = [
        [name, f"{look['shots']:.0f}", *(percent(look[key]) for key in ("new", "others", "all", "recalled"))]
        for name, looks in curves.items()
        for look in looks
    ]
    chosen = [
        [f"{look['setting']:g}", *(percent(look[key]) for key in ("new", "others", "all", "recalled"))]
        for look in tuned.looks
        if look["shots"] == 1 and look["exact"]
    ]
    title = f"{about}: two digits never seen, accuracies in %, means of {seeds} seeds"
    told = f"# One shot\n\n{title}\n\n{table(header, rows)}\nCertainty, on validation, after one example of each:\n\n"
    write(results / f"one_shot-{about}.md", told + table(["certainty", *header[2:]], chosen))
    plot(results / f"one_shot-{about}.png", lambda axes: _draw(axes, curves, title))
    first = {name: looks[0] for name, looks in curves.items()}
    ours, best = first.pop(NAMES["ffstream", 1.0]), max(first.values(), key=lambda look: look["all"])
    verdict(
        "one-shot",
        value=100 * ours["all"],
        target=round(100 * best["all"], 4),
        met=ours["all"] > best["all"] and ours["recalled"] == 1,
        new=100 * ours["new"],
        others=100 * ours["others"],
    )


def _draw(axes: Any, curves: dict[str, list[dict[str, float]]], title: str) -> None:
    for colour, (name, looks) in enumerate(curves.items()):
        axes.plot([100 * look["others"] for look in looks], [100 * look["new"] for look in looks], ".-", color=f"C{colour}")
        axes.plot([], [], ".-", color=f"C{colour}", label=name)
    axes.set(xlabel="accuracy on the digits of the stream, %", ylabel="accuracy on the new digits, %", title=title)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    main()
