"""What automatic snapshots cost: frames learned a second with them, as a share of those learned without.

``python -m benchmarks.snapshots --data FOLDER`` (or ``make bench-snapshots``). Two services one after the other, the order
taking turns, learn the same stream over HTTP with the service's default constants, in layers as wide as in the other
benchmarks; the time runs from the first request until the last frame is learned. The medians of these pairs' ratios are
reported, by wall time and by the CPU time of all processes.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.cost import Cost
from benchmarks.report import options, table, verdict, write
from ffstream.client import Client
from ffstream.datasets import Dataset, load
from ffstream_gateway.child import Child
from ffstream_gateway.feeding import feed_and_follow

TARGET = 0.97
"""Throughput with automatic snapshots, as a share of that without."""

EVERY = (1000, 100)
"""Events between two snapshots: the service's default, and ten times as often."""

UNITS = "500,500,500"
CHUNK = 500
READY_WITHIN = 180.0
"""Seconds."""


@dataclass(frozen=True)
class Feeding(Cost):
    """What learning a stream took, and its events."""

    events: int


def feeding(data: Dataset, frames: int, every: int | None) -> Feeding:
    """Have a new service learn ``frames`` frames, with a snapshot after ``every`` events or with none."""
    flags = [f"--inputs={data.inputs}", f"--classes={data.classes}", f"--units={UNITS}", f"--snapshot-every={every or 'never'}"]
    with Child(flags) as child, Client(child.url()) as client:
        client.ready(READY_WITHIN)
        began = Cost.until_now(child.process)
        *_, last = feed_and_follow(client, data, data.order(1, seed=0)[:frames], CHUNK, every=0.1)
        taken = Cost.until_now(child.process) - began
    return Feeding(taken.wall, taken.cpu, last.seq)


def pairs(data: Dataset, frames: int, every: int, number: int) -> Iterator[tuple[Feeding, Feeding]]:
    """With snapshots and without, side by side."""
    for turn in range(number):
        order = (every, None) if turn % 2 else (None, every)
        taken = {each: feeding(data, frames, each) for each in order}
        saving, plain = taken[every], taken[None]
        rates = f"{frames / saving.wall:.0f} frames/s, {frames / plain.wall:.0f} without"
        print(f"  a snapshot every {every} events, pair {turn + 1}/{number}: {rates}", file=sys.stderr, flush=True)
        yield saving, plain


def main() -> None:
    """Measure, then say what came of it."""
    parser = options(__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--frames", type=int, default=40_000, help="of a stream")
    parser.add_argument("--every", type=int, nargs="*", default=list(EVERY), help="events between two snapshots")
    given = parser.parse_args()

    data = load(given.data)
    frames = min(given.frames, len(data.x))
    rows, ratios = [], {}
    for every in given.every:
        taken = list(pairs(data, frames, every, given.pairs))
        ratios[every] = [plain.wall / saving.wall for saving, plain in taken]
        by_cpu = median(plain.cpu / saving.cpu for saving, plain in taken)
        rate = median(frames / plain.wall for _, plain in taken)
        cells = [f"{median(ratios[every]):.3f}", f"{min(ratios[every]):.3f}", f"{max(ratios[every]):.3f}", f"{by_cpu:.3f}"]
        rows.append([str(every), str(taken[0][0].events // every), f"{rate:.0f}", *cells])
    header = ["events between snapshots", "snapshots", "frames/s without", "with / without", "least", "most", "by CPU time"]
    title = f"784-{UNITS.replace(',', '-')}, {frames} frames, medians of {given.pairs} pairs"
    write(given.results / "snapshots.md", f"# What snapshots cost\n\n{title}\n\n{table(header, rows)}")
    value = median(ratios[given.every[0]])
    verdict("snapshots", value=value, target=TARGET, met=value >= TARGET, every=given.every[0], pairs=given.pairs)


if __name__ == "__main__":
    main()
