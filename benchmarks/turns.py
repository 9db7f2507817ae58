"""Learners side by side: each in a process of its own, taking turns, so that none meets a better hour than the others."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import median
from typing import Self

import psutil

from benchmarks.cost import Cost

Learn = Callable[[int], float]
"""Learns the next so many frames of its stream; returns the share of rows that still taught (1 where that has no meaning)."""

Make = Callable[[], AbstractContextManager[Learn]]
"""Makes a learner, in the process where it will learn; it has to be picklable."""

STOP_WITHIN = 60.0
CLOCK_TICK = 0.01
"""Seconds: that a learner gets to end by itself, and of the system's count of processor time."""


def as_equals() -> None:
    """Have actors give way to no other program, as those that they are compared with do not; to be called before Ray starts.

    Ray's default is 15 steps of niceness: on a busy machine such a chain is ten times as slow.
    """
    os.environ.setdefault("RAY_worker_niceness", "0")


@dataclass(frozen=True)
class Turn:
    """What learning so many frames took, and the share of rows that still taught."""

    frames: int
    cost: Cost
    taught: float

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.frames / self.cost.wall

    @property
    def rate_by_cpu(self) -> float:
        """Frames for a second of one processor."""
        return self.frames / max(self.cost.cpu, CLOCK_TICK)


class Contestant:
    """A learner in a process of its own, idle between its turns.

    Args:
        name: for people.
        make: the learner.
    """

    def __init__(self, name: str, make: Make) -> None:
        self.name = name
        spawn = multiprocessing.get_context("spawn")
        self._here, there = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(there, make), name=name)
        self._process.start()
        there.close()
        self._program = psutil.Process(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._here.send(0)
        self._process.join(STOP_WITHIN)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def turn(self, frames: int) -> Turn:
        """Learn.

        Raises:
            RuntimeError: when the learner has failed.
        """
        before = Cost.until_now(self._program)
        self._here.send(frames)
        try:
            answer = self._here.recv()
        except EOFError:
            answer = "its process has ended"
        if not isinstance(answer, float):
            raise RuntimeError(f"{self.name}: {answer}")
        return Turn(frames, Cost.until_now(self._program) - before, answer)


def _serve(asked: Connection, make: Make) -> None:
    """Learn as often as asked; 0 frames are the end."""
    try:
        with make() as learn:
            while frames := asked.recv():
                asked.send(learn(frames))
    except Exception as error:
        asked.send(f"{type(error).__name__}: {error}")


def interleaved(makes: Mapping[str, Make], frames: Mapping[str, int], rounds: int) -> dict[str, list[Turn]]:
    """Everybody's turns, by name, after one each to warm up; a learner that fails while warming up is left out.

    Args:
        makes: the learners.
        frames: in a turn of each; a turn has to last long enough to be measured.
        rounds: turns of each.
    """
    turns: dict[str, list[Turn]] = {}
    with ExitStack() as stack:
        present = []
        for name, make in makes.items():
            contestant = stack.enter_context(Contestant(name, make))
            try:
                _say(f"{name}, warm up", contestant.turn(frames[name]))
            except RuntimeError as error:
                print(f"  left out: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
            else:
                present.append(contestant)
        for number in range(1, rounds + 1):
            for contestant in present:
                turn = contestant.turn(frames[contestant.name])
                turns.setdefault(contestant.name, []).append(turn)
                _say(f"{contestant.name}, {number}/{rounds}", turn)
    return turns


def _say(what: str, turn: Turn) -> None:
    line = f"  {what}: {turn.rate:.0f} frames/s, {turn.rate_by_cpu:.0f} for a CPU second"
    print(line, file=sys.stderr, flush=True)


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """Median of the ratios of turns that were taken one after the other."""
    return median(one / other for one, other in zip(ones, others, strict=True))
