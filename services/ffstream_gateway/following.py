"""Requests followed until their frames are learned, and events until they are through all layers: how long both take."""

import threading
import time
from collections import deque
from typing import NamedTuple

from prometheus_client import Histogram

from ffstream.outcome import Dreamt, Learned, Outcome, Passed, Published
from ffstream.stream.events import Recorded
from ffstream.stream.journal import FrameRange

LAGS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds at which the histograms are divided."""

UNDER_WAY = 256
"""Events that are followed at once: more than there are credits. Those that a failure took from the chain are forgotten."""


class Accepted(NamedTuple):
    """A request whose frames are journaled: their numbers, and when that was."""

    first: int
    last: int
    at: float


class Sent(NamedTuple):
    """An event that was sent into the chain: its kind, and when that was."""

    kind: str
    at: float


class Following:
    """Times of requests and events, and histograms of them.

    Args:
        requests: that are followed at once, at most; of more, the oldest are forgotten.
    """

    def __init__(self, requests: int) -> None:
        self.lag = Histogram(
            "ffstream_learn_lag_seconds", "From journaled to learned, by request.", buckets=LAGS, registry=None
        )
        self.durations = Histogram(
            "ffstream_event_duration_seconds",
            "From sent into the chain to come out of it.",
            ["kind"],
            buckets=DURATIONS,
            registry=None,
        )
        self._accepted: deque[Accepted] = deque(maxlen=requests)
        self._sent: dict[int, Sent] = {}
        self._through = 0
        self._changing = threading.Lock()

    def accept(self, frames: FrameRange) -> None:
        """Frames were journaled. May be called from any thread."""
        with self._changing:
            self._accepted.append(Accepted(frames.first, frames.last, time.monotonic()))
            self._learned_through(self._through)

    def send(self, recorded: Recorded) -> None:
        """An event is sent into the chain."""
        if len(self._sent) >= UNDER_WAY:
            del self._sent[next(iter(self._sent))]
        self._sent[recorded.seq] = Sent(recorded.event.kind, time.monotonic())

    def observe(self, outcomes: list[Outcome]) -> None:
        """Take in what came out of the chain."""
        for outcome in outcomes:
            if isinstance(outcome, Dreamt | Passed | Published):
                continue
            if (sent := self._sent.pop(outcome.seq, None)) is not None:
                self.durations.labels(sent.kind).observe(time.monotonic() - sent.at)
            if isinstance(outcome, Learned):
                with self._changing:
                    self._learned_through(int(outcome.ids[-1]))

    def _learned_through(self, number: int) -> None:
        """All frames up to ``number`` are learned, also when they are so for the second time."""
        self._through = max(self._through, number)
        while self._accepted and self._accepted[0].last <= self._through:
            self.lag.observe(time.monotonic() - self._accepted.popleft().at)
