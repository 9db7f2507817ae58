"""Figures for Prometheus, read from the service when they are asked for."""

import time
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ffstream.polarity import Phase
from ffstream_gateway.service import Service, State

CLASSIFIED = 500
"""Answers of ``/classify`` whose times are kept."""

STREAM = "/events"
"""A route whose answer takes as long as somebody listens: its time says nothing."""


class Metrics(Collector):
    """All figures of one service, in a registry of their own."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "ffstream_http_seconds", "Time to answer.", ["route", "method", "status"], registry=self.registry
        )
        self.classified: deque[float] = deque(maxlen=CLASSIFIED)
        self.registry.register(self)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """An answer was given, in so many seconds."""
        self.requests.labels(route, method, status).observe(seconds)
        if route == "/classify" and status == HTTPStatus.OK:
            self.classified.append(seconds)

    def collect(self) -> Iterable[Metric]:
        """See :class:`prometheus_client.registry.Collector`."""
        stream, progress = self.service.stream, self.service.stream.progress
        yield CounterMetricFamily("ffstream_frames_accepted", "Frames journaled.", value=stream.journal.last_frame)
        yield CounterMetricFamily("ffstream_frames_learned", "Frames learned.", value=progress.frames)
        yield CounterMetricFamily("ffstream_dreams", "Negatives learned in sleep.", value=progress.dreams)
        yield CounterMetricFamily("ffstream_sleeps", "Sleeps slept.", value=progress.sleeps)
        yield CounterMetricFamily("ffstream_drifts", "Times that the stream was found to have changed.", value=progress.drifts)
        sequencer = stream.sequencer
        yield GaugeMetricFamily("ffstream_frames_waiting", "Frames accepted and not under way.", value=sequencer.waiting)
        yield GaugeMetricFamily("ffstream_sleep_owed", "Labelled frames since the last sleep.", value=sequencer.debt.frames)
        yield GaugeMetricFamily("ffstream_asleep", "1 in sleep.", value=progress.phase is Phase.SLEEP)
        yield GaugeMetricFamily("ffstream_ready", "1 when ready.", value=self.service.state is State.READY)
        yield GaugeMetricFamily("ffstream_seq", "Last event learned.", value=progress.seq)
        yield GaugeMetricFamily("ffstream_reader_seq", "Last event in the weights that classify.", value=stream.reader.seq)
        yield GaugeMetricFamily("ffstream_classes", "Labels known.", value=stream.config.classes)
        if progress.accuracy is not None:
            yield GaugeMetricFamily("ffstream_accuracy", "Prequential, last 500 labelled frames.", value=progress.accuracy)
        yield self._by_layer()

    def _by_layer(self) -> Metric:
        family = GaugeMetricFamily("ffstream_goodness", "Mean of the latest batch.", labels=["layer", "polarity"])
        for polarity, reports in self.service.stream.progress.goodness.items():
            for number, report in enumerate(reports, start=1):
                family.add_metric([str(number), polarity.value], report.goodness)
        return family


class Timed:
    """ASGI middleware that times every answer by its route, but for the stream of events."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and take the time."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            if route != STREAM:
                self.metrics.observe(route, scope["method"], status, time.perf_counter() - start)
