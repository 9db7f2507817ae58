"""What an update of a layer takes, beside what this machine would need for it at the least.

``python -m benchmarks.roofline --data FOLDER`` (or ``make bench-roofline``). An update is ``Layer.forward`` and ``Layer.learn``
of the second layer of two, in a stream that learns MNIST day by day and dreams night by night, on one thread. Its floor is the
time of the products that its rule cannot do without, at the speed that ``torch.mm`` reaches for the same shapes and number
format, and that of reading once and writing once what it changes. Both are measured in turns, as processor time.
"""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.report import machine, options, table, verdict, write
from benchmarks.throughput import BATCH, PHASE, endless
from ffstream import LayerConfig, NetworkConfig, Schedule, Stream
from ffstream.curvature import REFRESH_EVERY
from ffstream.datasets import Dataset, load
from ffstream.layer import Layer, LayerReport
from ffstream.moment import FEED_EVERY
from ffstream.network import Network
from ffstream.polarity import Polarity
from ffstream.precision import PRECISIONS

TARGET = 0.75
"""The floor as a share of what an update takes."""

WARM_UP = 4
"""Days and nights before the first that counts: those in which every batch still feeds the layer's second moment."""

TIMES = 5
"""Times that a piece of the floor is measured in a turn."""

UPDATE = "an update"
LAPACK = ("linalg", "geqrf", "orgqr", "cholesky")
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm")
COPIES = ("aten::copy_", "aten::cat", "aten::index", "aten::constant_pad_nd", "aten::fill_", "aten::zero_")
"""In a profile: what stands for the whole, how the names of factorizations go, the names of products, and those of what only
moves numbers, into another format too."""

Product = tuple[int, int, int, torch.dtype, float]
"""``[m, k] [k, n]``, the number format of its factors, and how often an update needs it."""


@dataclass
class Updates:
    """Updates of one polarity: seconds of each, and means of its rows: forwarded, learned from, and still teaching."""

    seconds: list[float] = field(default_factory=list)
    forwarded: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    taught: list[float] = field(default_factory=list)


class Watched:
    """A layer whose updates are timed. Everything else is the layer's own."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.updates: defaultdict[Polarity, Updates] = defaultdict(Updates)
        self._forward = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.layer, name)

    def forward(self, x: Tensor) -> Tensor:
        """See :class:`~ffstream.layer.Layer`."""
        began = time.thread_time()
        with record_function(UPDATE):
            activities = self.layer.forward(x)
        self._forward, self._rows = time.thread_time() - began, len(x)
        return activities

    def learn(self, x: Tensor, activities: Tensor, polarity: Polarity, share: float) -> LayerReport:
        """See :class:`~ffstream.layer.Layer`."""
        began = time.thread_time()
        with record_function(UPDATE):
            report = self.layer.learn(x, activities, polarity, share)
        updates = self.updates[polarity]
        updates.seconds.append(self._forward + time.thread_time() - began)
        updates.forwarded.append(self._rows)
        updates.rows.append(len(x))
        updates.taught.append(report.taught)
        return report


class Life:
    """A stream of two layers that learns day by day.

    Args:
        data: what it learns.
        width: of both layers.
        precision: of their products.
    """

    def __init__(self, data: Dataset, width: int, precision: str) -> None:
        layer = LayerConfig(precision=precision)
        config = NetworkConfig(data.inputs, data.classes, (width, width), batch=BATCH, layer=layer)
        self._stream = Stream.in_process(config, Schedule(every=PHASE * BATCH, idle=None))
        self._rows = endless(data)
        network = self._stream.chain
        assert isinstance(network, Network)
        self.watched = Watched(network.stages[1].layer)
        network.stages[1].layer = self.watched  # type: ignore[assignment]

    def day(self) -> dict[Polarity, Updates]:
        """Learn a day, dream a night; returns the updates."""
        self.watched.updates.clear()
        self._stream.feed(*self._rows(PHASE * BATCH))
        return dict(self.watched.updates)


def needed(layer: Layer, updates: Updates, polarity: Polarity) -> tuple[list[Product], list[Product]]:
    """Large products and thin ones of an update: what the curvature rule's docstring lists."""
    inputs, format = layer.inputs + 1, layer.config.format
    taught = round(fmean(updates.taught) * fmean(updates.rows)) + (polarity is Polarity.POSITIVE)
    cut, tracked = directions(layer)
    rows, forwarded = round(fmean(updates.rows)), round(fmean(updates.forwarded))
    large = [
        (forwarded, layer.inputs, layer.units, format, 1.0),
        (layer.units, taught, inputs, format, 1.0),
        (inputs, rows, inputs, format, 1 / FEED_EVERY),
    ]
    thin = [
        (taught, inputs, tracked, torch.float32, 1.0),
        (taught, tracked, inputs, torch.float32, 1.0),
        (layer.units, inputs, cut, format, 1.0),
        (cut, layer.units, inputs, format, 1.0),
        (layer.units, cut, inputs, format, 1.0),
        (inputs, inputs, tracked, torch.float32, 3 / REFRESH_EVERY),
    ]
    return large, thin


