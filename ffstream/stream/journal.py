"""The journal: accepted frames and the order of events. Once ``append`` has returned, a frame is never lost.

Two implementations with one behaviour: :class:`~ffstream.stream.sqlite_journal.SqliteJournal` in a file, which other
processes may read while it is written, and :class:`~ffstream.stream.memory_journal.MemoryJournal`, bounded and gone with
the process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ffstream.errors import BacklogError, UnknownFrameError
from ffstream.frames import FrameArray, LabelArray
from ffstream.stream.events import Event, Recorded
from ffstream.stream.frame import Frame, Predictions

KEYS_LIVE = 1_000_000
"""Frames that have to be accepted after those of a request before its idempotency key may be forgotten."""


@dataclass(frozen=True)
class FrameRange:
    """Numbers of accepted frames, both ends included. ``repeated`` tells that an earlier request had the same key."""

    first: int
    last: int
    repeated: bool = False

    @property
    def numbers(self) -> range:
        """Every number."""
        return range(self.first, self.last + 1)


class Journal(Protocol):
    """What the stream asks of a journal. ``frames`` and ``seq`` count from 1; 0 means none yet."""

    last_frame: int
    last_seq: int
    sequenced: int
    """Number of the last frame that an event names; those after it wait."""

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
        """Accept checked frames [n, inputs] and labels [n], all or none.

        Args:
            frames: ``uint8`` or ``float32``.
            labels: int64.
            exact: whether each is to be learned in one step.
            limit: most frames that may wait to be learned, these included.
            key: idempotency key; with a key seen before nothing is kept and the first answer is given again.
            digest: of the request, to tell a repetition from another request with the same key.

        Raises:
            BacklogError: when more than ``limit`` frames would wait.
            KeyReuseError: when the key was used for another request.
            JournalError: when the journal cannot be written.
        """
        ...

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
        """Accept stored frames again, now with their labels, all or none (see :mod:`ffstream.stream.late`).

        Args:
            ids: numbers [n] of frames that were accepted without a label.
            labels: [n], every one known.
            lifetime: a frame takes a label until so many frames were accepted after it.
            limit: see :meth:`append`, like ``key`` and ``digest``.

        Returns:
            Numbers of the new frames, in the order of ``ids``.

        Raises:
            FrameError: when one of the frames cannot take its label.
            BacklogError, KeyReuseError, JournalError: see :meth:`append`.
        """
        ...

    def keep(self, predictions: Sequence[Predictions]) -> None:
        """Remember what was predicted of frames; once more after a restart, to the same bits.

        Raises:
            JournalError: when the journal cannot be written.
        """
        ...

    def frame(self, number: int) -> Frame:
        """What is known of a frame.

        Raises:
            UnknownFrameError: when it was never accepted.
            ExpiredFrameError: when it is not kept any more.
        """
        ...

    def record(self, event: Event) -> Recorded:
        """Give an event the next number and keep it."""
        ...

    def events(self, after: int, limit: int = 1000, kind: str | None = None) -> list[Recorded]:
        """Events after ``seq``, of one kind or of all, oldest first."""
        ...

    def last(self, kind: str, upto: int | None = None) -> Recorded | None:
        """The latest event of a kind, or the latest up to an event's number."""
        ...

    def prune(self, events: int, frames: int, most: int) -> bool:
        """Forget events and frames up to these numbers, about ``most`` of each; whether nothing is left to be forgotten.

        The latest event of each kind and every restore stay, and so may a few frames: they go together with those that were
        accepted with them. What was predicted of a frame goes with it. A key goes with its frames, but not before
        :data:`KEYS_LIVE` more frames were accepted.

        Raises:
            JournalError: when the journal cannot be written.
        """
        ...

    def read(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Frames [n, inputs] and labels [n] by number, both ends included."""
        ...

    def labels(self, first: int, last: int) -> LabelArray:
        """Labels [n] of frames by number, both ends included."""
        ...

    def exact(self, first: int, last: int) -> NDArray[np.bool_]:
        """Which frames [n] were accepted to be learned in one step, both ends included."""
        ...

    def recall(self, ids: NDArray[np.int64]) -> Tensor:
        """Frames [n, inputs] by number, in the order asked for."""
        ...

    def close(self) -> None:
        """Give back what is held; nothing may be asked afterwards."""
        ...


def check_backlog(journal: Journal, frames: int, limit: int | None) -> None:
    """Refuse frames that would make more than ``limit`` wait.

    Raises:
        BacklogError: with the figures.
    """
    waiting = journal.last_frame - journal.sequenced
    if limit is not None and waiting + frames > limit:
        raise BacklogError(f"{waiting} frames wait to be learned; {frames} more would exceed the limit of {limit}")


def check_accepted(journal: Journal, number: int) -> None:
    """Refuse a number that no frame has.

    Raises:
        UnknownFrameError: with the numbers that there are.
    """
    if not 1 <= number <= journal.last_frame:
        raise UnknownFrameError(f"frame {number} was never accepted: the last one is {journal.last_frame}")
