"""Requests followed until their frames are learned, and events until they are through all layers: how long both take."""

import logging
import threading
import time
from collections import deque
from typing import NamedTuple

from prometheus_client import Histogram

from ffstream.outcome import Dreamt, Learned, Outcome, Passed, Published
from ffstream.stream.events import Recorded
from ffstream.stream.journal import FrameRange
from ffstream_gateway.request_ids import request_names
from ffstream_gateway.traces import Traces

LAGS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds at which the histograms are divided."""

UNDER_WAY = 256
"""Events that are followed at once: more than there are credits. Those that a failure took from the chain are forgotten."""

log = logging.getLogger(__name__)


class Accepted(NamedTuple):
    """A request whose frames are journaled: their numbers, when that was, and what names the request."""

    first: int
    last: int
    at: float
    names: dict[str, str]


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
        self.traces = Traces(requests)
        self._accepted: deque[Accepted] = deque(maxlen=requests)
        self._sent: dict[int, Sent] = {}
        self._through = self._seq = 0
        self._changing = threading.Lock()

    def accept(self, frames: FrameRange) -> None:
        """Frames were journaled. May be called from any thread."""
        accepted = Accepted(frames.first, frames.last, time.monotonic(), request_names())
        log.info("accepted", extra={"first": frames.first, "last": frames.last})
        self.traces.accept(frames)
        with self._changing:
            self._accepted.append(accepted)
        self._tell_learned()

    def send(self, recorded: Recorded) -> None:
        """An event is sent into the chain."""
        self.traces.send(recorded)
        if len(self._sent) >= UNDER_WAY:
            del self._sent[next(iter(self._sent))]
        self._sent[recorded.seq] = Sent(recorded.event.kind, time.monotonic())

    def observe(self, outcomes: list[Outcome]) -> None:
        """Take in what came out of the chain."""
        for outcome in outcomes:
            if isinstance(outcome, Published):
                self.traces.publish(outcome)
            if isinstance(outcome, Dreamt | Passed | Published):
                continue
            if (sent := self._sent.pop(outcome.seq, None)) is not None:
                seconds = time.monotonic() - sent.at
                self.durations.labels(sent.kind).observe(seconds)
                log.debug("through", extra={"seq": outcome.seq, "kind": sent.kind, "seconds": round(seconds, 4)})
            if isinstance(outcome, Learned):
                self._through, self._seq = int(outcome.ids[-1]), outcome.seq
                self._tell_learned()
                self.traces.learn(outcome)

    def _tell_learned(self) -> None:
        """All frames up to ``_through`` are learned, some perhaps once more, after a failure."""
        while (accepted := self._next_learned()) is not None:
            seconds = time.monotonic() - accepted.at
            self.lag.observe(seconds)
            told = {"seq": self._seq, **accepted.names, "first": accepted.first, "last": accepted.last}
            log.info("learned", extra={**told, "seconds": round(seconds, 4)})

    def _next_learned(self) -> Accepted | None:
        with self._changing:
            if self._accepted and self._accepted[0].last <= self._through:
                return self._accepted.popleft()
        return None