def directions(layer: Layer) -> tuple[int, int]:
    """How many are cut in the update's spectrum, and tracked in the inputs' second moment."""
    state = layer.state()
    return state["rule.spectrum.basis"].shape[1], state["rule.curvature.basis"].shape[1]


def product_seconds(products: list[Product]) -> float:
    """Of products one after the other, by ``torch.mm``."""
    total = 0.0
    for m, k, n, format, often in products:
        one, other = torch.randn(m, k).to(format), torch.randn(k, n).to(format)
        total += often * seconds(partial(torch.mm, one, other))
    return total


def sweep_seconds(layer: Layer) -> float:
    """Of one read and one write of all that an update changes: the weights, their running means, now and then the moment."""
    inputs = layer.inputs + 1
    changed = [tensor.clone() for tensor in layer.state().values() if tensor.shape == (layer.units, inputs)]
    moment = torch.ones(inputs, inputs)
    return seconds(lambda: [each.mul_(1.0) for each in changed]) + seconds(lambda: moment.mul_(1.0)) / FEED_EVERY


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one turn of it."""
    work()
    taken = []
    for _ in range(TIMES):
        began = time.thread_time()
        work()
        taken.append(time.thread_time() - began)
    return median(taken)


@dataclass(frozen=True)
class Measured:
    """One turn: seconds of an update and of the parts of its floor, and the share of rows that still taught."""

    update: float
    large: float
    thin: float
    sweeps: float
    taught: float

    @property
    def share(self) -> float:
        """Of the update that the floor is."""
        return (self.large + self.thin + self.sweeps) / self.update


def turns(life: Life, rounds: int) -> Iterator[dict[Polarity, Measured]]:
    """Update and floor in turns."""
    for _ in range(WARM_UP):
        life.day()
    layer = life.watched.layer
    for _ in range(rounds):
        found = {}
        for polarity, updates in life.day().items():
            large, thin = (product_seconds(products) for products in needed(layer, updates, polarity))
            found[polarity] = Measured(fmean(updates.seconds), large, thin, sweep_seconds(layer), fmean(updates.taught))
        yield found


def where(life: Life) -> dict[str, float]:
    """Shares of an update's time, by what it goes to, in one day and night."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
        life.day()
    thin = set(directions(life.watched.layer))
    taken: Counter[str] = Counter()
    for event in profiled.events() or ():
        if within_update(event):
            taken[kind(event, thin)] += event.self_cpu_time_total
    return {name: microseconds / taken.total() for name, microseconds in taken.most_common()}


def within_update(event: Any) -> bool:
    """Whether it is an update, or a part of one."""
    while event is not None and event.name != UPDATE:
        event = event.cpu_parent
    return event is not None


def kind(event: Any, thin: set[int]) -> str:
    """What its own time went to."""
    if event.name == UPDATE:
        return "Python"
    if any(name in event.name for name in LAPACK):
        return "LAPACK"
    if event.name in PRODUCTS:
        sides = {side for shape in event.input_shapes for side in shape}
        return "thin products" if sides & thin else "products"
    return "copies" if event.name in COPIES else "sweeps"


def main() -> None:
    """Measure, then say what came of it."""
    parser = options(__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--rounds", type=int, default=7)
    given, on = parser.parse_args(), machine()

    torch.set_num_threads(1)
    data, shares, rows, profiles = load(given.data), [], [], []
    for width in given.widths:
        for precision in PRECISIONS:
            life = Life(data, width, precision)
            found = list(turns(life, given.rounds))
            for polarity in Polarity:
                each = [turn[polarity] for turn in found]
                shares.append(median(turn.share for turn in each))
                rows.append([str(width), precision, polarity.value, *cells(each), f"{shares[-1]:.2f}"])
                print("  " + ", ".join(rows[-1]), file=sys.stderr, flush=True)
            profiles.append((f"{width}, {precision}", where(life)))
    header = [
        "width",
        "precision",
        "polarity",
        "update, ms",
        "products",
        "thin products",
        "sweeps",
        "rows that still taught",
        "share",
    ]
    kinds = ["products", "thin products", "sweeps", "copies", "LAPACK", "Python"]
    parts = [[name, *(f"{shares_of.get(kind, 0.0):.2f}" for kind in kinds)] for name, shares_of in profiles]
    said = f"{on}; one thread, batches of {BATCH}, medians of {given.rounds} turns."
    text = f"# Roofline\n\n{said} Parts of the floor in ms.\n\n{table(header, rows)}\nWhere an update's time goes:\n\n"
    write(given.results / "roofline.md", text + table(["width, precision", *kinds], parts))
    verdict("roofline", value=min(shares), target=TARGET, met=min(shares) >= TARGET)


def cells(each: list[Measured]) -> list[str]:
    """Medians: milliseconds of the update and of the parts of its floor, and rows that still taught."""
    parts = (median(getattr(turn, name) for turn in each) for name in ("update", "large", "thin", "sweeps"))
    return [*(f"{1000 * part:.2f}" for part in parts), f"{fmean(turn.taught for turn in each):.2f}"]


if __name__ == "__main__":
    main()
