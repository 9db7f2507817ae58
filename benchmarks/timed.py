"""Recurrent layers that note when they step, and what share of the ticks finds all of them working."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ffstream.actors.tick_actor import TickActor  # isort: split

import ray  # after ffstream.actors, which sets what it reads once

from ffstream.message import Message, States
from ffstream.recurrent import TickStage


class Step(NamedTuple):
    """A layer's step: the tick's event, number and lane, seconds of the machine's clock, and of the processor."""

    place: tuple[Any, int, int]
    began: float
    ended: float
    cpu: float


class TimedStage:
    """A :class:`~ffstream.recurrent.TickStage` with a watch."""

    def __init__(self, ticking: TickStage) -> None:
        self._ticking = ticking
        self.stage, self.video = ticking.stage, ticking.video
        self.steps: list[Step] = []

    def first(self, below: States) -> States:
        """See :class:`~ffstream.recurrent.TickStage`."""
        return self._timed(self._ticking.first, below)

    def tick(self, below: States, above: States) -> States:
        """See :class:`~ffstream.recurrent.TickStage`."""
        return self._timed(self._ticking.tick, below, above)

    def close(self, message: Message) -> Message:
        """See :class:`~ffstream.recurrent.TickStage`."""
        return self._ticking.close(message)

    def _timed(self, step: Any, *sources: States) -> States:
        began, cpu = time.monotonic(), time.thread_time()
        shown: States = step(*sources)
        self.steps.append(Step(shown.place, began, time.monotonic(), time.thread_time() - cpu))
        return shown


class TimedTickActor(TickActor):
    """A :class:`~ffstream.actors.tick_actor.TickActor` with a :class:`TimedStage`."""

    @ray.method(concurrency_group="learn")
    def watch(self) -> None:
        """Begin to note steps, and forget those noted before."""
        self.timed = TimedStage(TickStage(self.layer.stage))
        self.pacer.ticking = self.timed  # type: ignore[assignment]

    @ray.method(concurrency_group="learn")
    def steps(self) -> list[Step]:
        """All that were noted since :meth:`watch`."""
        return self.timed.steps


def watch(layers: Sequence[Any]) -> None:
    """Have actors begin to note steps."""
    ray.get([layer.watch.remote() for layer in layers])


def noted(layers: Sequence[Any]) -> list[list[Step]]:
    """The steps of every actor since then."""
    steps: list[list[Step]] = ray.get([layer.steps.remote() for layer in layers])
    return steps


class Work(NamedTuple):
    """From when on a step could be made, and when it was done."""

    since: float
    until: float


def works(steps: Sequence[Sequence[Step]]) -> list[list[Work]]:
    """When every layer was at work: from the moment at which it was free and its neighbours had shown what it needs.

    That it then waits for a processor, or for the states to arrive, is counted as work.

    Args:
        steps: of every layer, from the first to the last, in order.
    """
    ended = [{step.place: step.ended for step in layer} for layer in steps]
    found = []
    for at, layer in enumerate(steps):
        below, above = ended[at - 1] if at else {}, ended[at + 1] if at + 1 < len(steps) else {}
        free, done = layer[0].began, []
        for step in layer:
            event, tick, lane = step.place
            needed = [below.get((event, tick - 1, lane)), above.get((event, tick - 1, lane))] if tick else []
            needed += [below.get(step.place)] if tick == 0 else []
            done.append(Work(max([free, *(each for each in needed if each is not None)]), step.ended))
            free = step.ended
        found.append(done)
    return found


def share_of_full_ticks(steps: Sequence[Sequence[Step]]) -> float:
    """Share of ticks in which every layer works; a tick lasts from one step of the slowest layer to its next.

    The slowest layer, by processor time, is the clock of a chain without a barrier. What a layer does in less than the time of
    a tick counts as working in it. A tick in which the slowest itself has to wait for others is not a full one. The first and
    the last fifth are left out.
    """
    slowest = max(range(len(steps)), key=lambda at: sum(step.cpu for step in steps[at]))
    work = works(steps)
    clock = work[slowest]
    inner = range(len(clock) // 5, len(clock) - len(clock) // 5)
    full = [
        clock[at].since <= clock[at - 1].until
        and all(any(each.since < clock[at].until and each.until > clock[at - 1].until for each in layer) for layer in work)
        for at in inner
        if at
    ]
    return sum(full) / len(full)
