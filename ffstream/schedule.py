"""When to sleep, and for how long.

A schedule only decides; what it decided is journaled as an event, so that replay needs no schedule.
"""

from dataclasses import dataclass

from ffstream.errors import ConfigError
from ffstream.stream.events import Barrier, Drift, Event, Grow, Restore, Sleep, Wake

LONGEST_CYCLE = 100
"""Batches: a cycle's dreams are all drawn before its first is learned."""


@dataclass(frozen=True)
class Schedule:
    """Reasons to fall asleep. A sleep pays what is owed: dreams for the labelled frames since the last.

    Args:
        every: sleep after this many labelled frames; None for never.
        idle: sleep when something is owed and no frame has waited for this many seconds; None for never.
        dreams_per_frame: negatives for every labelled frame.
        cycle: 0 for negatives only; n to alternate n batches of replayed positives with n of negatives, for very long days.
        enough: end a phase before its time, wake as well as sleep, when its rows have little left to teach: when the share of
            those that layers still learn from has come down to this. None for never. It is for long days.
    """

    every: int | None = 1000
    idle: float | None = 5.0
    dreams_per_frame: float = 1.0
    cycle: int = 0
    enough: float | None = None

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise ConfigError(f"every: got {self.every}, expected at least 1 frame, or nothing")
        if self.idle is not None and not self.idle > 0:
            raise ConfigError(f"idle: got {self.idle}, expected seconds above 0, or nothing")
        if not 0 < self.dreams_per_frame <= 100:
            raise ConfigError(f"dreams_per_frame: got {self.dreams_per_frame}, expected a number above 0 and at most 100")
        if not 0 <= self.cycle <= LONGEST_CYCLE:
            raise ConfigError(f"cycle: got {self.cycle}, expected 0 to {LONGEST_CYCLE} batches")
        if self.enough is not None and not 0 < self.enough < 1:
            raise ConfigError(f"enough: got {self.enough}, expected a share between 0 and 1, or nothing")

    def sleep(self, dreams: int, batch: int, reason: str) -> Sleep:
        """A sleep of at least ``dreams`` dreams, in batches of ``batch``."""
        return Sleep(-(-dreams // batch), batch, reason, self.cycle, self.enough)


class SleepDebt:
    """Frames learned since the last sleep: a fold over the journal's events.

    Args:
        unlabelled: whether those without a label count too.
    """

    def __init__(self, unlabelled: bool = False) -> None:
        self.unlabelled = unlabelled
        self.frames = 0

    def observe(self, event: Event) -> None:
        """Wake adds to the debt, sleep clears it."""
        match event:
            case Wake(exact=True):
                pass  # its wrong labels were denied with it
            case Wake():
                self.frames += event.frames if self.unlabelled else event.labelled
            case Sleep():
                self.frames = 0
            case Barrier() | Restore() | Grow() | Drift():
                pass

    def due(self, schedule: Schedule, idle_for: float, day_over: bool) -> str | None:
        """The reason to sleep now, or None.

        Args:
            schedule: what may be a reason.
            idle_for: seconds since a frame last waited.
            day_over: whether this day's frames have little left to teach.
        """
        if not self.frames:
            return None
        if schedule.every is not None and self.frames >= schedule.every:
            return "every"
        if day_over:
            return "enough"
        if schedule.idle is not None and idle_for >= schedule.idle:
            return "idle"
        return None

    def plan(self, schedule: Schedule, batch: int, reason: str) -> Sleep:
        """The sleep that pays the debt, in batches of ``batch`` dreams."""
        return schedule.sleep(int(self.frames * schedule.dreams_per_frame), batch, reason)
