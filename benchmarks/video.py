"""The recurrent chain of actors beside the same network in one process: ticks a second, and whether all layers work at once.

``python -m benchmarks.video --data FOLDER`` (or ``make bench-video``). Both learn the same frames, awake and asleep, by turns.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from unittest import mock

import torch

from benchmarks.report import machine, options, table, verdict, write
from benchmarks.timed import TimedTickActor, noted, share_of_full_ticks, watch
from benchmarks.turns import as_equals
from ffstream import RECURRENT, NetworkConfig, Schedule, Stream, VideoConfig
from ffstream.actors import open_stream
from ffstream.datasets import Dataset, load
from ffstream.outcome import Dreamt, Learned

TARGET = 0.9
"""Share of ticks in which all layers work."""

UNITS = (500, 500)
BATCH = 100
PHASE = 12
"""Micro-batches in a day and in a night."""

EVENTS = 12
ROUNDS = 2
"""Micro-batches a turn, and turns of each."""


def learn(stream: Stream, data: Dataset, number: int) -> tuple[int, float]:
    """Give a stream the frames of turn ``number``: ticks made, and seconds until all is learned."""
    rows = data.order(1, seed=number)[: EVENTS * BATCH]
    began = time.perf_counter()
    stream.accept(data.x[rows], data.y[rows])
    batches = sum(isinstance(outcome, Learned | Dreamt) for outcome in stream.settle())
    assert stream.config.video is not None
    return batches * stream.config.video.ticks, time.perf_counter() - began


def measure(data: Dataset, lanes: int, folder: Path) -> tuple[float, float, float]:
    """Ticks a second of the chain, of the network in one process, and the share of ticks of a turn in which all layers work."""
    torch.set_num_threads(1)
    layer = replace(RECURRENT, precision="auto")
    config = NetworkConfig(data.inputs, data.classes, UNITS, batch=BATCH, layer=layer, video=VideoConfig(lanes=lanes))
    schedule = Schedule(every=PHASE * BATCH, idle=None)
    with mock.patch("ffstream.actors.crew.TickActor", TimedTickActor):
        chain, alone = open_stream(config, schedule, folder=folder), Stream.in_process(config, schedule)
    rates: dict[str, list[float]] = {"chain": [], "alone": []}
    shares = []
    try:
        layers = chain.chain.crew.layers()  # type: ignore[attr-defined]
        for each in (chain, alone):
            learn(each, data, 0)
        for number in range(1, ROUNDS + 1):
            watch(layers)
            for name, stream in (("chain", chain), ("alone", alone)):
                ticks, seconds = learn(stream, data, number)
                rates[name].append(ticks / seconds)
            shares.append(share_of_full_ticks(noted(layers)))
        assert chain.chain.digests() == alone.chain.digests(), "the chain equals the in-process network, bit for bit"
    finally:
        for each in (chain, alone):
            each.close()
    return median(rates["chain"]), median(rates["alone"]), median(shares)


def main() -> None:
    """Measure, with and without lanes, then say what came of it."""
    as_equals()
    given = options(__doc__).parse_args()
    measured_on, data = machine(), load(given.data)
    rows, found = [], {}
    for lanes in (1, 2, 3):
        with tempfile.TemporaryDirectory(prefix="ffstream-bench-") as folder:
            found[lanes] = measure(data, lanes, Path(folder))
        chain, alone, share = found[lanes]
        rows.append([str(lanes), f"{chain:.1f}", f"{alone:.1f}", f"{chain / alone:.2f}", f"{share:.2f}"])
    header = ["lanes", "ticks/s, actors", "ticks/s, one process", "ratio", "ticks with all layers working"]
    widths = "-".join(map(str, (data.inputs, *UNITS)))
    write(given.results / "video.md", f"# Recurrent, {widths}, batch {BATCH}\n\n{measured_on}\n\n{table(header, rows)}")
    chain, alone, share = found[VideoConfig().lanes]
    verdict("video", value=share, target=TARGET, met=share >= TARGET, ticks_per_second=chain, one_process=alone)


if __name__ == "__main__":
    main()
