"""The sequencer: decides what happens next and journals it before it happens.

It forms micro-batches from waiting frames, lets the schedule interrupt for sleep, makes room for a label before the first frame
that has it, and after a restart first hands out again what the journal already holds. It knows neither threads nor transports;
time comes from a clock that it is given.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import numpy as np

from ffstream.errors import JournalError, UnknownSnapshotError
from ffstream.labels import UNLABELLED
from ffstream.outcome import Learned, Outcome, Slept
from ffstream.schedule import Schedule, SleepDebt
from ffstream.stream.events import Barrier, Event, Grow, Recorded, Wake
from ffstream.stream.journal import Journal
from ffstream.stream.lineage import Lineage
from ffstream.teaching import Teaching


class Sequencer:
    """Hands out events in order.

    Args:
        journal: what has been accepted and what has been decided.
        schedule: when to sleep; may be replaced at any time.
        batch: frames in a full micro-batch, and dreams in a batch of negatives.
        classes: labels that there are slots for; ``classes`` counts those that have come since.
        credits: events that may be under way at once.
        patience: seconds that a frame may wait for its micro-batch to fill.
        unlabelled: whether frames without a label are owed sleep too.
        snapshot_every: events after which a barrier is due; None for barriers on request only.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        journal: Journal,
        schedule: Schedule,
        *,
        batch: int,
        classes: int,
        credits: int = 8,
        patience: float = 0.02,
        unlabelled: bool = False,
        snapshot_every: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal
        self.schedule = schedule
        self.batch = batch
        self.classes = classes
        self.patience = patience
        self.snapshot_every = snapshot_every
        self.sent = 0
        self.debt = SleepDebt(unlabelled)
        self.day = Teaching(credits)
        self.lineage = Lineage.of(journal)
        self._clock = clock
        self._requests: deque[tuple[Callable[[], Event], Future[Recorded]]] = deque()
        self._waiting_since: float | None = None
        self._busy_at = clock()
        self._barrier_at = 0

    def rewind(self, after: int, classes: int, owed: int = 0, taught: Iterable[tuple[int, float]] = ()) -> None:
        """Hand out again everything that came of event ``after``.

        Args:
            after: the event.
            classes: labels that there were slots for by then.
            owed: labelled frames that had been learned since a sleep by then.
            taught: what ``day.latest()`` was then.
        """
        self.lineage = Lineage.of(self.journal)
        self.sent = self._barrier_at = after
        self.classes = classes
        self.debt.frames = owed
        self.day = Teaching(self.day.under_way, taught)

    def told(self, kind: str) -> int:
        """The event up to which all reasons for events of a kind are in the journal.

        Of what is to be replayed it is the whole, when one of them is in it.
        """
        last = self.journal.last(kind)
        return 0 if last is None else self.journal.last_seq if last.seq > self.sent else last.seq

    @property
    def replaying(self) -> bool:
        """Whether the next event is one that the journal holds already."""
        return self.sent < self.journal.last_seq

    @property
    def waiting(self) -> int:
        """Accepted frames that no event names yet."""
        return self.journal.last_frame - self.journal.sequenced

    def observe(self, outcome: Outcome) -> None:
        """Take in what came out of the chain: it may be a reason to sleep."""
        match outcome:
            case Learned() if outcome.reports:
                self.day.observe(outcome.seq, outcome.reports)
            case Slept():
                self.day = Teaching(self.day.under_way)

    def request(self, plan: Callable[[], Event]) -> Future[Recorded]:
        """Have an event planned and journaled as soon as what is under way is sent.

        Args:
            plan: makes the event when its turn has come; what it raises is the answer.
        """
        answer: Future[Recorded] = Future()
        self._requests.append((plan, answer))
        return answer

    def request_sleep(self, dreams: int | None = None) -> Future[Recorded]:
        """Sleep as soon as what is under way is done: for ``dreams`` negatives, or for what is owed."""

        def plan() -> Event:
            if dreams is None:
                return self.debt.plan(self.schedule, self.batch, "request")
            return self.schedule.sleep(dreams, self.batch, "request")

        return self.request(plan)

    def request_barrier(self, reason: str) -> Future[Recorded]:
        """Take a snapshot as soon as what is under way is done."""
        return self.request(lambda: Barrier(reason))

    def next(self, *, flush: bool = False) -> Recorded | None:
        """The next event, journaled, or None when nothing is to be done yet.

        Args:
            flush: do not wait for a micro-batch to fill.
        """
        if self.replaying:
            recorded = self._recorded_before()
        elif (requested := self._requested()) is not None:
            recorded = requested
        elif (event := self._decide(flush)) is not None:
            recorded = self.journal.record(event)
        else:
            return None
        self.sent = recorded.seq
        self.debt.observe(recorded.event)
        match recorded.event:
            case Barrier():
                self._barrier_at = recorded.seq
            case Grow(classes):
                self.classes = classes
        return recorded

    def _recorded_before(self) -> Recorded:
        wanted = self.lineage.after(self.sent)
        found = self.journal.events(wanted - 1, limit=1)
        if not found or found[0].seq != wanted:
            raise JournalError(f"event {wanted} cannot be replayed: the journal does not hold it any more")
        return found[0]

    def _requested(self) -> Recorded | None:
        """Journal the oldest request that somebody still waits for, and tell who asked."""
        while self._requests:
            plan, answer = self._requests.popleft()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                recorded = self.journal.record(plan())
            except UnknownSnapshotError as error:
                answer.set_exception(error)
                continue
            except JournalError as error:
                answer.set_exception(error)
                raise
            answer.set_result(recorded)
            return recorded
        return None

    def _decide(self, flush: bool) -> Event | None:
        if self.snapshot_every is not None and self.journal.last_seq - self._barrier_at >= self.snapshot_every:
            return Barrier("every")
        now = self._clock()
        waiting = self.waiting
        if waiting:
            self._busy_at = now
        reason = self.debt.due(self.schedule, now - self._busy_at, self.day.is_over(self.schedule.enough, self.sent))
        if reason:
            return self.debt.plan(self.schedule, self.batch, reason)
        if not waiting:
            self._waiting_since = None
            return None
        if self._waiting_since is None:
            self._waiting_since = now
        if waiting < self.batch and not flush and now - self._waiting_since < self.patience:
            return None
        self._waiting_since = None
        return self._wake(min(waiting, self.batch))

    def _wake(self, frames: int) -> Wake | Grow:
        """The next frames, up to the first whose label has no slot; the slot, when that is the very next.

        One that is to be learned in one step makes a micro-batch of its own.
        """
        first = self.journal.sequenced + 1
        exact = self.journal.exact(first, first + frames - 1)
        frames = 1 if exact[0] else int(exact.argmax()) or frames
        labels = self.journal.labels(first, first + frames - 1)
        beyond = np.flatnonzero(labels >= self.classes)
        if len(beyond) and beyond[0] == 0:
            return Grow(int(labels[0]) + 1)
        labels = labels[: beyond[0]] if len(beyond) else labels
        return Wake(first, first + len(labels) - 1, labelled=int((labels != UNLABELLED).sum()), exact=bool(exact[0]))
