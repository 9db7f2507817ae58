"""What more layers cost: frames learned a second, and memory, through the chain of actors and beside backpropagation.

``python -m benchmarks.depth --data FOLDER`` (or ``make bench-depth``). A layer's memory is what its actor has to itself beyond
an actor that has no layer yet. The peak of a whole network is that of a fresh process, beyond what it has before there is a
network: at two depths and two batch sizes, so that what grows with both, batch times depth, stands alone.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median
from typing import Any

import psutil
import torch

from benchmarks.cost import Cost
from benchmarks.learners.speed import FastBackprop
from benchmarks.report import machine, options, table, verdict, write
from benchmarks.throughput import BATCH, PHASE, endless
from benchmarks.turns import as_equals
from ffstream import NetworkConfig, Schedule, Stream
from ffstream.actors import RayChain, open_stream
from ffstream.actors.layer_actor import LayerActor
from ffstream.actors.part import actor
from ffstream.datasets import Dataset, load
from ffstream.frames import to_tensor

UNITS = 500
DEPTHS = (1, 2, 4, 8, 16)
SPREAD = 0.10
"""Units of a layer, layers, and by what share of the median the memory of a layer may differ between depths."""

SMALL, LARGE = 128, 2048
"""Frames in a batch, when what grows with the batch is looked for."""

ROW = 4 * UNITS
GROWTH = 0.1 * ROW
"""Bytes: of one frame's activities in a layer, and what a network may need for another frame in a batch for another layer:
who keeps activities until a backward pass needs a row and more."""

MIB = 2**20


@dataclass(frozen=True)
class Deep:
    """What so many layers took. ``memory`` is that of every layer, first to last, in bytes; ``compute`` the processor time that
    one process needs for a frame, in seconds; rates are in frames a second, of the clock and of a processor.
    """

    depth: int
    rate: float
    rate_by_cpu: float
    compute: float
    memory: list[int]

    @property
    def efficiency(self) -> float:
        """Of the processors that the layers could keep busy, the share that did what a single process would have to do."""
        return self.rate * self.compute / min(self.depth, os.cpu_count() or 1)


def deep(data: Dataset, depth: int, rounds: int) -> Deep:
    """Learn day by day through actors and, in turns, in this process."""
    config = NetworkConfig(data.inputs, data.classes, (UNITS,) * depth, batch=BATCH)
    schedule, here, days = Schedule(every=PHASE * BATCH, idle=None), psutil.Process(), PHASE * BATCH
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ffstream-bench-")))
        chain, single = open_stream(config, schedule, folder=folder), Stream.in_process(config, schedule)
        stack.callback(chain.close)
        rows, taken = endless(data), []
        for _ in range(1 + rounds):
            frames, labels = rows(days)
            costs = []
            for stream in (chain, single):
                before = Cost.until_now(here)
                stream.feed(frames, labels)
                costs.append(Cost.until_now(here) - before)
            taken.append(costs)
        memory = layer_memory(chain, folder)
    rate, by_cpu = (median(days / getattr(costs[0], clock) for costs in taken[1:]) for clock in ("wall", "cpu"))
    return Deep(depth, rate, by_cpu, median(costs[1].cpu / days for costs in taken[1:]), memory)


def layer_memory(stream: Stream, folder: Path) -> list[int]:
    """Bytes that every layer has added to its actor, first to last."""
    import ray

    assert isinstance(stream.chain, RayChain)
    idle: Any = actor(LayerActor).remote(stream.config, 0, folder)
    empty = _own(ray.get(idle.pulse.remote()).pid)
    ray.kill(idle)
    pids = stream.chain.crew.pids
    return [_own(pids[f"layer-{index}"]) - empty for index in range(stream.config.depth)]


def _own(pid: int) -> int:
    """Bytes that a process shares with nobody."""
    return int(psutil.Process(pid).memory_full_info().uss)


def spread(found: list[Deep]) -> float:
    """How far the memory of a layer differs between depths, as a share of the median: of the first, and of the mean other."""
    firsts = [each.memory[0] for each in found]
    others = [fmean(each.memory[1:]) for each in found if each.depth > 1]
    return max((max(sizes) - min(sizes)) / median(sizes) for sizes in (firsts, others) if sizes)


def network_peak(data: str, depth: int, batch: int) -> int:
    """Bytes of the whole network in one process."""
    frames = load(data)
    rows = endless(frames)(2 * batch)
    with _peak() as peak:
        config = NetworkConfig(frames.inputs, frames.classes, (UNITS,) * depth, batch=batch)
        Stream.in_process(config, Schedule(every=2 * batch, idle=None)).feed(*rows)
        return peak()


def backprop_peak(data: str, depth: int, batch: int) -> int:
    """Bytes of backpropagation."""
    frames = load(data)
    x, y = endless(frames)(batch)
    with _peak() as peak:
        network = FastBackprop((frames.inputs, *(UNITS,) * depth, frames.classes))
        for _ in range(2):
            network.step(to_tensor(x), torch.from_numpy(y))
        return peak()


@contextmanager
def _peak() -> Iterator[Callable[[], int]]:
    """Gives the most that this process has had resident since, beyond what it had before."""
    torch.set_num_threads(1)
    Path("/proc/self/clear_refs").write_text("5")
    before = _highest()
    yield lambda: _highest() - before


def _highest() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


Peak = Callable[[str, int, int], int]


def peaks(kind: Peak, data: str, depths: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """Of fresh processes, by depth and batch."""
    found = {}
    for depth in depths:
        for batch in (SMALL, LARGE):
            with _exact_heap(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                found[depth, batch] = fresh.submit(partial(kind, data, depth, batch)).result()
            print(
                f"  {kind.__name__}, {depth} layers, batches of {batch}: {found[depth, batch] / MIB:.0f} MiB", file=sys.stderr
            )
    return found


@contextmanager
def _exact_heap() -> Iterator[None]:
    """Processes that start meanwhile give large pieces of memory back at once, whatever the order in which they took them."""
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 16)
    try:
        yield
    finally:
        del os.environ["MALLOC_MMAP_THRESHOLD_"]


def growth(found: dict[tuple[int, int], int]) -> float:
    """Bytes for another frame in a batch for another layer."""
    shallow, deepest = min(found)[0], max(found)[0]
    by_batch = [found[depth, LARGE] - found[depth, SMALL] for depth in (shallow, deepest)]
    return (by_batch[1] - by_batch[0]) / (LARGE - SMALL) / (deepest - shallow)


def report(found: list[Deep], own: dict[tuple[int, int], int], other: dict[tuple[int, int], int], rounds: int) -> str:
    """Markdown."""
    rows = [
        [
            str(each.depth),
            f"{each.rate:.0f}",
            f"{each.rate_by_cpu:.0f}",
            f"{1 / each.compute:.0f}",
            f"{each.efficiency:.2f}",
            f"{each.memory[0] / MIB:.1f}",
            f"{min(each.memory[1:]) / MIB:.1f} to {max(each.memory[1:]) / MIB:.1f}" if each.depth > 1 else "",
        ]
        for each in found
    ]
    rates = ["frames/s", "frames for a CPU second", "the same, one process", "efficiency"]
    first = table(["layers", *rates, "first layer, MiB", "other layers, MiB"], rows)
    of_peaks = [
        [str(depth), str(batch), f"{own[depth, batch] / MIB:.1f}", f"{other[depth, batch] / MIB:.1f}"] for depth, batch in own
    ]
    second = table(["layers", "batch", "ffstream in one process, MiB", "backpropagation, MiB"], of_peaks)
    said = f"Layers of {UNITS}, micro-batches of {BATCH}, medians of {rounds} days."
    grown = f"For another frame in a batch for another layer: {growth(own):.0f} and {growth(other):.0f} bytes; a row has {ROW}."
    return f"{said}\n\n{first}\nPeaks of fresh processes:\n\n{second}\n{grown}\n"


def main() -> None:
    """Measure, then say what came of it."""
    parser = options(__doc__)
    parser.add_argument("--depths", type=int, nargs="+", default=list(DEPTHS))
    parser.add_argument("--rounds", type=int, default=5, help="days that count")
    given, on = parser.parse_args(), machine()
    as_equals()

    torch.set_num_threads(1)
    data, found = load(given.data), []
    for depth in given.depths:
        found.append(deep(data, depth, given.rounds))
        print(
            f"  {depth} layers: {found[-1].rate:.0f} frames/s, {found[-1].efficiency:.2f} efficient",
            file=sys.stderr,
            flush=True,
        )
    ends = (min(given.depths), max(given.depths))
    own, other = (peaks(kind, given.data, ends) for kind in (network_peak, backprop_peak))
    write(given.results / "depth.md", f"# Depth\n\n{on}. {report(found, own, other, given.rounds)}")
    met = spread(found) <= SPREAD and growth(own) <= GROWTH
    grown = {"batch_times_depth": growth(own), "batch_times_depth_target": GROWTH, "backprop_batch_times_depth": growth(other)}
    verdict("depth", value=spread(found), target=SPREAD, met=met, **grown, efficiency=[each.efficiency for each in found])


if __name__ == "__main__":
    main()
