"""Which of a journal's events led to the present weights, when a snapshot was restored on the way.

A restore is an event of its own. It erases nothing: it says from which barrier the state goes on, and the next event goes on
from it. Events between the two stay in the journal, on a branch that was left.

    1 - 2 - 3 (barrier) - 4 - 5
                       `- 6 (restore to 3) - 7 - 8

Events are numbered in the order in which they were recorded, whichever branch they are on, and so are frames. The frames
that events 4 and 5 name stay where they were learned; those that waited for an event are learned by 7. A frame takes its label
once, on whichever branch: to teach again what was left behind, feed it again.
"""

import sys
from collections.abc import Iterable
from typing import Self

from ffstream.stream.events import Recorded, Restore
from ffstream.stream.journal import Journal


class Lineage:
    """The events of one branch, from the first to the last of a journal.

    Args:
        restores: all restores of the journal, in order.
    """

    def __init__(self, restores: Iterable[Recorded]) -> None:
        self._restores: list[tuple[int, Restore]] = []
        begin = sys.maxsize
        for recorded in reversed(list(restores)):
            if isinstance(recorded.event, Restore) and recorded.seq <= begin:
                self._restores.append((recorded.seq, recorded.event))
                begin = recorded.event.to
        self._next = {restore.to: seq for seq, restore in self._restores}

    @classmethod
    def of(cls, journal: Journal) -> Self:
        """The branch that a journal ends with."""
        return cls(journal.events(0, limit=sys.maxsize, kind=Restore.kind))

    def after(self, seq: int) -> int:
        """Number of the event that comes after one of the branch."""
        return self._next.get(seq, seq + 1)

    def holds(self, seq: int) -> bool:
        """Whether an event is on the branch."""
        return not any(restore.to < seq < at for at, restore in self._restores)

    def left(self, frame: int) -> bool:
        """Whether a frame belongs to a branch that was left, so that the present weights owe it nothing."""
        return any(restore.first <= frame <= restore.last for _, restore in self._restores)
