"""The stream as a service: one thread turns it, any thread may feed and classify, failures are recovered from."""

import logging
import operator
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from functools import partial
from typing import Any

import torch
from structlog.contextvars import bind_contextvars

from ffstream.config import NetworkConfig
from ffstream.drift import DriftConfig
from ffstream.errors import FFStreamError
from ffstream.outcome import Outcome, Restored, Saved
from ffstream.schedule import Schedule
from ffstream.stream.events import Barrier, Recorded, Restore
from ffstream.stream.stream import Stream
from ffstream_gateway.archiver import Archiver
from ffstream_gateway.bodies import Taken
from ffstream_gateway.folder import FolderLock, keep_schedule, open_alphabet, open_names, open_network, open_schedule
from ffstream_gateway.following import Following
from ffstream_gateway.readers import Readers
from ffstream_gateway.recent import Recent
from ffstream_gateway.settings import Settings

ATTEMPTS = 5
PAUSE = 0.5
"""Recoveries in a row without anything new learned before the service gives up, and seconds between them, growing."""

TURN = 0.05
REST = 0.1
PATIENT = 0.005
"""Seconds: to wait for an outcome, between two looks at an idle stream, and while a micro-batch fills."""

MODEL = "ffstream"
"""Name of the model where there is one only."""

RATE_OVER = 5.0
LOOKS = 50
"""Seconds over which frames a second are counted, and how often in them."""

COME_AGAIN = 5
LONGEST_WAIT = 60
"""Seconds that a client is asked to wait while nothing is learned, as when the chain opens anew, and at most."""

log = logging.getLogger(__name__)


class State(Enum):
    """What the service can do now. Frames are accepted in all but the last two, classified in all."""

    STARTING = "starting"
    REPLAYING = "replaying"
    READY = "ready"
    RECOVERING = "recovering"
    FAILED = "failed"
    CLOSING = "closing"


class ToldToStopError(Exception):
    """The chain was starting, and need not any more."""


