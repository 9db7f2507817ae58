"""A running stream: journal in front, chain behind, outcomes coming back.

What is asked of it is here; how events go into the chain and outcomes come out is :class:`~.flow.Flow`. A service turns that in
a thread of its own; in a library program :meth:`Stream.feed`, :meth:`Stream.sleep` and :meth:`Stream.classify` turn it until
they are done.
"""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ffstream.chain import Chain
from ffstream.classify import Classification, Method
from ffstream.config import NetworkConfig
from ffstream.devices import ON_THE_PROCESSOR, Devices, check_here
from ffstream.exact import check_learn
from ffstream.frames import check_frames, check_labels, check_late_labels, to_tensor
from ffstream.network import Network
from ffstream.outcome import Learned, Saved, Slept
from ffstream.schedule import Schedule
from ffstream.stream.events import Recorded
from ffstream.stream.flow import Flow
from ffstream.stream.frame import Frame
from ffstream.stream.journal import FrameRange
from ffstream.stream.memory_journal import MemoryJournal
from ffstream.stream.snapshot import Manifest
from ffstream.stream.sqlite_journal import SqliteJournal

JOURNAL = "journal.sqlite"
SNAPSHOTS = "snapshots"
"""Names in the folder of a stream."""


class Stream(Flow):
    """Feeds a chain from a journal.

    Args:
        config: of the network as it is made.
        open_chain: makes the layers, at the start and after a failure.
        journal: what has been accepted and decided.
        schedule: when to sleep.
        snapshots: folder for snapshots; None when nothing is saved.
        start: open the chain now. Without it frames are accepted and classified at once, and :meth:`start` has to be called
            before they are learned.
        credits: events that may be under way in the chain at once; more are sent when a bundle of them may be, or half of all.
        publish_every: events between two published versions of the weights; one is published too when the stream comes to rest.
        snapshot_every: events between two snapshots; None for those on request only.
        snapshots_kept: snapshots that are kept; the journal is kept behind the oldest (see :class:`.archive.Archive`).
        label_lifetime: frames that may be accepted after one before its label comes too late; None for as many as the network
            remembers for dreaming.
        drift: how to watch for changes of the stream; None for not at all.
        max_classes: labels that the network may grow to know; None for no more than it does. Labels below are accepted, and the
            first frame that has one without a slot makes room for it.
        clock: seconds, monotonic.
        sending: called with every event just before it is sent into the chain, replayed ones included.
        closing: called at the end of :meth:`close`.

    ``config`` is the network as it is now, after the last outcome; ``accepts`` the one whose labels are accepted.
    ``epoch`` counts how often the chain was opened: at the start, after failures, to go back to a snapshot.

    Raises:
        ConfigError: when the network cannot grow so far.

    >>> from ffstream import NetworkConfig, Stream
    >>> stream = Stream.in_process(NetworkConfig(inputs=4, classes=2, units=(8, 8)))
    >>> learned = stream.feed([[0, 0, 1, 1], [1, 1, 0, 0]], [0, 1])
    >>> stream.classify([[0, 0, 1, 1]]).labels.shape
    torch.Size([1])
    """

    @classmethod
    def in_process(
        cls,
        config: NetworkConfig,
        schedule: Schedule | None = None,
        *,
        folder: Path | None = None,
        power_safe: bool = False,
        devices: Devices = ON_THE_PROCESSOR,
        **options: Any,
    ) -> "Stream":
        """A stream whose layers run in this process.

        Args:
            config: of the network.
            schedule: when to sleep.
            folder: where journal and snapshots live, so that a later stream goes on from there; None to keep nothing.
            power_safe: see :class:`~ffstream.stream.sqlite_journal.SqliteJournal`.
            devices: where layers compute, if not on the processor (:mod:`ffstream.devices`).
            options: see :class:`Stream`.

        Raises:
            ConfigError: when a device is not there.
        """
        check_here(devices, config.depth)
        if folder is None:
            memory = MemoryJournal(config.inputs, retain=max(config.memory, options.get("label_lifetime") or 0))
            return cls(config, lambda _: Network(config, memory.recall, devices=devices), memory, schedule, **options)
        journal = SqliteJournal(folder / JOURNAL, config.inputs, power_safe=power_safe)
        snapshots = folder / SNAPSHOTS

        def open_chain(start: Manifest | None) -> Chain:
            return Network(config, journal.recall, snapshots=snapshots, start=start, devices=devices)

        return cls(config, open_chain, journal, schedule, snapshots=snapshots, **options)

    def accept(
        self,
        frames: Any,
        labels: Any = None,
        *,
        learn: str = "gradient",
        limit: int | None = None,
        key: str | None = None,
        digest: str = "",
    ) -> FrameRange:
        """Accept frames for learning later. May be called from any thread.

        Args:
            frames: [n, inputs], ``uint8`` (0 to 255 stands for 0 to 1) or numbers.
            labels: [n] integers; -1, or None for all, where not known.
            learn: ``"gradient"``, or ``"exact"`` to learn each frame in one step (:mod:`ffstream.exact`); all have labels then.
            limit: see :meth:`ffstream.stream.journal.Journal.append`, like ``key`` and ``digest``.

        Raises:
            ShapeError: when frames or labels are not what the network takes; nothing was accepted then.
            ConfigError: when the network cannot learn so.
            BacklogError: when too many frames wait.
            KeyReuseError: when the key came with another request before.
            JournalError: when the journal cannot be written.
        """
        checked = check_frames(frames, self.config.inputs, self.config.symbols)
        known = check_labels(labels, len(checked), self.accepts.classes)
        exact = check_learn(learn, self.config, known)
        return self.journal.append(checked, known, exact=exact, limit=limit, key=key, digest=digest)

    def accept_labels(
        self, ids: Any, labels: Any, *, limit: int | None = None, key: str | None = None, digest: str = ""
    ) -> FrameRange:
        """Accept labels of frames that came without, all or none. May be called from any thread.

        Each frame is accepted once more, with its label, and learned like any other.

        Args:
            ids: numbers of the frames [n].
            labels: [n] integers from 0.
            limit: see :meth:`ffstream.stream.journal.Journal.append`, like ``key`` and ``digest``.

        Returns:
            Numbers of the new frames, in the order of ``ids``.

        Raises:
            UnknownFrameError, ExpiredFrameError, LabelledError, ContradictionError: when a frame cannot take its label.
            ShapeError, BacklogError, KeyReuseError, JournalError: see :meth:`accept`.
        """
        numbers, known = check_late_labels(ids, labels, self.accepts.classes)
        return self.journal.label(numbers, known, lifetime=self.label_lifetime, limit=limit, key=key, digest=digest)

    def label(self, ids: Any, labels: Any) -> list[Learned]:
        """Accept late labels and learn them; answers as :meth:`feed`, raises as :meth:`accept_labels`."""
        self.accept_labels(ids, labels)
        return self._learned()

    def feed(self, frames: Any, labels: Any = None, learn: str = "gradient") -> list[Learned]:
        """Accept frames and learn them, with whatever sleep the schedule asks for.

        Args and errors as for :meth:`accept`.

        Returns:
            What was predicted before learning, one entry a micro-batch.
        """
        self.accept(frames, labels, learn=learn)
        return self._learned()

    def _learned(self) -> list[Learned]:
        return [outcome for outcome in self.settle() if isinstance(outcome, Learned)]

    def frame(self, number: int) -> Frame:
        """What is known of a frame; raises as :meth:`.journal.Journal.frame`."""
        return self.journal.frame(number)

    def sleep(self, dreams: int | None = None) -> Slept:
        """Sleep now, for ``dreams`` negatives or for what is owed."""
        self.sequencer.request_sleep(dreams)
        return [outcome for outcome in self.settle() if isinstance(outcome, Slept)][-1]

    def snapshot(self, reason: str = "request") -> int:
        """Save everything now; returns the event's number."""
        self.sequencer.request_barrier(reason)
        return [outcome.seq for outcome in self.settle() if isinstance(outcome, Saved)][-1]

    def request_restore(self, snapshot: int) -> Future[Recorded]:
        """Go back to a snapshot as soon as what is under way is sent; may be called from any thread.

        Nothing is erased (see :mod:`ffstream.stream.lineage`). The answer is the event, or :class:`UnknownSnapshotError`.
        """
        return self.sequencer.request(lambda: self.archive.restore(snapshot))

    def restore(self, snapshot: int) -> int:
        """Go back to a snapshot now; returns the event's number.

        Raises:
            UnknownSnapshotError: when there is none, or none that is whole.
        """
        restored = self.request_restore(snapshot)
        self.settle()
        return restored.result().seq

    def saved(self) -> list[Manifest]:
        """Snapshots that are whole, newest first."""
        return self.archive.whole()

    def classify(self, frames: Any, method: Method = Method.GOODNESS, shortlist: int = 3) -> Classification:
        """Classify frames [n, inputs] once everything fed is learned; never learns.

        What is read are running averages of the weights, which step at every fourth update (:mod:`ffstream.average`): the last
        three updates of a stream that rests are not in them yet.

        Raises:
            ShapeError: when frames are not what the network takes.
        """
        checked = check_frames(frames, self.config.inputs, self.config.symbols)
        self.settle()
        return self.reader.classify(to_tensor(checked), method, shortlist)
