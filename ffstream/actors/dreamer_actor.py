"""The dreamer as a Ray actor: the end of the chain, from which outcomes go to the driver and dreams to the first layer."""

import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import ray

from ffstream.actors.layer_actor import Publication
from ffstream.actors.part import Blob, Guard, Pulse, Saver
from ffstream.actors.wire import Packed, pack, unpack
from ffstream.change import change_dreamer
from ffstream.config import NetworkConfig
from ffstream.dreamer import AHEAD, UNDER_WAY, Dreamer
from ffstream.message import BUNDLE, Batch, Message
from ffstream.outcome import Changed, Passed, Restored, Saved
from ffstream.stage import restore
from ffstream.stream.events import Barrier, Change, Recorded, Restore, Sleep
from ffstream.stream.snapshot import Manifest, folder_of, read_part, write_blob
from ffstream.stream.sqlite_journal import SqliteJournal


@dataclass
class Asleep:
    """A sleep in progress: dreams still to be sent, how many may be under way, and how many were sent and came back."""

    seq: int
    dreams: Iterator[Batch]
    ahead: int
    sent: int = 0
    back: int = 0


@dataclass
class Outbox:
    """Packed outcomes that wait for the driver; several threads put, one takes."""

    _waiting: list[Packed | Publication] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, *outcomes: Packed | Publication) -> None:
        """Add some, all at once."""
        with self._changed:
            self._waiting += outcomes
            self._changed.notify()

    def take(self, timeout: float) -> list[Packed | Publication]:
        """All there are; waits up to ``timeout`` seconds for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout)
            taken, self._waiting = self._waiting, []
            return taken


class Epoch:
    """What a dreamer is between two failures; what is left of the one before cannot reach it.

    Args:
        number: of the epoch.
        dreamer: to begin with.
        first: the first layer's actor, where dreams go in.
    """

    def __init__(self, number: int, dreamer: Dreamer, first: Any) -> None:
        self.number, self.dreamer, self.first = number, dreamer, first
        self.outbox = Outbox()
        self.asleep: Asleep | None = None
        self.files: dict[int, dict[str, str]] = {}


class DreamerActor:
    """A shell around :class:`~ffstream.dreamer.Dreamer`.

    It reads dreamt frames back from the journal itself. In sleep it keeps a few batches of dreams under way: each one that
    comes back from the last layer lets another go in at the first. What does not come from the present epoch is dropped.

    Args:
        config: of the network.
        journal: file of the SQLite journal.
        snapshots: folder on the driver's disk, which is this actor's too.
    """

    def __init__(self, config: NetworkConfig, journal: Path, snapshots: Path) -> None:
        self.config, self.guard = config, Guard("dreamer")
        self.parts = {"dreamer", *(f"layer-{index}" for index in range(config.depth))}
        self.recall = SqliteJournal(journal, config.inputs, read_only=True).recall
        self.saver = Saver(self.guard, snapshots)
        self.now = Epoch(0, Dreamer(config, self.recall), None)
        self._saving, self._keeping = threading.Lock(), threading.Lock()

    @ray.method(concurrency_group="learn")
    def open(self, epoch: int, first: Any, start: Manifest | None) -> None:
        """Begin an epoch.

        Args:
            epoch: its number.
            first: the first layer's actor.
            start: snapshot to begin from.
        """
        with self.guard():
            self.saver.report_to(functools.partial(self._saved, epoch))
            config = self.config if start is None else start.network(self.config)
            now = Epoch(epoch, Dreamer(config, self.recall), first)
            if start is not None:
                restore(now.dreamer.state(), read_part(self.saver.snapshots, start, self.guard.name))
            self.now = now

    @ray.method(concurrency_group="learn")
    def learn(self, epoch: int, *bundle: Packed) -> None:
        """What the last layer hands on."""
        with self.guard():
            now = self.now
            if epoch != now.number:
                return
            outcomes = [now.dreamer.finish(unpack(packed, Message)) for packed in bundle]
            now.outbox.put(*map(pack, outcomes))
            if now.asleep is not None:
                now.asleep.back += len(outcomes)
                self._dream(now, now.asleep)

    @ray.method(concurrency_group="learn")
    def mark(self, epoch: int, recorded: Recorded, asked: Publication | None = None) -> None:
        """What is no batch has passed all layers, a sleep with their weights if it was ``asked`` to."""
        with self.guard():
            now = self.now
            if epoch != now.number:
                return
            match recorded.event:
                case Sleep() as sleep:
                    stages = asked.stages() if asked is not None else ()
                    ahead = AHEAD if sleep.enough is None else UNDER_WAY
                    now.asleep = Asleep(recorded.seq, now.dreamer.dreams(recorded, sleep, stages), ahead)
                    self._dream(now, now.asleep)
                case Barrier():
                    now.outbox.put(pack(Passed(recorded.seq, now.dreamer.memory.oldest)))
                    self.saver.save(recorded.seq, now.dreamer.state())
                case Restore() as restore:
                    now.outbox.put(pack(Restored(recorded.seq, restore.last)))
                case change if isinstance(change, Change):
                    change_dreamer(now.dreamer, change)
                    now.outbox.put(pack(Changed(recorded.seq, change)))

    def _dream(self, now: Epoch, asleep: Asleep) -> None:
        """Send dreams until enough are under way; wake up when the last is back."""
        size = min(BUNDLE, asleep.ahead // 2)
        while asleep.sent - asleep.back <= asleep.ahead - size:
            bundle = [pack(batch) for batch in islice(asleep.dreams, size)]
            if not bundle:
                break
            asleep.sent += len(bundle)
            now.first.enter.remote(now.number, *bundle)
        if asleep.sent == asleep.back:
            now.asleep = None
            now.outbox.put(pack(now.dreamer.slept(asleep.seq, asleep.sent)))

    @ray.method(concurrency_group="learn")
    def publish(self, epoch: int, publication: Publication) -> None:
        """A publish marker has passed all layers."""
        if epoch == self.now.number:
            self.now.outbox.put(publication)

    @ray.method(concurrency_group="ctl")
    def keep(self, epoch: int, seq: int, part: str, blob: Blob) -> None:
        """Write the part of snapshot ``seq`` of a layer that has another disk."""
        with self._keeping:
            if epoch != self.now.number:
                return
            with self.guard():
                sha256 = write_blob(folder_of(self.saver.snapshots, seq), part, blob.tobytes())
        self._saved(epoch, seq, part, sha256)

    @ray.method(concurrency_group="ctl")
    def saved(self, epoch: int, seq: int, part: str, sha256: str) -> None:
        """A layer has written its part of snapshot ``seq``."""
        self._saved(epoch, seq, part, sha256)

    def _saved(self, epoch: int, seq: int, part: str, sha256: str) -> None:
        with self._saving:
            now = self.now
            if epoch != now.number:
                return
            files = now.files.setdefault(seq, {})
            files[part] = sha256
            if files.keys() == self.parts:
                now.outbox.put(pack(Saved(seq, now.files.pop(seq))))

    @ray.method(concurrency_group="ctl")
    def outcomes(self, epoch: int, timeout: float) -> list[Packed | Publication]:
        """What waits for the driver; waits up to ``timeout`` seconds for the first."""
        now = self.now
        return now.outbox.take(timeout) if epoch == now.number else []

    @ray.method(concurrency_group="learn")
    def digest(self) -> str:
        """A sha256 of the whole state."""
        return self.now.dreamer.digest()

    @ray.method(concurrency_group="ctl")
    def pulse(self) -> Pulse:
        """A sign of life."""
        return self.guard.pulse()
