"""Black boxes between layers: accuracy against the strength of their noise, beside backpropagation.

``python -m benchmarks.black_box --data FOLDER`` (or ``make bench-black-box``; digits when no folder is given). Between every
two of three hidden layers stands a box that nobody knows: it mixes the units, bends each mixture in one of four ways, and
multiplies it by noise (:class:`ffstream.boxes.Unknown`). ffstream is read by goodness, which is at chance when hidden layers
do not move: so the floor is the same network with layers that do not. Backpropagation (Adam) goes through the same boxes
forwards; backwards it has no derivative of them, and either stops there, so that only the last hidden layer and the softmax
learn, or takes the box for a wire. All are read from the running average of their weights, at noisy outputs, averaged over as
many looks. Two constants of each are chosen on the validation part at one strength, by the mean of the seeds.

With ``--slow`` also: a second net as the box, whose weights stay as they are or learn slowly from what they cost the layer
above.
"""

import time
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from benchmarks.learners import Labels
from benchmarks.learners.forward_forward import RULES, network_config
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run, errors_of, part_of
from benchmarks.search import Axis, tune
from ffstream import Method, Schedule, Stream
from ffstream.average import Average
from ffstream.boxes import BoxConfig, Port
from ffstream.config import AVERAGE_SPAN
from ffstream.datasets import Dataset
from ffstream.frames import to_tensor
from ffstream.normalize import normalize

STRENGTHS = (0.0, 0.25, 0.5, 1.0)
JUDGED_AT = 0.5
"""Strength of the verdict, and at which constants are chosen."""

SLOW_RATES = (0.0, 1e-5, 1e-4)
"""Of a net that is the box."""

BACKPROP = (Axis("rate", (5e-4, 1e-3, 2e-3), ladder=True), Axis("weight_decay", (0.01, 0.1, 0.3, 1.0)))
AXES = {
    "ffstream": (Axis("label_strength", (0.25, 0.5, 1.0), ladder=True), Axis("rate", (0.03, 0.1, 0.3))),
    "above": BACKPROP,
    "wire": BACKPROP,
}
"""What is chosen on the validation part, at one strength, from the second value of each."""

FRAMES = 10_000
PHASE = 10
WAYS = {
    "ffstream": "ffstream, by goodness",
    "still": "layers that do not move, by goodness",
    "above": "backpropagation down to the last box",
    "wire": "backpropagation as if boxes were wires",
}
STILL = replace(RULES["plain"], rate=1e-12)


