"""What changes from second to second, made once for all who listen."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import numpy as np
from fastapi.concurrency import run_in_threadpool

from ffstream.polarity import Phase, Polarity
from ffstream.stream.events import Sleep
from ffstream.stream.snapshot import committed
from ffstream_gateway.last_drift import last_drift
from ffstream_gateway.look_models import Latency, LayerMeans, Moment
from ffstream_gateway.metrics import Metrics
from ffstream_gateway.problems import Problem
from ffstream_gateway.service import Service

EVERY = 1.0
"""Seconds between two moments."""

LISTENERS = 64
"""Connections that may listen at once."""


class Moments:
    """Tells all listeners the same, once a second.

    Args:
        service: whose moments they are.
        metrics: that know how long answers take.
    """

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self.service = service
        self.listeners = 0
        self._metrics = metrics
        self._making = threading.Lock()
        self._made: tuple[float, Moment] | None = None
        self._ending = asyncio.Event()

    def require_room(self) -> None:
        """Make sure that one more may listen.

        Raises:
            Problem: 503 when too many do.
        """
        if self.listeners >= LISTENERS:
            detail = f"{self.listeners} connections listen already, which is the limit"
            raise Problem(503, "listeners", detail, headers={"Retry-After": "10"})

    async def listen(self) -> AsyncIterator[Moment]:
        """A moment now, and one every second until the service stops."""
        self.listeners += 1
        try:
            yield await run_in_threadpool(self.now)
            while not self._ending.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), EVERY)
                yield await run_in_threadpool(self.now)
        finally:
            self.listeners -= 1

    def end(self) -> None:
        """Let all listeners go: a server that stops would wait for them."""
        self._ending.set()

    def now(self) -> Moment:
        """The present moment, or one that is not half a second old."""
        with self._making:
            if self._made is None or time.monotonic() - self._made[0] >= EVERY / 2:
                self._made = time.monotonic(), self._make()
            return self._made[1]

    def _make(self) -> Moment:
        service, stream, progress = self.service, self.service.stream, self.service.stream.progress
        saved = committed(stream.archive.root) if stream.archive.root is not None else []
        return Moment(
            state=service.state.value,
            error=service.error,
            paused=service.paused,
            at=time.time(),
            phase=progress.phase.value,
            since=self._since(progress.phase),
            owed=stream.sequencer.debt.frames,
            seq=progress.seq,
            reader_seq=stream.reader.seq,
            classes=stream.config.classes,
            accepted=stream.journal.last_frame,
            frames=progress.frames,
            waiting=stream.sequencer.waiting,
            frames_per_second=round(service.frames_per_second, 1),
            accuracy=progress.accuracy,
            accuracy_overall=progress.accuracy_overall,
            labelled=progress.labelled,
            sleeps=progress.sleeps,
            dreams=progress.dreams,
            drifts=progress.drifts,
            last_drift=last_drift(stream),
            layers=self._layers(),
            latency=self._latency(),
            snapshots=len(saved),
            newest_snapshot=max(saved, default=None),
        )

    def _since(self, phase: Phase) -> float:
        woke_at = self.service.recent.woke_at
        if phase is Phase.WAKE and woke_at is not None:
            return woke_at
        last = self.service.stream.journal.last(Sleep.kind)
        return last.at if last else self.service.opened_at

    def _layers(self) -> list[LayerMeans]:
        reports = self.service.stream.progress.goodness

        def mean(polarity: Polarity, index: int) -> float | None:
            return reports[polarity][index].goodness if polarity in reports else None

        depth = range(self.service.stream.config.depth)
        return [LayerMeans(positive=mean(Polarity.POSITIVE, at), negative=mean(Polarity.NEGATIVE, at)) for at in depth]

    def _latency(self) -> Latency:
        seconds = list(self._metrics.classified)
        p50, p99 = np.percentile(seconds, (50, 99)).tolist() if seconds else (None, None)
        return Latency(answers=len(seconds), p50=p50, p99=p99)
