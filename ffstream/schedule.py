"""When to sleep, and for how long.

A schedule only decides; what it decided is journaled as an event, so that replay needs no schedule.
"""

from dataclasses import dataclass

from ffstream.errors import ConfigError
from ffstream.stream.events import Barrier, Event, Restore, Sleep, Wake

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
    """

    every: int | None = 1000
    idle: float | None = 5.0
    dreams_per_frame: float = 1.0
    cycle: int = 0

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise ConfigError(f"every: got {self.every}, expected at least 1 frame, or nothing")
        if self.idle is not None and not self.idle > 0:
            raise ConfigError(f"idle: got {self.idle}, expected seconds above 0, or nothing")
        if not 0 < self.dreams_per_frame <= 100:
            raise ConfigError(f"dreams_per_frame: got {self.dreams_per_frame}, expected a number above 0 and at most 100")
        if not 0 <= self.cycle <= LONGEST_CYCLE:
            raise ConfigError(f"cycle: got {self.cycle}, expected 0 to {LONGEST_CYCLE} batches")


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
            case Wake():
                self.frames += event.frames if self.unlabelled else event.labelled
            case Sleep():
                self.frames = 0
            case Barrier() | Restore():
                pass

    def due(self, schedule: Schedule, idle_for: float) -> str | None:
        """The reason to sleep now, or None."""
        if not self.frames:
            return None
        if schedule.every is not None and self.frames >= schedule.every:
            return "every"
        if schedule.idle is not None and idle_for >= schedule.idle:
            return "idle"
        return None

    def plan(self, schedule: Schedule, batch: int, reason: str) -> Sleep:
        """The sleep that pays the debt, in batches of ``batch`` dreams."""
        dreams = self.frames * schedule.dreams_per_frame
        return Sleep(steps=-(-int(dreams) // batch), batch=batch, reason=reason, cycle=schedule.cycle)
