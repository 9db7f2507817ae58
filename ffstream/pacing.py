"""A recurrent layer among its neighbours: it steps when their states of the last tick are there, and waits for nothing else.

There is no clock and no barrier between ticks. Whatever the order in which states arrive, a layer takes them in the one order
that :func:`ffstream.recurrent.run` has, so that it learns the same bits.
"""

from collections import deque
from collections.abc import Generator
from enum import Enum
from typing import Any, Protocol

from ffstream.errors import GapError
from ffstream.message import Message, Position, States
from ffstream.recurrent import Teller, TickStage
from ffstream.stage import Stage


class Side(Enum):
    """Where something comes from."""

    BELOW = "below"
    ABOVE = "above"


class Neighbours(Protocol):
    """What a layer's pacer calls, in the order of the stream."""

    def show(self, states: States) -> None:
        """Both neighbours are to have these states."""
        ...

    def hand_on(self, message: Message) -> None:
        """An event is over; its message goes up."""
        ...

    def mark(self, thing: Any) -> Stage:
        """Something else than states has come to its turn: it is between two events. The layer goes on with this stage."""
        ...


Course = Generator[Side, Any, None]
"""Says from which side it needs something next, and is sent it."""


class Pacer:
    """Takes what comes from both sides, in the right order.

    Args:
        stage: of the layer.
        neighbours: to whom it shows its states.
    """

    def __init__(self, stage: Stage, neighbours: Neighbours) -> None:
        self.neighbours = neighbours
        self._go_on(stage)
        self._came: dict[Side, deque[Any]] = {side: deque() for side in Side}
        self._course = self._live()
        self._needs = next(self._course)

    def _go_on(self, stage: Stage) -> None:
        self.ticking = TickStage(stage)
        self.teller = Teller(stage.config) if stage.index == stage.config.depth - 1 else None

    def came(self, side: Side, thing: Any) -> None:
        """Take something in, and do all that is possible now.

        Raises:
            GapError: when something before it never came.
        """
        self._came[side].append(thing)
        while waiting := self._came[self._needs]:
            self._needs = self._course.send(waiting.popleft())

    def _live(self) -> Course:
        while True:
            thing = yield Side.BELOW
            if not isinstance(thing, States | Message):
                self._go_on(self.neighbours.mark(thing))
            elif isinstance(thing, States) and self.ticking.stage.advance(thing.position):
                yield from self._event(thing)

    def _event(self, states: States) -> Course:
        """The bottom-up pass, the ticks and the end, lane after lane, as in :func:`ffstream.recurrent.run`."""
        position, ticks, lanes = states.position, self.ticking.video.ticks, states.lanes
        began = []
        for lane in range(lanes):
            began.append(self._expect(states if lane == 0 else (yield Side.BELOW), position, 0, lane))
            self.neighbours.show(self.ticking.first(began[lane]))
        for tick in range(ticks):
            for lane in range(lanes):
                below = began[lane] if tick == 0 else self._expect((yield Side.BELOW), position, tick, lane)
                above = self.teller.shows(below) if self.teller else self._expect((yield Side.ABOVE), position, tick, lane)
                shown = self.ticking.tick(below, above)
                if shown.tick < ticks:
                    self.neighbours.show(shown)
        message = yield Side.BELOW
        if not isinstance(message, Message) or message.position != position:
            raise self._gap(message, f"the end of {position}")
        self.neighbours.hand_on(self.ticking.close(message))

    def _expect(self, states: Any, position: Position, tick: int, lane: int) -> States:
        if not isinstance(states, States) or states.place != (position, tick, lane):
            raise self._gap(states, f"tick {tick} of lane {lane} of {position}")
        return states

    def _gap(self, got: Any, expected: str) -> GapError:
        what = f"{got.place}" if isinstance(got, States) else type(got).__name__
        return GapError(f"layer {self.ticking.stage.index}: got {what}, expected {expected}: something in between is missing")
