"""How long /classify takes while the service learns all it can, beside how long it takes when there is nothing to learn.

``python -m benchmarks.latency`` (or ``make bench-latency``). One client asks, each question after the answer to the one
before, by every method about one frame and about many; in turns while nothing is fed and while a second program feeds all
that is taken, so that the backlog is always full. Every few answers' weights are compared with what is learned by then. The
worst ratio of p99 under load to p99 idle is reported, each of medians over the turns.
"""

import argparse
import json
import multiprocessing
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.connection import Connection, request
from benchmarks.cost import Cost
from benchmarks.report import RESULTS, table, verdict, write
from ffstream.client import Client, Status
from ffstream.client.calls import npy
from ffstream.datasets import Dataset, load
from ffstream_gateway.child import Child

TARGET = 2.0
"""p99 under load, in p99 idle."""

METHODS = ("one_pass", "goodness", "shortlist")
SIZES = (1, 32)
"""Frames in a question."""

BACKLOG, CHUNK = 2000, 100
REFUSED_FOR = 0.05
"""Frames that may wait, frames in a request of the feeding program, and seconds until it offers again what was refused."""

STALE_EVENTS = 28
STALE_SECONDS = 3.0
"""By which an answer's weights may be behind the newest learned event: a version is published every 20 events, with up to 8
under way behind it; a sleep, which is one event, has to be slept to its end."""

LOOK_EVERY = 5
"""Questions between two looks at what is learned."""

READY_WITHIN = 180.0
WITHIN = 120.0
WARM_UP = 20
"""Seconds; and questions of every kind that do not count."""

SEQ = re.compile(rb'"seq":\s*(\d+)')

Kind = tuple[str, int]
"""A method, and the number of frames asked about."""


@dataclass
class Asked:
    """What came of asking: seconds by kind, turn by turn; by how many events and seconds answers were behind, at most; and
    how many processors the service kept busy, turn by turn.
    """

    seconds: dict[Kind, list[list[float]]] = field(default_factory=dict)
    events_behind: list[int] = field(default_factory=list)
    seconds_behind: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def pooled(self, kind: Kind, share: float) -> float:
        """Milliseconds in which this share of all answers came."""
        return float(np.quantile(np.concatenate(self.seconds[kind]), share)) * 1000

    def p99s(self, kind: Kind) -> list[float]:
        """Milliseconds, turn by turn."""
        return [float(np.quantile(turn, 0.99)) * 1000 for turn in self.seconds[kind]]

    def a_second(self, kind: Kind) -> float:
        """Questions that one client gets answered."""
        return 1.0 / float(np.mean(np.concatenate(self.seconds[kind])))


class Asker:
    """One client that asks a service over one connection.

    Args:
        url: of the service.
        data: whose held-out frames it asks about.
    """

    def __init__(self, url: str, data: Dataset) -> None:
        self._url = url
        self._status = request("GET", "/status")
        self._learned: list[tuple[float, int]] = []
        self.questions = {
            (method, size): request("POST", f"/classify?method={method}", npy(data.x_held[:size]))
            for method in METHODS
            for size in SIZES
        }

    def ask(self, times: int, into: Asked) -> None:
        """Every kind of question so many times, in turns."""
        taken: dict[Kind, list[float]] = {kind: [] for kind in self.questions}
        self._learned.clear()
        with Connection(self._url) as line:
            for number in range(times):
                for kind, whole in self.questions.items():
                    start = time.perf_counter()
                    status, answer = line.ask(whole)
                    taken[kind].append(time.perf_counter() - start)
                    if status != 200:
                        raise ConnectionError(f"a question was answered with {status}: {answer[:200]!r}")
                if number % LOOK_EVERY == 0:
                    self._compare(answer, line, into)
        for kind, seconds in taken.items():
            into.seconds.setdefault(kind, []).append(seconds)

    def _compare(self, answer: bytes, line: Connection, into: Asked) -> None:
        """Note by how much the answer is at most behind what is learned now; how long that has been so may not be known yet."""
        found = SEQ.search(answer)
        assert found is not None, "an answer names its weights"
        seq, learned, now = int(found[1]), int(json.loads(line.ask(self._status)[1])["seq"]), time.perf_counter()
        newest = [at for at, then in self._learned if then <= seq]
        self._learned.append((now, learned))
        into.events_behind.append(max(0, learned - seq))
        if learned <= seq or newest:
            into.seconds_behind.append(0.0 if learned <= seq else now - newest[-1])


def offer(url: str, body: bytes, stop: Event) -> None:
    """Feed the same frames again and again, as fast as they are taken. Runs in a process of its own."""
    whole, status = request("POST", "/feed", body), 0
    with Connection(url) as line:
        while not stop.wait(0.0 if status == 202 else REFUSED_FOR):
            status, _ = line.ask(whole)