class Service:
    """Owns the stream of one folder.

    Frames are accepted and classified as soon as this is made; :meth:`open` starts the learning. ``alphabet`` is what text is
    read with, None where frames are numbers; ``names`` are what labels are called, None where they are numbers. While
    ``paused`` no frames are to be taken; what waits is learned.

    Args:
        settings: of the model.
        name: that the model goes by.

    Raises:
        ConfigError: when folder and settings do not fit, another service has the folder, or another stream the archive.
    """

    def __init__(self, settings: Settings, name: str = MODEL) -> None:
        torch.set_num_threads(1)
        self.settings = settings
        self.name = name
        self.state = State.STARTING
        self.error: str | None = None
        self.paused = False
        self.recent = Recent()
        self.following = Following(settings.backlog)
        self.opened_at = time.time()
        self._told_to_stop = threading.Event()
        self._lock = FolderLock(settings.folder)
        try:
            network = open_network(settings)
            self.alphabet = open_alphabet(settings, network)
            self.names = open_names(settings)
            self._words = {name: number for number, name in enumerate(self.names or ())}
            self.archiver = Archiver(settings.archive, network, settings) if settings.archive is not None else None
            self.stream = _open_stream(settings, network, self.following, self._starting)
        except BaseException:
            self._lock.free()
            raise
        self.readers = Readers(settings.readers, self.stream.reader)
        self._changing = threading.Lock()
        self._something_to_do = threading.Event()
        self._learned: deque[tuple[float, int]] = deque(maxlen=LOOKS)
        self._thread = threading.Thread(target=self._live, name="learn")

    def open(self) -> None:
        """Start the chain and the learning, in a thread."""
        self._thread.start()
        if self.archiver is not None:
            self.archiver.open()

    def close(self) -> None:
        """Take no more, learn what waits, save, stop everything."""
        with self._changing:
            self.state = State.CLOSING
            self._told_to_stop.set()
        self._something_to_do.set()
        self._thread.join()
        if self.archiver is not None:
            self.archiver.close()
        self._lock.free()

    @property
    def accepts(self) -> bool:
        """Whether frames are accepted now."""
        return self.state not in (State.FAILED, State.CLOSING)

    @property
    def taken(self) -> Taken:
        """What may be fed now."""
        config = self.stream.accepts
        return Taken(config.inputs, config.classes, self._words)

    @property
    def frames_per_second(self) -> float:
        """Frames learned a second, over the last seconds."""
        since = time.monotonic() - RATE_OVER
        learned = [each for each in list(self._learned) if each[0] >= since]
        if len(learned) < 2:
            return 0.0
        (start, before), (end, after) = learned[0], learned[-1]
        return (after - before) / max(end - start, 1e-3)

    def wait_seconds(self) -> int:
        """How long a client had better wait until half of what waits is learned."""
        rate = self.frames_per_second
        if not rate:
            return COME_AGAIN
        return int(min(LONGEST_WAIT, max(1, self.stream.sequencer.waiting / 2 / rate)))

    def nudge(self) -> None:
        """Something was accepted: do not wait for the next look."""
        self._something_to_do.set()

    def request_sleep(self, dreams: int | None) -> Future[Recorded]:
        """See :class:`~ffstream.stream.sequencer.Sequencer`."""
        future = self.stream.sequencer.request_sleep(dreams)
        self.nudge()
        return future

    def request_snapshot(self) -> Future[Recorded]:
        """Have a snapshot taken; answers as soon as its barrier is journaled."""
        future = self.stream.sequencer.request_barrier("request")
        self.nudge()
        return future

    def request_restore(self, snapshot: int) -> Future[Recorded]:
        """See :class:`~ffstream.stream.stream.Stream`. From the answer on the service is not ready until the state is back."""

        def plan() -> Restore:
            restore = self.stream.archive.restore(snapshot)
            self._become(State.REPLAYING, None)
            self._learned.clear()
            return restore

        future = self.stream.sequencer.request(plan)
        self.nudge()
        return future

    def reschedule(self, schedule: Schedule) -> None:
        """Sleep by another schedule, from now on and after a restart."""
        with self._changing:
            keep_schedule(self.settings.folder, schedule)
            self.stream.sequencer.schedule = schedule
        self.nudge()

    def _live(self) -> None:
        """One thread opens, turns and closes the stream."""
        bind_contextvars(model=self.name)
        self._learn()
        self._told_to_stop.wait()
        self.stream.close()

    def _learn(self) -> None:
        """Turn the stream until told to stop; after a failure open the chain anew."""
        failures, furthest = 0, self.stream.progress.seq
        while not self._told_to_stop.is_set():
            self._learned.clear()
            try:
                self.stream.start()
                reached = self.stream.progress.seq
                self.recent.keep(partial(operator.ge, reached))
                self._turn()
                self._finish()
            except ToldToStopError:
                log.info("stopped while the layers were starting; the journal keeps what is not learned for the next start")
            except Exception as error:
                reached = self.stream.progress.seq
                failures = 1 if reached > furthest else failures + 1
                furthest = max(furthest, reached)
                if not self._recovers(error, failures):
                    return

    def _starting(self) -> None:
        """While the chain starts, which takes minutes on a machine that is busy."""
        if self._told_to_stop.is_set():
            raise ToldToStopError

    def _recovers(self, error: Exception, failures: int) -> bool:
        """Whether to try again after ``error``."""
        log.warning("the chain has failed: %s", error, exc_info=None if isinstance(error, FFStreamError) else error)
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        if failures > ATTEMPTS or self._told_to_stop.is_set():
            self._become(State.FAILED, reason)
            log.error("given up after %s failures in a row; accepted frames are kept in %s", failures, self.settings.folder)
            return False
        self._become(State.RECOVERING, reason)
        self._told_to_stop.wait(PAUSE * (failures - 1))
        return True

    def _become(self, state: State, error: str | None) -> None:
        """Another state, unless told to stop: closing is the last one."""
        with self._changing:
            if not self._told_to_stop.is_set():
                self.state, self.error = state, error

    def _turn(self) -> None:
        while not self._told_to_stop.is_set():
            self._look(self.stream.step(TURN))
            self._measure()
            if self.stream.replaying:
                self._become(State.REPLAYING, self.error)
            else:
                self._become(State.READY, None)
            if self.stream.at_rest:
                self._something_to_do.wait(PATIENT if self.stream.sequencer.waiting else REST)
                self._something_to_do.clear()

    def _look(self, outcomes: list[Outcome]) -> None:
        self.readers.publish(self.stream.reader)
        bind_contextvars(epoch=self.stream.epoch, seq=self.stream.progress.seq)
        if any(isinstance(outcome, Restored) for outcome in outcomes):
            self.recent.keep(self.stream.sequencer.lineage.holds)
        if self.archiver is not None and any(isinstance(outcome, Saved) for outcome in outcomes):
            self.archiver.nudge()
        self.recent.observe(outcomes, self.stream.progress)
        self.following.observe(outcomes)

    def _measure(self) -> None:
        now = time.monotonic()
        if not self._learned or now - self._learned[-1][0] >= RATE_OVER / LOOKS:
            self._learned.append((now, self.stream.progress.frames))

    def _finish(self) -> None:
        """Learn what waits as far as time allows, and save when there is something new to save."""
        if not self.stream.drain(self.settings.drain_seconds):
            log.warning("not all was learned in time; the journal keeps the rest for the next start")
        elif self.stream.journal.last_seq > _seq(self.stream.journal.last(Barrier.kind)):
            self.stream.snapshot("stop")


def _seq(recorded: Recorded | None) -> int:
    return recorded.seq if recorded else 0


def _open_stream(settings: Settings, network: NetworkConfig, following: Following, starting: Callable[[], None]) -> Stream:
    """The folder's stream, with its chain still to be started."""
    where: dict[str, Any] = {}
    if settings.chain == "ray":
        from ffstream.actors import Placement, open_stream

        placement = Placement(settings.placement, settings.resources, settings.devices)
        where = {"placement": placement, "node_ip": settings.node_ip, "starting": starting}
    else:
        open_stream, where = Stream.in_process, {"devices": settings.devices}
    return open_stream(
        network,
        open_schedule(settings, network),
        folder=settings.folder,
        power_safe=settings.power_safe,
        snapshot_every=settings.snapshot_every,
        snapshots_kept=settings.snapshots_kept,
        label_lifetime=settings.label_lifetime,
        drift=DriftConfig(settings.drift) if settings.drift is not None else None,
        max_classes=settings.max_classes,
        sending=following.send,
        start=False,
        **where,
    )
