"""Figures for Prometheus, read from the service when they are asked for."""

import logging
import platform
import time
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

import torch
from prometheus_client import CollectorRegistry, Histogram, Info, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, StateSetMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import ffstream
from ffstream.polarity import Phase
from ffstream.stream.stream import JOURNAL
from ffstream_gateway.service import Service, State

CLASSIFIED = 500
"""Answers of ``/classify`` whose times are kept."""

STREAM = "/events"
"""A route whose answer takes as long as somebody listens: its time says nothing."""

PROBES = ("/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready", "/v2/models/{name}/ready")
"""Asked so often by machines that they are logged for debugging only."""

log = logging.getLogger(__name__)


class Metrics(Collector):
    """All figures of one service, in a registry of their own: ``_total`` counts, ``_seconds`` and ``_bytes`` are units."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "ffstream_http_request_duration_seconds", "Time to answer.", ["route", "method", "status"], registry=self.registry
        )
        self.classified: deque[float] = deque(maxlen=CLASSIFIED)
        ProcessCollector(registry=self.registry)
        Info("ffstream_build", "What runs here.", registry=self.registry).info(_build(service))
        for collector in (service.following.lag, service.following.durations, self):
            self.registry.register(collector)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """An answer was given, in so many seconds."""
        self.requests.labels(route, method, status).observe(seconds)
        if route == "/classify" and status == HTTPStatus.OK:
            self.classified.append(seconds)

    def collect(self) -> Iterable[Metric]:
        """See :class:`prometheus_client.registry.Collector`."""
        yield from self._counters()
        yield from self._gauges()
        state = self.service.state.value
        yield StateSetMetricFamily("ffstream_state", "Of the service.", {each.value: each.value == state for each in State})
        yield self._by_layer()

    def _counters(self) -> Iterable[Metric]:
        stream, progress = self.service.stream, self.service.stream.progress
        yield CounterMetricFamily("ffstream_frames_accepted", "Frames journaled.", value=stream.journal.last_frame)
        yield CounterMetricFamily("ffstream_frames_learned", "Frames learned.", value=progress.frames)
        yield CounterMetricFamily("ffstream_dreams", "Negatives learned in sleep.", value=progress.dreams)
        yield CounterMetricFamily("ffstream_sleeps", "Sleeps slept.", value=progress.sleeps)
        yield CounterMetricFamily("ffstream_drifts", "Times that the stream was found to have changed.", value=progress.drifts)
        restarts = self.service.readers.restarts
        yield CounterMetricFamily("ffstream_reader_restarts", "Readers that died and were replaced.", value=restarts)
        if self.service.archiver is not None:
            failures = self.service.archiver.failures
            yield CounterMetricFamily("ffstream_archive_failures", "States that could not be archived.", value=failures)
        yield CounterMetricFamily("ffstream_chain_openings", "Openings of the chain, recoveries included.", value=stream.epoch)

    def _gauges(self) -> Iterable[Metric]:
        stream, progress = self.service.stream, self.service.stream.progress
        sequencer = stream.sequencer
        yield GaugeMetricFamily("ffstream_frames_waiting", "Frames accepted and not under way.", value=sequencer.waiting)
        yield GaugeMetricFamily("ffstream_backlog_limit_frames", "Frames that may wait.", value=self.service.settings.backlog)
        yield GaugeMetricFamily("ffstream_sleep_owed_frames", "Learned since the last sleep.", value=sequencer.debt.frames)
        yield GaugeMetricFamily("ffstream_asleep", "1 in sleep.", value=progress.phase is Phase.SLEEP)
        yield GaugeMetricFamily("ffstream_ready", "1 when ready.", value=self.service.state is State.READY)
        yield GaugeMetricFamily("ffstream_feeding_paused", "1 while no frames are taken.", value=self.service.paused)
        yield GaugeMetricFamily("ffstream_seq", "Last event learned.", value=progress.seq)
        yield GaugeMetricFamily("ffstream_reader_seq", "Last event in the weights that classify.", value=stream.reader.seq)
        readers = len(self.service.readers.ready)
        yield GaugeMetricFamily("ffstream_readers", "Processes that answer /classify beside the gateway's.", value=readers)
        yield GaugeMetricFamily("ffstream_classes", "Labels known.", value=stream.config.classes)
        size = sum(map(_size, self.service.settings.folder.glob(f"{JOURNAL}*")))
        yield GaugeMetricFamily("ffstream_journal_size_bytes", "Of the journal's files.", value=size)
        if self.service.archiver is not None:
            yield GaugeMetricFamily("ffstream_archive_seq", "Last event archived.", value=self.service.archiver.seq)
        if progress.accuracy is not None:
            yield GaugeMetricFamily(
                "ffstream_accuracy_ratio", "Prequential, last 500 labelled frames.", value=progress.accuracy
            )

    def _by_layer(self) -> Metric:
        family = GaugeMetricFamily("ffstream_goodness", "Mean of the latest batch.", labels=["layer", "polarity"])
        for polarity, reports in self.service.stream.progress.goodness.items():
            for number, report in enumerate(reports, start=1):
                family.add_metric([str(number), polarity.value], report.goodness)
        return family


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # the database removes its log as it is closed
        return 0


def _build(service: Service) -> dict[str, str]:
    """Versions, and the shape of the network."""
    config = service.stream.config
    return {
        "version": ffstream.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "chain": service.settings.chain,
        "inputs": str(config.inputs),
        "classes": str(config.classes),
        "units": ",".join(map(str, config.units)),
    }


class Timed:
    """ASGI middleware that times and logs every answer, by its route, but for the stream of events."""

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
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", "other")
            if route != STREAM:
                self.metrics.observe(route, scope["method"], status, seconds)
            asked = {"method": scope["method"], "path": scope["path"], "status": status, "seconds": round(seconds, 4)}
            log.log(logging.DEBUG if route in PROBES else logging.INFO, "answered", extra=asked)
