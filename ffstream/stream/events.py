"""Events: everything that changes state, in one order.

The weights are a pure function of the journal's events and the frames they name. An event's number is its ``seq``; numbers are
dense from 1. Frames are numbered on their own, dense from 1, in the order in which they were accepted.
"""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar

from ffstream.errors import JournalError


@dataclass(frozen=True)
class Wake:
    """A micro-batch of frames ``first`` to ``last``, both included, ``labelled`` of them with a label.

    It is an event of its own because its boundaries decide floating-point bits. With ``exact`` it is one frame with its label,
    learned in one step (:mod:`ffstream.exact`).
    """

    kind: ClassVar[str] = "wake"
    first: int
    last: int
    labelled: int
    exact: bool = False

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Sleep:
    """A sleep of ``steps`` batches of ``batch`` dreams each; ``reason`` says what asked for it.

    With a ``cycle`` of n it alternates: n batches of the frames as they were, replayed as positives, then n of dreams of them.
    It ends before its time when no more than a share of ``enough`` of its dreams still teach
    (:class:`~ffstream.teaching.Teaching`).
    """

    kind: ClassVar[str] = "sleep"
    steps: int
    batch: int
    reason: str
    cycle: int = 0
    enough: float | None = None


@dataclass(frozen=True)
class Barrier:
    """Everything before it goes into one snapshot."""

    kind: ClassVar[str] = "barrier"
    reason: str


@dataclass(frozen=True)
class Restore:
    """The state goes on as it was at barrier ``to``; frames ``first`` to ``last`` belong to the branch that is left.

    See :mod:`ffstream.stream.lineage`.
    """

    kind: ClassVar[str] = "restore"
    to: int
    first: int
    last: int


@dataclass(frozen=True)
class Drift:
    """The stream had changed ``frames`` labelled frames before the end of event ``at`` (:mod:`ffstream.drift`).

    Shares ``before`` and ``since`` of predictions were wrong. With the reaction ``"forget"`` every part begins anew with what
    it fitted to the stream; ``"tell"`` and ``"sleep"`` change nothing here.
    """

    kind: ClassVar[str] = "drift"
    at: int
    frames: int
    before: float
    since: float
    reaction: str

    @property
    def forgets(self) -> bool:
        """Whether it changes the parts."""
        return self.reaction == "forget"


@dataclass(frozen=True)
class Grow:
    """From here on there are slots for ``classes`` labels (:mod:`ffstream.growth`): the next frame's has none yet."""

    kind: ClassVar[str] = "grow"
    classes: int


Change = Grow | Drift
"""What may change every part of a network as it passes (:mod:`ffstream.change`), between two micro-batches."""

Event = Wake | Sleep | Barrier | Restore | Change

KINDS: dict[str, type[Event]] = {kind.kind: kind for kind in (Wake, Sleep, Barrier, Restore, Grow, Drift)}
"""Every kind by its name."""


@dataclass(frozen=True)
class Recorded:
    """An event with its place in the journal; ``at`` is Unix time in seconds."""

    seq: int
    event: Event
    at: float

    @property
    def before(self) -> int:
        """Number of the event from whose state this one goes on."""
        return self.event.to if isinstance(self.event, Restore) else self.seq - 1


def encode(event: Event) -> str:
    """An event's fields as JSON, without its kind."""
    return json.dumps(asdict(event))


def decode(kind: str, body: str) -> Event:
    """The inverse of :func:`encode`.

    Raises:
        JournalError: for a kind that this version does not know.
    """
    if kind not in KINDS:
        raise JournalError(f"event kind: got {kind!r}, this version knows {sorted(KINDS)}")
    return KINDS[kind](**json.loads(body))
