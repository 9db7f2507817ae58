"""What came out of the chain lately, kept to be looked at: bounded, and gone with the process."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ffstream.labels import UNLABELLED
from ffstream.outcome import Dreamt, Learned, Outcome, Slept
from ffstream.polarity import Polarity
from ffstream.progress import Progress

FRAMES = 2000
"""Frames whose predictions are kept, at least."""

DREAMS = 128
"""Dreams of the latest sleep that are kept, at least."""

POINTS = 240
"""Points of the accuracy's curve; when there are more, every other one goes and half as many come."""


@dataclass(frozen=True)
class Point:
    """The windowed accuracy after event ``seq``, when ``labelled`` frames had a label."""

    seq: int
    labelled: int
    accuracy: float


@dataclass(frozen=True)
class Predicted:
    """The last frames, oldest first: numbers, labels, the labels predicted and how probable they were thought, all [n]."""

    ids: Tensor
    labels: Tensor
    predictions: Tensor
    probabilities: Tensor

    def last(self, n: int) -> "Predicted":
        """The last ``n`` of them."""
        return self._of(slice(max(0, len(self.ids) - n), None))

    @property
    def labelled(self) -> "Predicted":
        """Those that have a label."""
        return self._of(self.labels != UNLABELLED)

    def _of(self, rows: slice | Tensor) -> "Predicted":
        return Predicted(self.ids[rows], self.labels[rows], self.predictions[rows], self.probabilities[rows])


@dataclass(frozen=True)
class Dreams:
    """Dreams of sleep ``seq``: labels [n] given to frames ``ids`` [n].

    ``frames`` [n, inputs] are the dreams themselves; None where they are those frames as they were.
    """

    seq: int
    ids: Tensor
    labels: Tensor
    frames: Tensor | None


class Recent:
    """The thread that learns puts in, which costs it next to nothing; whoever looks does the work.

    Args:
        clock: Unix time.

    ``version`` grows with every change, ``seq`` is the last event that was taken in, ``woke_at`` when the last sleep was over.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.woke_at: float | None = None
        self.version = self.seq = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._learned: deque[Learned] = deque()
        self._frames = 0
        self._dreamt: list[Dreamt] = []
        self._slept: Slept | None = None
        self._curve: list[Point] = []
        self._every = 1

    def keep(self, holds: Callable[[int], bool]) -> None:
        """Forget what came of events that do not hold: they will come out of the chain again, or were left behind."""
        with self._lock:
            self._learned = deque(each for each in self._learned if holds(each.seq))
            self._frames = sum(len(each.ids) for each in self._learned)
            self._dreamt = [each for each in self._dreamt if holds(each.seq)]
            self._slept = self._slept if self._slept and holds(self._slept.seq) else None
            self._curve = [each for each in self._curve if holds(each.seq)]
            self.version += 1

    def observe(self, outcomes: Sequence[Outcome], progress: Progress) -> None:
        """Take in what has come out; ``progress`` is what it has come to."""
        if outcomes:
            self._take(outcomes, progress)
        self.seq = progress.seq

    def _take(self, outcomes: Sequence[Outcome], progress: Progress) -> None:
        with self._lock:
            for outcome in outcomes:
                match outcome:
                    case Learned():
                        self._learned.append(outcome)
                        self._frames += len(outcome.ids)
                    case Dreamt() if outcome.polarity is Polarity.NEGATIVE:
                        self._dream(outcome)
                    case Slept():
                        self._slept, self.woke_at = outcome, self._clock()
            self._forget()
            self._draw(progress)
            self.version += 1

    def _dream(self, dreamt: Dreamt) -> None:
        if self._dreamt and self._dreamt[0].seq != dreamt.seq:
            self._dreamt.clear()
        if sum(len(each.ids) for each in self._dreamt) < DREAMS:
            self._dreamt.append(dreamt)

    def _forget(self) -> None:
        while self._learned and self._frames - len(self._learned[0].ids) >= FRAMES:
            self._frames -= len(self._learned.popleft().ids)

    def _draw(self, progress: Progress) -> None:
        due = self._curve[-1].labelled + self._every if self._curve else 1
        if progress.accuracy is None or progress.labelled < due:
            return
        self._curve.append(Point(progress.seq, progress.labelled, progress.accuracy))
        if len(self._curve) > POINTS:
            self._curve = self._curve[::2]
            span = self._curve[-1].labelled - self._curve[0].labelled
            self._every = max(self._every, 2 * span // POINTS)

    def curve(self) -> list[Point]:
        """How the windowed accuracy went, oldest first."""
        with self._lock:
            return list(self._curve)

    def predicted(self) -> Predicted:
        """The last frames that were learned."""
        with self._lock:
            learned = list(self._learned)
        if not learned:
            none = torch.zeros(0, dtype=torch.int64)
            return Predicted(none, none, none, torch.zeros(0))
        likeliest = [each.logits.softmax(dim=1).max(dim=1) for each in learned]
        probabilities, predictions = (torch.cat(parts) for parts in zip(*likeliest, strict=True))
        ids, labels = (torch.cat([getattr(each, name) for each in learned]) for name in ("ids", "labels"))
        return Predicted(ids, labels, predictions, probabilities)

    def dreams(self) -> Dreams | None:
        """Dreams of the latest sleep, which may not be over; None before the first."""
        with self._lock:
            slept, dreamt = self._slept, list(self._dreamt)
        if slept and slept.frames is not None and slept.ids is not None and slept.labels is not None:
            return Dreams(slept.seq, slept.ids, slept.labels, slept.frames)
        if not dreamt:
            return None
        ids, labels = (torch.cat([getattr(each, name) for each in dreamt]) for name in ("ids", "labels"))
        return Dreams(dreamt[0].seq, ids, labels, None)
