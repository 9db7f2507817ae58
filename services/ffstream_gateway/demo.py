"""The demo: a service learns a data set from a stream and is asked about held-out frames all the while."""

import threading
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from statistics import median

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ffstream.classify import Method
from ffstream.client import Client, NotReadyError, Status
from ffstream.datasets import Dataset, load
from ffstream_gateway.child import Child
from ffstream_gateway.feeding import Background, feed_and_follow, held_out
from ffstream_gateway.view import WINDOW, HeldOut, Moment, View, milliseconds, novelty, percent

MILESTONE = 5000
"""Frames after which the prequential accuracy is remembered for the summary; also after those that are not seen twice."""

READY_WITHIN = 180.0
REST_WITHIN = 120.0
"""Seconds: for the layers to start, and for the last sleep to end."""

LARGE = 20_000
"""Frames from which a data set gets the larger network and a single pass."""

ASKED_AT_ONCE = 10
ASK_EVERY = 0.02
"""Held-out frames in a request, and seconds between two requests."""


@dataclass(frozen=True)
class Plan:
    """How a data set is learned: the network, its schedule of sleep, and how often the frames come by."""

    units: tuple[int, ...]
    batch: int
    every: int
    passes: int
    chunk: int

    def flags(self, data: Dataset, chain: str, seed: int) -> list[str]:
        """Of ``ffstream serve``."""
        given = {
            "chain": chain,
            "inputs": data.inputs,
            "classes": data.classes,
            "units": ",".join(map(str, self.units)),
            "batch": self.batch,
            "every": self.every,
            "seed": seed,
            "drain-seconds": 5,
        }
        return [part for name, value in given.items() for part in (f"--{name}", str(value))]


SMALL_PLAN = Plan(units=(500, 500), batch=25, every=125, passes=7, chunk=125)
LARGE_PLAN = Plan(units=(500, 500, 500), batch=100, every=1000, passes=1, chunk=500)


@dataclass(frozen=True)
class Result:
    """What is left when the stream has been learned."""

    status: Status
    seconds: float
    milestones: dict[int, float | None]
    held_out: HeldOut
    accuracies: dict[str, float]


class Asker:
    """Classifies held-out frames all the time and keeps count.

    Args:
        client: of the service.
        data: whose held-out part is asked about, in random order.
        seed: of that order.
    """

    def __init__(self, client: Client, data: Dataset, seed: int) -> None:
        self.now = HeldOut()
        self._client = client
        self._data = data
        self._rng = np.random.default_rng(seed)

    def ask(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        right: deque[bool] = deque(maxlen=WINDOW)
        latencies: deque[float] = deque(maxlen=WINDOW)
        for requests in count(1):
            rows = self._rng.integers(len(self._data.x_held), size=ASKED_AT_ONCE)
            start = time.perf_counter()
            answer = self._client.classify(self._data.x_held[rows])
            latencies.append(time.perf_counter() - start)
            right.extend((self._data.y_held[rows] == answer.labels).tolist())
            self.now = HeldOut(requests, sum(right) / len(right), median(latencies))
            if stop.wait(ASK_EVERY):
                return


def run(data_name: str, passes: int | None, chain: str, seed: int, console: Console) -> None:
    """Show it all.

    Args:
        data_name: see :func:`ffstream.datasets.load`.
        passes: over the data; None for what suits its size.
        chain: see ``ffstream serve``.
        seed: of the network and of the order of frames.
        console: to write to.

    Raises:
        DatasetError: when there is no such data set.
        ClientError: when the service fails.
    """
    data = load(data_name)
    plan = LARGE_PLAN if len(data.x) >= LARGE else SMALL_PLAN
    order = data.order(passes or plan.passes, seed)
    say(console, f"{data.name}: {len(data.x)} frames to learn from, {len(data.x_held)} held out, {data.classes} labels")
    say(console, f"network: {' + '.join(map(str, plan.units))} units; asleep after every {plan.every} labelled frames")
    with Child(plan.flags(data, chain, seed)) as child, Client(child.url(), patience=5.0) as client:
        try:
            wait_until_ready(child, client, console)
            result = learn(child, client, data, order, plan.chunk, console)
            summarize(result, data, len(order), console)
        finally:
            say(console, "stopping the service")
    say(console, "stopped; no folder and no process is left")


def say(console: Console, line: str) -> None:
    """Write one line as it is."""
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def wait_until_ready(child: Child, client: Client, console: Console) -> None:
    """Wait for the layers, telling what is waited for."""
    start = time.monotonic()
    told = ""

    def notice(state: str) -> None:
        nonlocal told
        child.check()
        if state != told:
            told = state
            say(console, f"{client.url}: {state} ({time.monotonic() - start:.1f} s)")

    client.ready(READY_WITHIN, notice)


def learn(child: Child, client: Client, data: Dataset, order: NDArray[np.int64], chunk: int, console: Console) -> Result:
    """Stream the frames and watch; held-out frames are asked about from beginning to end."""
    asker = Asker(client, data, seed=len(order))
    fresh = len(data.x)
    start = time.monotonic()
    milestones: dict[int, float | None] = {}
    asking = Background(asker.ask)
    with closing(asking), View(console) as view:
        for part in np.split(order, sorted({fresh // chunk * chunk, MILESTONE})):
            for status in feed_and_follow(client, data, part, chunk):
                child.check()
                asking.done()
                view.show(Moment(time.monotonic() - start, len(order), fresh, status, asker.now))
            if len(part):
                milestones[status.frames] = status.accuracy
        seconds = time.monotonic() - start
    status = at_rest(client)
    accuracies = {method.value: accuracy(client, data, method.value) for method in Method}
    return Result(status, seconds, milestones, asker.now, accuracies)


def accuracy(client: Client, data: Dataset, method: str) -> float:
    """Share of the held-out frames that the service classifies as labelled."""
    labels = np.concatenate([each.labels for each in held_out(client, data, method)])
    return float((labels == data.y_held).mean())


def at_rest(client: Client) -> Status:
    """The status when the last sleep is over and classification knows all that was learned.

    Raises:
        NotReadyError: when that takes too long.
    """
    end = time.monotonic() + REST_WITHIN
    while time.monotonic() < end:
        status = client.status()
        if status.phase == "wake" and status.reader_seq >= status.seq:
            return status
        time.sleep(0.1)
    raise NotReadyError(f"the service did not come to rest within {REST_WITHIN:.0f} s; last seen asleep or learning")


def summarize(result: Result, data: Dataset, total: int, console: Console) -> None:
    """What came of it, and how to go on."""
    status = result.status
    say(console, "")
    say(console, f"learned {total} frames in {result.seconds:.1f} s ({total / result.seconds:.0f}/s)")
    say(console, f"journal: {status.seq} events, {status.sleeps} of them sleeps with {status.dreams} dreams in all")
    for learned, share in result.milestones.items():
        frames = f"frames {max(1, learned - WINDOW + 1)} to {learned} ({novelty(learned, len(data.x))})"
        say(console, f"prequential accuracy, {frames}: {percent(share)}")
    say(console, f"prequential accuracy, all {status.labelled} frames: {percent(status.accuracy_overall)}")
    for method, share in result.accuracies.items():
        say(console, f"held-out accuracy, {len(data.x_held)} frames, {method}: {percent(share)}")
    asked = result.held_out
    say(console, f"classified {asked.requests} times while learning, {milliseconds(asked.latency)} p50")
    say(console, "")
    say(console, "to keep one running:  make serve")
    say(console, "and to feed it:       ffstream feed digits")
    say(console, "")
