"""What a running service does under load: frames learned a second, and how long questions take meanwhile."""

import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffstream.client import Client, Status
from ffstream.datasets import Dataset
from ffstream_gateway.bars import bar
from ffstream_gateway.feeding import Background

ROWS = 1000
CHUNK = 100
"""Generated frames, and frames in a request."""


@dataclass(frozen=True)
class Load:
    """Frames [n, inputs] and labels [n] that are fed over and over, and frames that are asked about, one at a time."""

    x: NDArray[np.generic]
    y: NDArray[np.int64]
    asked: NDArray[np.generic]


@dataclass(frozen=True)
class Measured:
    """What came of it; times are in seconds, ``learned_per_second`` is None when nothing was fed."""

    seconds: float
    fed: int
    learned_per_second: float | None
    classified: int
    classify_p50: float
    classify_p99: float


def load_of(data: Dataset) -> Load:
    """A data set as load."""
    return Load(data.x, data.y, data.x_held)


def noise_for(status: Status, seed: int) -> Load:
    """Random frames with random labels, such as the service takes."""
    rng, inputs, classes = np.random.default_rng(seed), status.network["inputs"], status.network["classes"]
    x = rng.integers(256 if status.alphabet is None else classes, size=(ROWS, inputs), dtype=np.uint8)
    return Load(x, rng.integers(classes, size=ROWS), x)


def measure(client: Client, load: Load, seconds: float, feeds: bool) -> Measured:
    """Ask one question after the other for so many seconds, and feed as fast as frames are taken, if at all."""
    latencies: list[float] = []
    fed, before = 0, client.status().frames

    def feed(stop: threading.Event) -> None:
        nonlocal fed
        while not stop.is_set():
            rows = np.arange(fed, fed + CHUNK) % len(load.x)
            client.feed(load.x[rows], load.y[rows])
            fed += CHUNK

    start = time.monotonic()
    with ExitStack() as stack:
        feeding = stack.enter_context(closing(Background(feed))) if feeds else None
        progress = stack.enter_context(bar("measured"))
        task = progress.add_task("", total=seconds)
        while (passed := time.monotonic() - start) < seconds or not latencies:
            asked = time.perf_counter()
            client.classify(load.asked[len(latencies) % len(load.asked)][None])
            latencies.append(time.perf_counter() - asked)
            progress.update(task, completed=passed)
            if feeding is not None:
                feeding.done()
        passed, learned = time.monotonic() - start, client.status().frames - before
    p50, p99 = np.percentile(latencies, (50, 99)).tolist()
    return Measured(passed, fed, learned / passed if feeds else None, len(latencies), p50, p99)


def describe(measured: Measured) -> list[str]:
    """In a few lines of text."""
    questions = f"{measured.classified} questions of one frame each, one after the other"
    lines = [f"classify   p50 {1000 * measured.classify_p50:.1f} ms, p99 {1000 * measured.classify_p99:.1f} ms; {questions}"]
    if measured.learned_per_second is None:
        return lines
    return [f"learned    {measured.learned_per_second:.0f} frames/s; {measured.fed} fed in {measured.seconds:.1f} s", *lines]
