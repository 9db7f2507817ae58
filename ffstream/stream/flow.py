"""How a stream flows: events out of the journal into the chain, outcomes out of the chain into the journal and the archive.

One turn is :meth:`Flow.step`: send what may be sent, take in what has come out.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ffstream.chain import Chain
from ffstream.change import changed_network
from ffstream.classify import Reader
from ffstream.config import NetworkConfig
from ffstream.drift import DriftConfig, DriftWatch
from ffstream.errors import ChainError
from ffstream.message import BUNDLE, Batch, Position
from ffstream.outcome import Changed, Dreamt, Learned, Outcome, Passed, Published, Saved, Slept
from ffstream.polarity import Phase, Polarity
from ffstream.progress import Progress, ProgressFold
from ffstream.schedule import Schedule
from ffstream.stream.archive import Archive
from ffstream.stream.events import Barrier, Drift, Recorded, Restore, Sleep, Wake
from ffstream.stream.frame import Predictions
from ffstream.stream.journal import Journal
from ffstream.stream.sequencer import Sequencer
from ffstream.stream.snapshot import Manifest

OpenChain = Callable[[Manifest | None], Chain]
"""Makes a chain that begins where a snapshot ended, or from first weights."""


class Flow:
    """What :class:`~.stream.Stream` is made of, which says what the arguments mean."""

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
