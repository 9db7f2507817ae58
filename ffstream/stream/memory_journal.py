"""The journal's in-memory twin: the same behaviour, bounded, gone with the process."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.errors import ExpiredFrameError, JournalError, KeyReuseError
from ffstream.frames import FrameArray, LabelArray, to_tensor
from ffstream.labels import UNLABELLED
from ffstream.stream.events import Event, Recorded, Restore, Wake
from ffstream.stream.frame import Frame, Prediction, Predictions
from ffstream.stream.journal import FrameRange, check_accepted, check_backlog
from ffstream.stream.late import check_late


class MemoryJournal:
    """A journal for use in one process.

    Args:
        inputs: numbers in a frame.
        retain: frames with a label, frames without, events, and idempotency keys that are kept of each; older ones are
            forgotten. A frame that waits to be learned is never forgotten.
    """

    def __init__(self, inputs: int, *, retain: int = 10_000) -> None:
        self.inputs = inputs
        self.retain = retain
        self.last_frame = self.last_seq = self.sequenced = 0
        self._lock = threading.RLock()
        self._frames: dict[int, Tensor] = {}
        self._labels: dict[int, int] = {}
        self._exact: set[int] = set()
        self._numbers: dict[bool, deque[int]] = {True: deque(), False: deque()}
        self._events: dict[int, Recorded] = {}
        self._latest: dict[str, Recorded] = {}
        self._requests: dict[str, tuple[str, FrameRange]] = {}
        self._taught_as: dict[int, int] = {}
        self._repeats: dict[int, int] = {}
        self._predictions: dict[int, Prediction] = {}

    def append(
        self,
        frames: FrameArray,
        labels: LabelArray,
        *,
        exact: bool = False,
        limit: int | None = None,
        key: str | None = None,
        digest: str = "",
    ) -> FrameRange:
        """See :class:`~ffstream.stream.journal.Journal`."""

        def insert(accepted: FrameRange) -> None:
            self._insert(accepted, to_tensor(frames), labels)
            self._exact.update(accepted.numbers if exact else ())

        return self._accept(len(frames), insert, limit, key, digest)

    def label(
        self,
        ids: NDArray[np.int64],
        labels: LabelArray,
        *,
        lifetime: int,
        limit: int | None = None,
        key: str | None = None,
        digest: str = "",
    ) -> FrameRange:
        """See :class:`~ffstream.stream.journal.Journal`."""

        def again(accepted: FrameRange) -> None:
            check_late(self, ids, labels, lifetime)
            self._insert(accepted, self.recall(ids), labels)
            self._taught_as.update(zip(ids.tolist(), accepted.numbers, strict=True))
            self._repeats.update(zip(accepted.numbers, ids.tolist(), strict=True))

        return self._accept(len(ids), again, limit, key, digest)

    def _accept(
        self, frames: int, insert: Callable[[FrameRange], None], limit: int | None, key: str | None, digest: str
    ) -> FrameRange:
        with self._lock:
            if key is not None and key in self._requests:
                known, accepted = self._requests[key]
                if known != digest:
                    raise KeyReuseError(f"idempotency key {key!r} was used before, for another request")
                return FrameRange(accepted.first, accepted.last, repeated=True)
            check_backlog(self, frames, limit)
            accepted = FrameRange(self.last_frame + 1, self.last_frame + frames)
            insert(accepted)
            self.last_frame = accepted.last
            if key is not None:
                self._requests[key] = (digest, accepted)
                if len(self._requests) > self.retain:
                    del self._requests[next(iter(self._requests))]
            return accepted

    def _insert(self, accepted: FrameRange, frames: Tensor, labels: LabelArray) -> None:
        for number, frame, label in zip(accepted.numbers, frames, labels, strict=True):
            self._frames[number], self._labels[number] = frame, int(label)
            self._numbers[label != UNLABELLED].append(number)

    def _forget(self, learned: int) -> None:
        """Keep ``retain`` of everything, and all frames after number ``learned``."""
        for numbers in self._numbers.values():
            while len(numbers) > self.retain and numbers[self.retain] <= learned:
                self._drop(numbers.popleft())
        self._events.pop(self.last_seq - self.retain, None)

    def _drop(self, number: int) -> None:
        del self._frames[number], self._labels[number]
        self._exact.discard(number)
        for known in (self._taught_as, self._repeats, self._predictions):
            known.pop(number, None)

    def record(self, event: Event) -> Recorded:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            self.last_seq += 1
            recorded = Recorded(self.last_seq, event, time.time())
            self._events[recorded.seq] = self._latest[event.kind] = recorded
            self._forget(self.sequenced)
            if isinstance(event, Wake):
                self.sequenced = event.last
            return recorded

    def events(self, after: int, limit: int = 1000, kind: str | None = None) -> list[Recorded]:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            there = (self._events[seq] for seq in range(after + 1, self.last_seq + 1) if seq in self._events)
            return list(islice((each for each in there if kind in (None, each.event.kind)), limit))

    def last(self, kind: str, upto: int | None = None) -> Recorded | None:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            latest = self._latest.get(kind)
            if latest is None or upto is None or latest.seq <= upto:
                return latest
            found = [each for each in self._events.values() if each.event.kind == kind and each.seq <= upto]
            return found[-1] if found else None

    def prune(self, events: int, frames: int, most: int) -> bool:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            kept = {each.seq for each in self._latest.values()} | {each.seq for each in self.events(0, kind=Restore.kind)}
            old = [seq for seq in self._events if seq <= events and seq not in kept]
            for seq in old[:most]:
                del self._events[seq]
            left = most
            for numbers in self._numbers.values():
                while numbers and numbers[0] <= frames and left:
                    self._drop(numbers.popleft())
                    left -= 1
            return len(old) < most and left > 0

    def read(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """See :class:`~ffstream.stream.journal.Journal`."""
        return self.recall(np.arange(first, last + 1)), torch.from_numpy(self.labels(first, last))

    def labels(self, first: int, last: int) -> LabelArray:
        """See :class:`~ffstream.stream.journal.Journal`."""
        return np.array([self._labels[number] for number in range(first, last + 1)], np.int64)

    def exact(self, first: int, last: int) -> NDArray[np.bool_]:
        """See :class:`~ffstream.stream.journal.Journal`."""
        return np.array([number in self._exact for number in range(first, last + 1)], np.bool_)

    def recall(self, ids: NDArray[np.int64]) -> Tensor:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            try:
                found = [self._frames[number] for number in ids.tolist()]
            except KeyError as error:
                raise JournalError(f"frame {error} is not there: this journal keeps the last {self.retain}") from error
            return torch.stack(found) if found else torch.empty(0, self.inputs)

    def keep(self, predictions: Sequence[Predictions]) -> None:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            for each in predictions:
                for number in range(each.first, each.first + len(each.labels)):
                    found = each.of(number)
                    if found is not None and number in self._frames:
                        self._predictions[number] = found

    def frame(self, number: int) -> Frame:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            check_accepted(self, number)
            if number not in self._frames:
                raise ExpiredFrameError(f"frame {number} is not kept any more")
            links = self._taught_as.get(number), self._repeats.get(number)
            return Frame(number, self._labels[number], *links, self._predictions.get(number))

    def close(self) -> None:
        """See :class:`~ffstream.stream.journal.Journal`; the garbage collector does it."""
