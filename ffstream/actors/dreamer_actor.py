"""The dreamer as a Ray actor: the end of the chain, from which outcomes go to the driver and dreams to the first layer."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from ffstream.actors.layer_actor import Publication
from ffstream.actors.part import Guard, Pulse, Saver
from ffstream.actors.wire import Packed, pack, unpack
from ffstream.config import NetworkConfig
from ffstream.dreamer import UNDER_WAY, Dreamer
from ffstream.message import Batch, Message
from ffstream.outcome import Dreamt, Passed, Restored, Saved, Slept
from ffstream.stage import restore
from ffstream.stream.events import Barrier, Recorded, Restore, Sleep
from ffstream.stream.snapshot import Manifest, read_part
from ffstream.stream.sqlite_journal import SqliteJournal


@dataclass
class Asleep:
    """A sleep in progress: dreams still to be sent, and how many batches were sent and came back."""

    seq: int
    dreams: Iterator[Batch]
    sent: int = 0
    back: int = 0


@dataclass
class Outbox:
    """Packed outcomes that wait for the driver; several threads put, one takes."""

    _waiting: list[Packed | Publication] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, outcome: Packed | Publication) -> None:
        """Add one."""
        with self._changed:
            self._waiting.append(outcome)
            self._changed.notify()

    def take(self, timeout: float) -> list[Packed | Publication]:
        """All there are; waits up to ``timeout`` seconds for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout)
            taken, self._waiting = self._waiting, []
            return taken


class DreamerActor:
    """A shell around :class:`~ffstream.dreamer.Dreamer`.

    It reads dreamt frames back from the journal itself. In sleep it keeps a few batches of dreams under way: each one that
    comes back from the last layer lets another go in at the first.

    Args:
        config: of the network.
        journal: file of the SQLite journal.
        snapshots: folder that all actors see.
        start: snapshot to begin from.
    """

    def __init__(self, config: NetworkConfig, journal: Path, snapshots: Path, start: Manifest | None) -> None:
        self.guard = Guard("dreamer")
        self.parts = {"dreamer", *(f"layer-{index}" for index in range(config.depth))}
        self.dreamer = Dreamer(config, SqliteJournal(journal, config.inputs, read_only=True).recall)
        self.first: Any = None
        self.outbox = Outbox()
        self.saver = Saver(self.guard, snapshots, self._saved)
        self._asleep: Asleep | None = None
        self._files: dict[int, dict[str, str]] = {}
        self._saving = threading.Lock()
        if start is not None:
            restore(self.dreamer.state(), read_part(snapshots, start, self.guard.name))

    @ray.method(concurrency_group="learn")
    def connect(self, first: Any) -> None:
        """Say where dreams go in."""
        self.first = first

    @ray.method(concurrency_group="learn")
    def learn(self, packed: Packed) -> None:
        """What the last layer hands on."""
        with self.guard():
            outcome = self.dreamer.finish(unpack(packed, Message))
            self.outbox.put(pack(outcome))
            if isinstance(outcome, Dreamt):
                assert self._asleep is not None, f"a dream of event {outcome.seq} came while awake"
                self._asleep.back += 1
                self._dream(self._asleep)

    @ray.method(concurrency_group="learn")
    def mark(self, recorded: Recorded) -> None:
        """A sleep, a barrier or a restore has passed all layers."""
        with self.guard():
            match recorded.event:
                case Sleep() as sleep:
                    self._asleep = Asleep(recorded.seq, self.dreamer.dreams(recorded, sleep))
                    self._dream(self._asleep)
                case Barrier():
                    self.outbox.put(pack(Passed(recorded.seq)))
                    self.saver.save(recorded.seq, self.dreamer.state())
                case Restore() as restore:
                    self.outbox.put(pack(Restored(recorded.seq, restore.last)))

    def _dream(self, asleep: Asleep) -> None:
        """Send dreams until enough are under way; wake up when the last is back."""
        while asleep.sent - asleep.back < UNDER_WAY:
            batch = next(asleep.dreams, None)
            if batch is None:
                break
            asleep.sent += 1
            self.first.enter.remote(pack(batch))
        if asleep.sent == asleep.back:
            self._asleep = None
            self.outbox.put(pack(Slept(asleep.seq, asleep.sent)))

    @ray.method(concurrency_group="learn")
    def publish(self, publication: Publication) -> None:
        """A publish marker has passed all layers."""
        self.outbox.put(publication)

    @ray.method(concurrency_group="ctl")
    def saved(self, seq: int, part: str, sha256: str) -> None:
        """A layer has written its part of snapshot ``seq``."""
        self._saved(seq, part, sha256)

    def _saved(self, seq: int, part: str, sha256: str) -> None:
        with self._saving:
            files = self._files.setdefault(seq, {})
            files[part] = sha256
            if files.keys() == self.parts:
                self.outbox.put(pack(Saved(seq, self._files.pop(seq))))

    @ray.method(concurrency_group="ctl")
    def outcomes(self, timeout: float) -> list[Packed | Publication]:
        """What waits for the driver; waits up to ``timeout`` seconds for the first."""
        return self.outbox.take(timeout)

    @ray.method(concurrency_group="learn")
    def digest(self) -> str:
        """A sha256 of the whole state."""
        return self.dreamer.digest()

    @ray.method(concurrency_group="ctl")
    def pulse(self) -> Pulse:
        """A sign of life."""
        return self.guard.pulse()