def through(run: Run, data: str) -> Figures:
    """One pass through boxes."""
    frames = part_of(data, run.part)
    rows = frames.order(run.passes, run.seed)[: run.frames]
    figures, began = Figures(), time.perf_counter()
    box = BoxConfig(**run.constants["box"])
    if run.learner in ("above", "wire"):
        learner = Backprop(frames.inputs, run, box)
        for chosen in np.array_split(rows, -(-len(rows) // run.batch)):
            learner.step(to_tensor(frames.x[chosen]), torch.from_numpy(frames.y[chosen]))
        read = {"softmax": learner.read(frames.x_held)}
    else:
        stream = _stream(frames, run, box)
        for chosen in np.array_split(rows, 10):
            stream.feed(frames.x[chosen], frames.y[chosen])
        stream.sleep()
        parts = np.array_split(frames.x_held, 10)
        read = {
            method.value: np.concatenate([stream.classify(part, method).labels.numpy() for part in parts]) for method in Method
        }
    figures.seconds = time.perf_counter() - began
    figures.held_out.append(errors_of(read, frames.y_held))
    return figures


def _stream(frames: Dataset, run: Run, box: BoxConfig) -> Stream:
    config = replace(network_config(run.constants, run, frames.inputs, 10), box=box)
    if run.learner == "still":
        config = replace(config, layer=STILL)
    return Stream.in_process(config, Schedule(every=PHASE * run.batch, idle=None))


class Backprop:
    """Rectified layers with the boxes of ffstream's network between them, cross-entropy, Adam with decoupled weight decay.

    Args:
        inputs: numbers in a frame.
        run: learner ``"above"`` or ``"wire"``, ``rate`` and ``weight_decay``.
        box: what stands between two layers.
    """

    def __init__(self, inputs: int, run: Run, box: BoxConfig) -> None:
        torch.manual_seed(run.seed)
        widths = (inputs, *run.units)
        self.layers = nn.ModuleList(nn.Linear(below, above) for below, above in zip(widths, run.units, strict=False))
        self.softmax = nn.Linear(run.units[-1], 10)
        self.ports = [Port(box, run.seed, index, units) for index, units in enumerate(run.units[:-1], start=1)]
        self.wire, self.looks = run.learner == "wire", box.looks
        weights = [*self.layers.parameters(), *self.softmax.parameters()]
        self.average = Average({str(at): each.detach() for at, each in enumerate(weights)}, AVERAGE_SPAN)
        self.adam = AdamW(weights, lr=run.constants["rate"], weight_decay=run.constants["weight_decay"])

    def _logits(self, x: Tensor, look: int | None = None) -> Tensor:
        h = normalize(x)
        for index, layer in enumerate(self.layers):
            if index:
                port = self.ports[index - 1]
                seen = port.see(h.detach()) if look is None else port.read(h, look)
                h = h + (seen - h).detach() if self.wire else seen
            h = normalize(layer(h).relu())
        logits: Tensor = self.softmax(h)
        return logits

    def step(self, x: Tensor, labels: Tensor) -> None:
        """Learn a micro-batch."""
        self.adam.zero_grad()
        nn.functional.cross_entropy(self._logits(x), labels).backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        self.average.follow()

    def read(self, frames: Any) -> Labels:
        """Labels [n], from the mean probability of as many looks as ffstream has; nothing is learned after it."""
        found = []
        with torch.no_grad():
            for name, weights in self.average.live.items():
                weights.copy_(self.average.mean[name])
            for part in np.array_split(frames, 10):
                looks = [self._logits(to_tensor(part), look).softmax(dim=1) for look in range(self.looks)]
                found.append(torch.stack(looks).mean(dim=0).argmax(dim=1).numpy())
        return np.concatenate(found)


def _accuracy(figures: Figures) -> float:
    """In percent, by goodness or by softmax."""
    errors = figures.held_out[-1]
    return 100 * (1 - errors.get("goodness", errors.get("softmax", 1.0)))


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.set_defaults(data="digits")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of a pass over MNIST")
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--slow", action="store_true", help="also a net as the box, learning slowly or not")
    given = parser.parse_args()
    small = given.data == "digits"
    about = "digits" if small else "mnist"
    ledger = Ledger(
        given.results / f"black_box-{about}.jsonl", given.data, workers=given.workers, fresh=given.fresh, measure=through
    )
    shape: dict[str, Any] = {"units": (500,) * 3, "frames": given.frames}
    if small:
        shape = {"units": (200,) * 3, "batch": 25, "passes": 5}

    def run(way: str, strength: float, seed: int, **constants: Any) -> Run:
        return Run(way, {"box": {"kind": "unknown", "strength": strength}, **constants}, seed=seed, **shape)

    chosen = {}
    for way, axes in AXES.items():
        start = run(way, JUDGED_AT, 0, **{axis.name: axis.values[1] for axis in axes})
        best = tune(ledger, replace(start, part="validation"), axes, lambda figures: 100 - _accuracy(figures), given.seeds)
        chosen[way] = {axis.name: best.constants[axis.name] for axis in axes}
    curves: dict[str, list[float]] = {}
    for way in WAYS:
        runs = [[run(way, each, seed, **chosen.get(way, {})) for seed in range(given.seeds)] for each in given.strengths]
        ledger.complete(each for at in runs for each in at)
        curves[way] = [mean(_accuracy(ledger[each]) for each in at) for at in runs]
    frames = "five passes over digits" if small else f"{given.frames} frames of MNIST once"
    title = f"three layers of {shape['units'][0]}, {frames}, means of {given.seeds} seeds"
    header = ["accuracy in %, by strength of the noise", *map(str, given.strengths)]
    told = table(header, [[name, *(percent(each / 100) for each in curves[way])] for way, name in WAYS.items()])
    if given.slow:
        told += _slow(ledger, shape, given.seeds, chosen["ffstream"])
    write(given.results / f"black_box-{about}.md", f"# Black boxes between layers\n\n{title}\n\n{told}")
    plot(given.results / f"black_box-{about}.png", lambda axes: _draw(axes, given.strengths, curves, title))
    at = list(given.strengths).index(JUDGED_AT)
    ours, floor, *others = (curves[way][at] for way in WAYS)
    verdict("black-box", value=ours, target=round(max(others), 4), met=ours > max(others), floor=floor, strength=JUDGED_AT)


def _slow(ledger: Ledger, shape: dict[str, Any], seeds: int, chosen: dict[str, float]) -> str:
    rows = []
    for rate in SLOW_RATES:
        box = {"kind": "net", "strength": 0.0, "rate": rate, "looks": 1}
        runs = [Run("ffstream", {"box": box, **chosen}, seed=seed, **shape) for seed in range(seeds)]
        ledger.complete(runs)
        rows.append([f"{rate:g}", *(percent(mean(1 - ledger[run].held_out[-1][way] for run in runs)) for way in READ)])
    return "\nA net as the box:\n\n" + table(["rate of its learning", *READ], rows)


READ = ("goodness", "shortlist")


def _draw(axes: Any, strengths: Any, curves: dict[str, list[float]], title: str) -> None:
    for way, accuracies in curves.items():
        axes.plot(strengths, accuracies, ".-", label=WAYS[way])
    axes.set(xlabel="strength of the noise", ylabel="test accuracy, %", title=title)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    main()