@contextmanager
def offering(url: str, body: bytes) -> Iterator[None]:
    """While this lasts a second program feeds."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    feeding = context.Process(target=offer, args=(url, body, stop))
    feeding.start()
    try:
        yield
    finally:
        stop.set()
        feeding.join()


def body_of(data: Dataset, frames: int) -> bytes:
    """So many frames with their labels."""
    chosen = np.arange(frames) % len(data.x)
    return npy(data.x[chosen]) + npy(data.y[chosen])


def rest(client: Client) -> None:
    """Wait until all is learned and published."""

    def rests(status: Status) -> bool:
        return status.frames == status.accepted and status.reader_seq == status.seq

    until(client, rests)


def until(client: Client, holds: Callable[[Status], bool]) -> None:
    """Look at the status again and again.

    Raises:
        TimeoutError: when it does not come to that.
    """
    end = time.monotonic() + WITHIN
    while not holds(client.status()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited for {WITHIN:.0f} s")
        time.sleep(0.02)


def own_flags(data: Dataset) -> list[str]:
    """Of a service that is asked and fed."""
    return ["--backlog", str(BACKLOG), "--idle", "never", f"--inputs={data.inputs}", f"--classes={data.classes}"]


def prepared(client: Client, data: Dataset) -> Asker:
    """Who asks a service that is ready, has learned something, and has answered every question."""
    client.ready(READY_WITHIN)
    client.feed(data.x[:BACKLOG], data.y[:BACKLOG])
    rest(client)
    asker = Asker(client.url, data)
    asker.ask(WARM_UP, Asked())
    return asker


def measure(data: Dataset, flags: list[str], repeats: int, times: int) -> tuple[Asked, Asked, float]:
    """What came of asking while nothing was fed, and under load; and the frames learned a second meanwhile."""
    idle, loaded, rates = Asked(), Asked(), []
    with Child(own_flags(data) + flags) as child, Client(child.url()) as client:
        asker = prepared(client, data)
        for turn in range(repeats):
            for into in (idle, loaded) if turn % 2 else (loaded, idle):
                if into is idle:
                    take_turn(asker, times, into, child)
                else:
                    rates.append(take_loaded_turn(asker, times, into, child, client, body_of(data, CHUNK)))
            print(f"  {turn + 1}/{repeats} {tell(idle)} idle, {tell(loaded)} under load", file=sys.stderr, flush=True)
    return idle, loaded, median(rates)


def take_turn(asker: Asker, times: int, into: Asked, child: Child) -> None:
    """One while nothing is fed."""
    began = Cost.until_now(child.process)
    asker.ask(times, into)
    taken = Cost.until_now(child.process) - began
    into.cpu.append(taken.cpu / taken.wall)


def take_loaded_turn(asker: Asker, times: int, into: Asked, child: Child, client: Client, body: bytes) -> float:
    """One under load; frames learned a second meanwhile."""
    with offering(client.url, body):
        until(client, lambda status: status.waiting > BACKLOG / 2)
        before, start = client.status().frames, time.monotonic()
        take_turn(asker, times, into, child)
        learned = (client.status().frames - before) / (time.monotonic() - start)
    rest(client)
    return float(learned)


def tell(asked: Asked) -> str:
    """The last turn, for whoever waits."""
    return ", ".join(f"{turns[-1]:.0f}" for turns in map(asked.p99s, asked.seconds)) + " ms p99"


def ratios(idle: Asked, loaded: Asked) -> dict[Kind, float]:
    """p99 under load in p99 idle, by kind of question."""
    return {kind: median(loaded.p99s(kind)) / median(idle.p99s(kind)) for kind in idle.seconds}


def report(idle: Asked, loaded: Asked, learned: float, title: str) -> str:
    """Markdown."""
    rows = []
    for kind, ratio in ratios(idle, loaded).items():
        cells = [f"{each.pooled(kind, share):.1f}" for each in (idle, loaded) for share in (0.5, 0.99, 0.999)]
        rows.append([kind[0], str(kind[1]), *cells, f"{ratio:.2f}", *(f"{each.a_second(kind):.0f}" for each in (idle, loaded))])
    names = [f"{name} {when}" for when in ("idle", "loaded") for name in ("p50", "p99", "p99.9")]
    header = ["method", "frames", *names, "p99 ratio", "a second, idle", "loaded"]
    events, seconds = np.array(loaded.events_behind), np.array([0.0, *loaded.seconds_behind])
    lines = [
        f"Weights behind what was learned, under load: {np.median(events):.0f} events and {np.median(seconds):.2f} s (median), "
        f"{events.max():.0f} and {seconds.max():.2f} s at most.",
        f"Learned meanwhile: {learned:.0f} frames a second. Processors kept busy by the service: {median(idle.cpu):.2f} idle, "
        f"{median(loaded.cpu):.2f} under load.",
    ]
    return f"# Latency\n\n{title}\n\n{table(header, rows)}\n" + "\n".join(lines) + "\n"


def main() -> None:
    """Measure, then say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="digits", help="as ffstream.datasets.load takes it")
    parser.add_argument("--flags", nargs="*", default=[], help="of ffstream serve")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--times", type=int, default=300, help="that every question is asked in a turn")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    told = parser.parse_args()
    idle, loaded, learned = measure(load(told.data), told.flags, told.repeats, told.times)
    title = (
        f"{told.data}, {' '.join(told.flags) or 'the default network'}; {told.repeats * told.times} questions of a kind; ms."
    )
    write(told.results / "latency.md", report(idle, loaded, learned, title))
    found = ratios(idle, loaded)
    events, seconds = max(loaded.events_behind), max(loaded.seconds_behind, default=0.0)
    bounded = events <= STALE_EVENTS and seconds <= STALE_SECONDS
    value = max(found.values())
    by_kind = {f"{method}, {size}": round(ratio, 3) for (method, size), ratio in found.items()}
    stale = {"stale_events": events, "stale_seconds": seconds, "stale_events_target": STALE_EVENTS}
    verdict("latency", value=value, target=TARGET, met=value <= TARGET and bounded, ratios=by_kind, learned=learned, **stale)


if __name__ == "__main__":
    main()
