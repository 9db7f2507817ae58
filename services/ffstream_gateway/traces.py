"""Traces of requests that feed, by OpenTelemetry: from the request to the weights that have learned from it.

FastAPI makes the span of the request, a child of the caller's ``traceparent``, and sends traces by OTLP to
``OTEL_EXPORTER_OTLP_ENDPOINT``; sampling and the rest are OpenTelemetry's environment variables too. Here are the parts: in the
request ``validate`` and ``journal``, after it ``wait``, ``learn`` and ``publish``. Without an endpoint OpenTelemetry's kit is
not loaded, and a request that is not sampled costs a look at a variable.
"""

import os
import threading
import time
from collections import deque
from collections.abc import MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext

import ffstream
from ffstream.outcome import Learned, Published
from ffstream.stream.events import Recorded, Wake
from ffstream.stream.journal import FrameRange
from ffstream_gateway.mounted import MODEL_OF

NAME = "ffstream"
ENDLESS = frozenset({"/events", "/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
"""Not traced: what takes as long as somebody listens, and what machines ask all the time."""

RECENT = 256
"""Micro-batches that are remembered for requests that are heard of only after these were sent."""

tracer = trace.get_tracer(NAME, ffstream.__version__)


def telemetry() -> TelemetryConfig:
    """What FastAPI is to do: requests and WebSockets as spans, exported as the environment says."""
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not named:
        os.environ["OTEL_SERVICE_NAME"] = NAME
    return TelemetryConfig(  # the service has metrics and logs of its own
        metrics=False, logs=False, operation_spans=False, auto_configure=True, exclude=_is_endless
    )


def _is_endless(scope: MutableMapping[str, Any]) -> bool:
    path: str = MODEL_OF.sub("", scope["path"])
    return path in ENDLESS


def part(name: str) -> AbstractContextManager[Span]:
    """A span of a part of what is done for a request, if the request is traced."""
    around = trace.get_current_span()
    return tracer.start_as_current_span(name) if around.is_recording() else nullcontext(around)


def names() -> dict[str, str]:
    """The trace of the present request, for what is logged; nothing when it is not traced."""
    span = trace.get_current_span()
    return {"trace_id": format(span.get_span_context().trace_id, "032x")} if span.is_recording() else {}


class Sent(NamedTuple):
    """A micro-batch that was sent into the chain: its event and its frames, and when that was."""

    seq: int
    first: int
    last: int
    at: int


@dataclass
class Traced:
    """A request whose frames are journaled: when that was, and when the first of them was sent and all were learned."""

    first: int
    last: int
    context: SpanContext
    at: int
    sent: Sent | None = None
    seq: int = 0
    learned: int = 0


class Traces:
    """What becomes of the frames of traced requests. Times are Unix times in nanoseconds.

    Args:
        requests: that are followed at once, at most; of more, the oldest are forgotten.
    """

    def __init__(self, requests: int) -> None:
        self._waiting: deque[Traced] = deque(maxlen=requests)
        self._learned: deque[Traced] = deque(maxlen=requests)
        self._recent: deque[Sent] = deque(maxlen=RECENT)
        self._through: tuple[int, int] = (0, 0)
        self._changing = threading.Lock()

    def accept(self, frames: FrameRange) -> None:
        """Frames of the present request were journaled. May be called from any thread."""
        span = trace.get_current_span()
        if not span.is_recording():
            return
        span.set_attributes(_frames(frames.first, frames.last))
        traced = Traced(frames.first, frames.last, span.get_span_context(), time.time_ns())
        with self._changing:
            traced.sent = next((sent for sent in self._recent if sent.first <= traced.first <= sent.last), None)
            self._waiting.append(traced)
        self._tell_learned()

    def send(self, recorded: Recorded) -> None:
        """An event is sent into the chain."""
        if not isinstance(recorded.event, Wake):
            return
        sent = Sent(recorded.seq, recorded.event.first, recorded.event.last, time.time_ns())
        with self._changing:
            self._recent.append(sent)
            for traced in self._waiting:
                if traced.first > sent.last:
                    break
                if traced.sent is None and traced.first >= sent.first:
                    traced.sent = sent

    def learn(self, outcome: Learned) -> None:
        """A micro-batch has come out of the chain."""
        self._through = int(outcome.ids[-1]), outcome.seq
        self._tell_learned()

    def publish(self, outcome: Published) -> None:
        """New weights classify."""
        now = time.time_ns()
        while self._learned and self._learned[0].seq <= outcome.seq:
            traced = self._learned.popleft()
            _tell(traced, "publish", traced.learned, now, {"ffstream.seq": outcome.seq})

    def _tell_learned(self) -> None:
        now = time.time_ns()
        while (traced := self._next_learned()) is not None:
            begun, first = (traced.at, traced.seq) if traced.sent is None else (max(traced.at, traced.sent.at), traced.sent.seq)
            _tell(traced, "wait", traced.at, begun, {})
            _tell(traced, "learn", begun, now, {"ffstream.seq.first": first, "ffstream.seq": traced.seq})
            traced.learned = now
            self._learned.append(traced)

    def _next_learned(self) -> Traced | None:
        with self._changing:
            through, seq = self._through
            if not self._waiting or self._waiting[0].last > through:
                return None
            traced = self._waiting.popleft()
            traced.seq = seq
            return traced


def _tell(traced: Traced, name: str, begin: int, end: int, attributes: dict[str, int]) -> None:
    """A span of a request that may be answered already."""
    parent = trace.set_span_in_context(NonRecordingSpan(traced.context))
    told = attributes | _frames(traced.first, traced.last)
    tracer.start_span(name, parent, attributes=told, start_time=begin).end(end)


def _frames(first: int, last: int) -> dict[str, int]:
    return {"ffstream.frame.first": first, "ffstream.frame.last": last}
