"""A running stream: journal in front, chain behind, outcomes coming back.

One turn is :meth:`Stream.step`: send what may be sent, take in what has come out. A service turns it in a thread of its
own; in a library program :meth:`Stream.feed`, :meth:`Stream.sleep` and :meth:`Stream.classify` turn it until they are done.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch

from ffstream.chain import Chain
from ffstream.change import changed_network
from ffstream.classify import Classification, Method, Reader
from ffstream.config import NetworkConfig
from ffstream.drift import DriftConfig, DriftWatch
from ffstream.errors import ChainError
from ffstream.exact import check_learn
from ffstream.frames import check_frames, check_labels, check_late_labels, to_tensor
from ffstream.message import BUNDLE, Batch, Position
from ffstream.network import Network
from ffstream.outcome import Changed, Dreamt, Learned, Outcome, Passed, Published, Saved, Slept
from ffstream.polarity import Phase, Polarity
from ffstream.progress import Progress, ProgressFold
from ffstream.schedule import Schedule
from ffstream.stream.archive import Archive
from ffstream.stream.events import Barrier, Drift, Recorded, Restore, Sleep, Wake
from ffstream.stream.frame import Frame, Predictions
from ffstream.stream.journal import FrameRange, Journal
from ffstream.stream.memory_journal import MemoryJournal
from ffstream.stream.sequencer import Sequencer
from ffstream.stream.snapshot import Manifest
from ffstream.stream.sqlite_journal import SqliteJournal

JOURNAL = "journal.sqlite"
SNAPSHOTS = "snapshots"
"""Names in the folder of a stream."""

OpenChain = Callable[[Manifest | None], Chain]
"""Makes a chain that begins where a snapshot ended, or from first weights."""


class Stream:
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

    def __init__(
        self,
        config: NetworkConfig,
        open_chain: OpenChain,
        journal: Journal,
        schedule: Schedule | None = None,
        *,
        snapshots: Path | None = None,
        start: bool = True,
        credits: int = 16,
        publish_every: int = 20,
        snapshot_every: int | None = None,
        snapshots_kept: int = 3,
        label_lifetime: int | None = None,
        drift: DriftConfig | None = None,
        max_classes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sending: Callable[[Recorded], None] = lambda _: None,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        self.made = self.config = config
        self.journal = journal
        self.sequencer = Sequencer(
            journal,
            schedule or Schedule(),
            batch=config.batch,
            classes=config.classes,
            credits=credits,
            unlabelled=not config.wrong_labels,
            snapshot_every=snapshot_every,
            clock=clock,
        )
        self.credits = credits
        self.publish_every = publish_every
        self.label_lifetime = config.memory if label_lifetime is None else label_lifetime
        self.archive = Archive(snapshots, config, journal, kept=snapshots_kept, label_lifetime=self.label_lifetime)
        self.accepts = self.archive.widest(max_classes)
        self.reader = Reader(config, ())
        self._watch = DriftWatch(drift) if drift is not None else None
        self._open_chain = open_chain
        self._sending, self._closing = sending, closing
        self.epoch = 0
        self._chain: Chain | None = None
        self._scores: dict[int, dict[str, Any]] = {}
        self._predicted: list[Predictions] = []
        newest = self.archive.newest()
        if newest is not None:
            self.reader = self.archive.reader(newest)
        self._rewind(newest)
        if start:
            self.start()

    @classmethod
    def in_process(
        cls,
        config: NetworkConfig,
        schedule: Schedule | None = None,
        *,
        folder: Path | None = None,
        power_safe: bool = False,
        **options: Any,
    ) -> "Stream":
        """A stream whose layers run in this process.

        Args:
            config: of the network.
            schedule: when to sleep.
            folder: where journal and snapshots live, so that a later stream goes on from there; None to keep nothing.
            power_safe: see :class:`~ffstream.stream.sqlite_journal.SqliteJournal`.
            options: see :class:`Stream`.
        """
        if folder is None:
            memory = MemoryJournal(config.inputs, retain=max(config.memory, options.get("label_lifetime") or 0))
            return cls(config, lambda _: Network(config, memory.recall), memory, schedule, **options)
        journal = SqliteJournal(folder / JOURNAL, config.inputs, power_safe=power_safe)
        snapshots = folder / SNAPSHOTS

        def open_chain(start: Manifest | None) -> Chain:
            return Network(config, journal.recall, snapshots=snapshots, start=start)

        return cls(config, open_chain, journal, schedule, snapshots=snapshots, **options)

    def start(self) -> None:
        """Open the chain where the newest snapshot ended; what the journal holds after it is replayed first.

        Also after a :class:`ChainError`: what is left of the chain is closed and nothing accepted is lost.
        """
        if self._chain is not None:
            self._chain.close()
        self._chain = None
        newest = self.archive.newest()
        self._rewind(newest)
        self.epoch += 1
        self._chain = self._open_chain(newest)

    def _rewind(self, newest: Manifest | None) -> None:
        """Forget what came after a snapshot: the journal will tell it again."""
        self._fold = ProgressFold()
        if newest is not None:
            self.config = newest.network(self.made)
            self._fold.restore(newest.seq, newest.progress)
            owed, taught = newest.progress["owed"], newest.progress.get("taught", ())
            self.sequencer.rewind(newest.seq, self.config.classes, owed, taught)
        else:
            self.config = self.made
            self.sequencer.rewind(0, self.config.classes)
        if self._watch is not None:
            self._watch.begin(self._fold.recent, self.sequencer.told(Drift.kind))
        self._in_flight = self._publish_sent = 0
        self._nothing_to_send = self._asleep = False
        self._scores.clear()
        self._predicted.clear()

    @property
    def chain(self) -> Chain:
        """The layers.

        Raises:
            ChainError: before :meth:`start`.
        """
        if self._chain is None:
            raise ChainError("the chain is not open: call start() first")
        return self._chain

    @property
    def progress(self) -> Progress:
        """What has been learned so far."""
        return self._fold.now

    @property
    def at_rest(self) -> bool:
        """Whether the last turn found nothing to send, and nothing is under way or still to be published or forgotten."""
        idle = self._in_flight == 0 and self._nothing_to_send and self.archive.tidy
        return idle and self._publish_sent >= self.sequencer.sent

    @property
    def replaying(self) -> bool:
        """Whether events that were journaled before the chain was opened are still to be learned."""
        return self.sequencer.replaying

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
        """Classify frames [n, inputs] with the weights as they are after everything fed; never learns.

        Raises:
            ShapeError: when frames are not what the network takes.
        """
        checked = check_frames(frames, self.config.inputs, self.config.symbols)
        self.settle()
        return self.reader.classify(to_tensor(checked), method, shortlist)

    def settle(self) -> list[Outcome]:
        """Turn until everything accepted is learned and published."""
        outcomes = self.step(flush=True)
        while not self.at_rest:
            outcomes += self.step(1.0, flush=True)
        return outcomes

    def drain(self, timeout: float) -> bool:
        """Turn until everything accepted is learned, or ``timeout`` seconds have passed; whether all was learned."""
        end = time.monotonic() + timeout
        self.step(flush=True)
        while not self.at_rest and time.monotonic() < end:
            self.step(0.1, flush=True)
        return self.at_rest

    def close(self) -> None:
        """Stop the chain and close the journal; what was not learned yet is learned by the next stream on the folder."""
        if self._chain is not None:
            self._chain.close()
        self._chain = None
        self.journal.close()
        self._closing()

    def step(self, timeout: float = 0.0, *, flush: bool = False) -> list[Outcome]:
        """One turn.

        Args:
            timeout: seconds to wait for an outcome when something is under way.
            flush: do not wait for micro-batches to fill.

        Raises:
            ChainError: when a part of the chain has failed.
        """
        self._nothing_to_send = False
        sending = self._in_flight + min(BUNDLE, -(-self.credits // 2)) <= self.credits
        while sending and self._in_flight < self.credits and not self._asleep:
            before = self.sequencer.sent
            recorded = self.sequencer.next(flush=flush)
            self._nothing_to_send = recorded is None
            if recorded is None:
                self._publish_at_rest()
                break
            if recorded.before == before:
                self._send(recorded)
            else:
                self.start()
        outcomes = self.chain.outcomes(timeout if self._in_flight else 0)
        for outcome in outcomes:
            self._take(outcome)
        self._keep_predictions()
        self.archive.tidy_up()
        return outcomes

    def _send(self, recorded: Recorded) -> None:
        self._sending(recorded)
        self._in_flight += 1
        match recorded.event:
            case Wake() as wake:
                frames, labels = self.journal.read(wake.first, wake.last)
                ids = torch.arange(wake.first, wake.last + 1)
                self.chain.wake(Batch(Position(recorded.seq), Polarity.POSITIVE, frames, labels, ids, wake.exact))
            case Sleep() as sleep:
                self._asleep = True
                self._fold.phase(Phase.SLEEP)
                self.chain.sleep(recorded, sleep)
            case Barrier() as barrier:
                self._scores[recorded.seq] = {"owed": self.sequencer.debt.frames} | self._width()
                self.chain.barrier(recorded, barrier)
            case Restore() as restore:
                self.chain.restore(recorded, restore)
            case change:
                self.chain.change(recorded, change)
        if recorded.seq - self._publish_sent >= self.publish_every and not self._asleep:
            self._publish()

    def _width(self) -> dict[str, Any]:
        """What a snapshot at the last event sent is to say of a network that has grown."""
        classes = self.sequencer.classes
        return {} if classes == self.made.classes else {"classes": classes}

    def _publish_at_rest(self) -> None:
        if self._in_flight == 0 and self._publish_sent < self.sequencer.sent:
            self._publish()

    def _publish(self) -> None:
        self._publish_sent = self.sequencer.sent
        self._in_flight += 1
        self.chain.publish(self._publish_sent)

    def _take(self, outcome: Outcome) -> None:
        self._fold.observe(outcome)
        self.sequencer.observe(outcome)
        if not isinstance(outcome, Dreamt | Passed):
            self._in_flight -= 1
        match outcome:
            case Learned():
                self._predicted.append(Predictions.made(outcome))
                self._look_for_drift(outcome)
            case Slept():
                self._asleep = False
            case Passed():
                told = {"taught": self.sequencer.day.latest(), "oldest": outcome.oldest}
                self._scores[outcome.seq] |= self._fold.to_dict() | told
            case Saved():
                self._keep_predictions()  # no replay makes those before a snapshot again
                self.archive.commit(outcome, self._scores.pop(outcome.seq))
            case Changed():
                self.config = changed_network(self.config, outcome.change)
            case Published():
                if outcome.seq >= self.reader.seq:
                    self.reader = Reader(self.config, outcome.stages, outcome.seq)

    def _look_for_drift(self, learned: Learned) -> None:
        if self._watch is None:
            return
        drift = self._watch.observe(learned.seq, learned.labels, learned.logits.argmax(dim=1))
        if drift is None:
            return
        self.sequencer.request(lambda: drift)
        if drift.reaction == "sleep":
            self.sequencer.request_sleep(self._watch.config.dreams)

    def _keep_predictions(self) -> None:
        if self._predicted:
            self.journal.keep(self._predicted)
            self._predicted.clear()
