"""Frames learned a second, through the chain of actors, beside everything that it may be compared with.

``python -m benchmarks.throughput --data FOLDER`` (or ``make bench-throughput``). A turn is one day and the night that it owes:
the same frames of MNIST for all, each learned awake, predicted before, its readout included, and dreamt of. Beside the chain
take turns: the same network in one process, as many of them as there are cores; PyTorch's backpropagation of the same shape,
the fastest of all its variants that this machine can run; and a straight port of the paper to PyTorch. Each learns in a process
of its own, and all wait while one learns.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.learners.speed import FORMATS, FastBackprop, StraightPort
from benchmarks.report import machine, options, table, verdict, write
from benchmarks.turns import Contestant, Learn, Make, Turn, as_equals, interleaved, ratio
from ffstream import LayerConfig, NetworkConfig, Schedule, Stream
from ffstream.actors import open_stream
from ffstream.datasets import Dataset, load
from ffstream.frames import to_tensor
from ffstream.outcome import Dreamt, Learned
from ffstream.precision import PRECISIONS

DEPTH = 4
BATCH = 128
PHASE = 10
"""Layers, frames in a micro-batch, micro-batches in a day and in a night."""

TARGETS = {"in process": 0.90, "backprop": 1.0, "port": 3.0}
"""Of the chain: frames for a CPU second as a share of those of networks in one process, one on every core (so that memory is as
busy as with the chain); and frames a second as multiples of the fastest backpropagation's and of the straight port's."""

FASTEST = 2
"""Variants of backpropagation that go on after each has had a turn."""

CORES = os.cpu_count() or 1

OWN = ("chain", "in process")
"""How the names of the library's own contestants begin."""


@contextmanager
def stream(data: str, units: tuple[int, ...], precision: str, actors: bool) -> Iterator[Learn]:
    """The library's own stream, in a folder when its layers are actors."""
    torch.set_num_threads(1)
    frames = load(data)
    layer = LayerConfig(precision=precision)
    config = NetworkConfig(frames.inputs, frames.classes, units, batch=BATCH, layer=layer)
    schedule = Schedule(every=PHASE * BATCH, idle=None)
    with ExitStack() as stack:
        if actors:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ffstream-bench-")))
            opened = open_stream(config, schedule, folder=folder)
        else:
            opened = Stream.in_process(config, schedule)
        stack.callback(opened.close)
        yield partial(_learn_days, opened, endless(frames))


@contextmanager
def one_a_core(data: str, units: tuple[int, ...], precision: str) -> Iterator[Learn]:
    """Networks that each have a process, a core and a share of the frames, and hand nothing on."""
    with ExitStack() as stack:
        make = partial(stream, data, units, precision, False)
        networks = [stack.enter_context(Contestant(f"core {number}", make)) for number in range(CORES)]
        yield partial(_learn_beside_each_other, networks, stack.enter_context(ThreadPoolExecutor(CORES)))


