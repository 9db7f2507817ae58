"""The journal's in-memory twin: the same behaviour, bounded, gone with the process."""

import threading
import time
from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.errors import JournalError, KeyReuseError
from ffstream.frames import FrameArray, LabelArray, to_tensor
from ffstream.labels import UNLABELLED
from ffstream.stream.events import Event, Recorded, Wake
from ffstream.stream.journal import FrameRange, check_backlog


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
        self._numbers: dict[bool, deque[int]] = {True: deque(), False: deque()}
        self._events: dict[int, Recorded] = {}
        self._latest: dict[str, Recorded] = {}
        self._requests: dict[str, tuple[str, FrameRange]] = {}

    def append(
        self, frames: FrameArray, labels: LabelArray, *, limit: int | None = None, key: str | None = None, digest: str = ""
    ) -> FrameRange:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            if key is not None and key in self._requests:
                known, accepted = self._requests[key]
                if known != digest:
                    raise KeyReuseError(f"idempotency key {key!r} was used before, for another request")
                return FrameRange(accepted.first, accepted.last, repeated=True)
            check_backlog(self, len(frames), limit)
            accepted = FrameRange(self.last_frame + 1, self.last_frame + len(frames))
            for number, frame, label in zip(range(accepted.first, accepted.last + 1), to_tensor(frames), labels, strict=True):
                self._frames[number], self._labels[number] = frame, int(label)
                self._numbers[label != UNLABELLED].append(number)
            self.last_frame = accepted.last
            if key is not None:
                self._requests[key] = (digest, accepted)
                if len(self._requests) > self.retain:
                    del self._requests[next(iter(self._requests))]
            return accepted

    def _forget(self, learned: int) -> None:
        """Keep ``retain`` of everything, and all frames after number ``learned``."""
        for numbers in self._numbers.values():
            while len(numbers) > self.retain and numbers[self.retain] <= learned:
                number = numbers.popleft()
                del self._frames[number], self._labels[number]
        self._events.pop(self.last_seq - self.retain, None)

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

    def events(self, after: int, limit: int = 1000) -> list[Recorded]:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            numbers = range(after + 1, min(after + limit, self.last_seq) + 1)
            return [self._events[seq] for seq in numbers if seq in self._events]

    def last(self, kind: str) -> Recorded | None:
        """See :class:`~ffstream.stream.journal.Journal`."""
        return self._latest.get(kind)

    def read(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """See :class:`~ffstream.stream.journal.Journal`."""
        numbers = np.arange(first, last + 1)
        return self.recall(numbers), torch.tensor([self._labels[number] for number in numbers.tolist()])

    def labelled(self, first: int, last: int) -> int:
        """See :class:`~ffstream.stream.journal.Journal`."""
        return sum(self._labels[number] != UNLABELLED for number in range(first, last + 1))

    def recall(self, ids: NDArray[np.int64]) -> Tensor:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            try:
                return torch.stack([self._frames[number] for number in ids.tolist()])
            except KeyError as error:
                raise JournalError(f"frame {error} is not there: this journal keeps the last {self.retain}") from error

    def close(self) -> None:
        """See :class:`~ffstream.stream.journal.Journal`; the garbage collector does it."""
