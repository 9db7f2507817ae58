"""More frames than a service can learn, questions all the while, and what it makes of that: answers, time and memory."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock

import httpx2
import numpy as np
import psutil

from benchmarks.proof import DATA, marked, require
from ffstream.client import Client
from ffstream.client.calls import npy
from ffstream_gateway.feeding import Background

CHUNK = 100
"""Frames in a request: whole micro-batches, so that none is cut short by the time at which frames come in."""

CONNECTIONS = 6
LATE = 1.0
"""Connections that offer frames, and seconds by which one may be late before it gives up catching up."""

ASK_EVERY = 0.05
LOOK_EVERY = 0.5
"""Seconds between two questions, and between two looks at the memory."""

DRAIN_WITHIN = 300.0
"""Seconds in which what waits is to be learned."""

NO_ANSWER = 0
"""Counted like a status."""


@contextmanager
def meanwhile(work: Callable[[Event], None]) -> Iterator[None]:
    """While this lasts ``work`` is done in a thread of its own, and at the end its last turn is waited for."""
    background = Background(work)
    try:
        yield
    finally:
        background.close()
        while not background.done():
            time.sleep(0.05)


@dataclass
class Answers:
    """What became of requests with frames; ``accepted`` has for every 202 its first frame and the number that it carries."""

    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    accepted: list[tuple[int, int]] = field(default_factory=list)

    def count(self, answer: httpx2.Response | None, number: int) -> bool:
        """Take in one; whether frames from ``number`` on were accepted."""
        self.statuses[_status(answer)] += 1
        if answer is None:
            return False
        if answer.status_code == 202:
            self.accepted.append((int(answer.json()["first"]), number))
            return True
        waits = answer.headers.get("Retry-After", "")
        self.without_retry_after += not (waits.isdecimal() and int(waits) >= 1)
        return False

    def numbers(self) -> list[float]:
        """What the frames of a journal must carry, in its order, if it holds what was acknowledged and nothing else."""
        return [float(number + offset) for _, number in sorted(self.accepted) for offset in range(CHUNK)]


class Feeders:
    """Clients that do not wait when they are asked to: what was refused they offer again in their next request.

    Args:
        url: of the service.
    """

    def __init__(self, url: str) -> None:
        self.answers = Answers()
        self._url = url
        self._numbers = itertools.count(0, CHUNK)
        self._counting = Lock()

    @contextmanager
    def offering(self, frames_per_second: float) -> Iterator[None]:
        """While this lasts so many frames are offered in all, over several connections."""
        apart = CONNECTIONS * CHUNK / frames_per_second
        with ExitStack() as stack:
            for number in range(CONNECTIONS):
                due = time.monotonic() + apart * number / CONNECTIONS
                stack.enter_context(meanwhile(partial(self._offer, due=due, apart=apart)))
            yield

    def _offer(self, stop: Event, due: float, apart: float) -> None:
        number = next(self._numbers)
        with _connection(self._url) as http:
            while not stop.wait(max(0.0, due - time.monotonic())):
                due = max(due + apart, time.monotonic() - LATE)
                if self.offer(http, number):
                    number = next(self._numbers)

    def offer_all(self, frames: int) -> None:
        """Offer so many frames once, which the service has room for."""
        with _connection(self._url) as http:
            for number in itertools.islice(self._numbers, frames // CHUNK):
                self.offer(http, number)

    def offer(self, http: httpx2.Client, number: int) -> bool:
        """One request with the frames that carry ``number`` and those after it; whether they were accepted."""
        x, y = marked(number, CHUNK)
        answer = _post(http, "/feed", npy(x) + npy(y))
        with self._counting:
            return self.answers.count(answer, number)


class Asker:
    """A client that has held-out frames classified, again and again.

    Args:
        url: of the service.
    """

    def __init__(self, url: str) -> None:
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self._url = url

    def ask(self, stop: Event) -> None:
        """Until told to stop."""
        body = npy(DATA.x_held[:10])
        with _connection(self._url) as http:
            while not stop.wait(ASK_EVERY):
                start = time.monotonic()
                answer = _post(http, "/classify", body)
                self.seconds.append(time.monotonic() - start)
                self.statuses[_status(answer)] += 1

    def milliseconds(self, share: float) -> float:
        """In which this share of the answers came."""
        return float(np.quantile(self.seconds, share)) * 1000


class Memory:
    """Resident memory of a program and all its descendants.

    Args:
        process: the program's.
    """

    def __init__(self, process: psutil.Process) -> None:
        self.seen: list[tuple[float, int]] = []
        self._process = process

    def watch(self, stop: Event) -> None:
        """Until told to stop."""
        start = time.monotonic()
        while not stop.wait(LOOK_EVERY):
            self.seen.append((time.monotonic() - start, self._resident()))

    def _resident(self) -> int:
        total = 0
        for process in [self._process, *self._process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def growth(self, after: float) -> int:
        """Bytes by which the most that was seen after so many seconds exceeds what there was then."""
        before = [size for at, size in self.seen if at <= after]
        return max(size for at, size in self.seen if at > after) - before[-1]


def drain(client: Client) -> int:
    """Wait until all that was accepted is learned, or left behind by a restore; returns frames learned."""
    end = time.monotonic() + DRAIN_WITHIN
    while (status := client.status()).through < status.accepted:
        require(time.monotonic() < end, f"not all is learned within {DRAIN_WITHIN:.0f} s")
        time.sleep(0.02)
    return status.frames


def _connection(url: str) -> httpx2.Client:
    return httpx2.Client(base_url=url, timeout=60.0, trust_env=False, headers={"Content-Type": "application/x-npy"})


def _post(http: httpx2.Client, path: str, body: bytes) -> httpx2.Response | None:
    """The answer, None when there is none."""
    with suppress(httpx2.RequestError):
        return http.post(path, content=body)
    return None


def _status(answer: httpx2.Response | None) -> int:
    return NO_ANSWER if answer is None else answer.status_code