def _learn_beside_each_other(networks: list[Contestant], pool: Executor, frames: int) -> float:
    turns = pool.map(lambda network: network.turn(frames // CORES), networks)
    return fmean(turn.taught for turn in turns)


def _learn_days(opened: Stream, rows: Callable[[int], tuple[Any, Any]], frames: int) -> float:
    opened.accept(*rows(frames))
    reports = [outcome.reports for outcome in opened.settle() if isinstance(outcome, Learned | Dreamt)]
    return fmean(report.taught for each in reports for report in each)


@contextmanager
def steps(data: str, make: Callable[[Dataset], Callable[[Tensor, Tensor], float]], threads: int) -> Iterator[Learn]:
    """A learner that is given one micro-batch after another."""
    torch.set_num_threads(threads)
    frames = load(data)
    yield partial(_learn_batches, make(frames), endless(frames))


def _learn_batches(step: Callable[[Tensor, Tensor], float], rows: Callable[[int], tuple[Any, Any]], frames: int) -> float:
    x, y = rows(frames)
    for start in range(0, frames, BATCH):
        step(to_tensor(x[start : start + BATCH]), torch.from_numpy(y[start : start + BATCH]))
    return 1.0


def endless(data: Dataset) -> Callable[[int], tuple[Any, Any]]:
    """Gives the next frames and labels of the data set in random order, pass after pass."""
    order = data.order(1, seed=0)
    at = 0

    def rows(frames: int) -> tuple[Any, Any]:
        nonlocal at
        chosen = order[np.arange(at, at + frames) % len(order)]
        at += frames
        return data.x[chosen], data.y[chosen]

    return rows


def backprop(units: tuple[int, ...], format: str, compiled: bool, data: Dataset) -> Callable[[Tensor, Tensor], float]:
    """One variant of backpropagation."""
    return FastBackprop((data.inputs, *units, data.classes), format, compiled=compiled).step


def port(units: tuple[int, ...], data: Dataset) -> Callable[[Tensor, Tensor], float]:
    """The straight port."""
    return StraightPort((data.inputs, *units), data.classes).step


def backprops(data: str, units: tuple[int, ...]) -> dict[str, Make]:
    """All variants, by name."""
    variants = product(FORMATS, (False, True), threads())
    return {
        f"backprop {format}{' compiled' if compiled else ''}, {number} threads": partial(
            steps, data, partial(backprop, units, format, compiled), number
        )
        for format, compiled, number in variants
    }


def threads() -> list[int]:
    """How many to try."""
    return sorted({1, min(2, CORES), CORES})


def contestants(data: str, units: tuple[int, ...], precisions: Sequence[str]) -> dict[str, Make]:
    """All but backpropagation, by name: the chain beside networks in one process, precision by precision."""
    makes: dict[str, Make] = {}
    for precision in precisions:
        makes[f"in process {precision}"] = partial(one_a_core, data, units, precision)
        makes[f"chain {precision}"] = partial(stream, data, units, precision, True)
    ports = {f"port, {number} threads": partial(steps, data, partial(port, units), number) for number in threads()}
    return makes | ports


def compete(data: str, units: tuple[int, ...], precisions: Sequence[str], days: int, rounds: int) -> dict[str, list[Turn]]:
    """Everybody's turns, by name."""
    all_variants = backprops(data, units)
    tried = interleaved(all_variants, {name: frames_of(name, units[0], 1) for name in all_variants}, 1)
    best = sorted(tried, key=lambda name: tried[name][0].rate, reverse=True)[:FASTEST]
    makes = contestants(data, units, precisions) | {name: all_variants[name] for name in best}
    return interleaved(makes, {name: frames_of(name, units[0], days) for name in makes}, rounds)


def frames_of(name: str, width: int, days: int) -> int:
    """Frames in a turn: whole days of every network of ours.

    Those that learn batch by batch have more: they are faster, and what a step costs them is always the same, while ours
    depends on how much its frames still teach.
    """
    chain, in_process = OWN
    if name.startswith(chain):
        return days * PHASE * BATCH
    return days * PHASE * BATCH * (CORES if name.startswith(in_process) else max(1, 5000 // width))


def compare(turns: Mapping[str, list[Turn]]) -> dict[str, float]:
    """The three ratios: that to networks in one process is the worst of all precisions, the others are the best chain's."""
    rates = {name: [turn.rate for turn in each] for name, each in turns.items()}
    by_cpu = {name: [turn.rate_by_cpu for turn in each] for name, each in turns.items()}
    best = {kind: fastest(rates, kind) for kind in ("chain", "backprop", "port")}
    chain, in_process = OWN
    return {
        "in process": min(
            ratio(by_cpu[name], by_cpu[name.replace(chain, in_process)]) for name in turns if name.startswith(chain)
        ),
        "backprop": ratio(rates[best["chain"]], rates[best["backprop"]]),
        "port": ratio(rates[best["chain"]], rates[best["port"]]),
    }


def fastest(rates: Mapping[str, list[float]], kind: str) -> str:
    """Who of a kind learns most frames a second."""
    return max((name for name in rates if name.startswith(kind)), key=lambda name: median(rates[name]))


def report(width: int, turns: Mapping[str, list[Turn]], ratios: Mapping[str, float]) -> str:
    """Markdown for one width."""
    rows = [
        [
            name,
            f"{median(turn.rate for turn in each):.0f}",
            f"{min(turn.rate for turn in each):.0f} to {max(turn.rate for turn in each):.0f}",
            f"{median(turn.rate_by_cpu for turn in each):.0f}",
            f"{fmean(turn.taught for turn in each):.2f}" if name.startswith(OWN) else "",
        ]
        for name, each in turns.items()
    ]
    header = ["learner", "frames/s", "least to most", "frames for a CPU second", "rows that still taught"]
    said = ", ".join(f"{value:.2f} of {name} (target {TARGETS[name]:.2f})" for name, value in ratios.items())
    return f"## 784{f'-{width}' * DEPTH}\n\n{table(header, rows)}\nThe chain, medians of the turns' ratios: {said}.\n"


def main() -> None:
    """Measure, then say what came of it."""
    parser = options(__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[2000, 500])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--days", type=int, default=1, help=f"of {PHASE} micro-batches, in a turn")
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS, help="of the library's own")
    given, on = parser.parse_args(), machine()
    as_equals()

    parts, all_ratios = [], {}
    for width in given.widths:
        print(f"{DEPTH} layers of {width}", file=sys.stderr, flush=True)
        turns = compete(given.data, (width,) * DEPTH, given.precisions, given.days, given.rounds)
        all_ratios[width] = compare(turns)
        parts.append(report(width, turns, all_ratios[width]))
    worst = {name: min(ratios[name] for ratios in all_ratios.values()) for name in TARGETS}
    said = f"{on}; micro-batches of {BATCH}, medians of {given.rounds} turns"
    write(given.results / "throughput.md", "\n".join([f"# Throughput\n\n{said}.\n", *parts]))
    met = all(worst[name] >= target for name, target in TARGETS.items())
    others = {name.replace(" ", "_"): value for name, value in worst.items() if name != "backprop"}
    targets = {f"{name.replace(' ', '_')}_target": TARGETS[name] for name in TARGETS if name != "backprop"}
    verdict("throughput", value=worst["backprop"], target=TARGETS["backprop"], met=met, **others, **targets)


if __name__ == "__main__":
    main()
