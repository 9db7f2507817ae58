"""What something took: time of the clock, and processor time of a program with all its descendants."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import psutil


@dataclass(frozen=True)
class Cost:
    """Seconds: of the clock, and of all processors together. On a machine that others use too the second says more."""

    wall: float
    cpu: float

    @classmethod
    def until_now(cls, program: psutil.Process) -> Self:
        """What a program has used so far; the difference of two is what it used in between."""
        return cls(time.perf_counter(), sum(map(_cpu_seconds, (program, *program.children(recursive=True)))))

    def __sub__(self, before: "Cost") -> "Cost":
        return Cost(self.wall - before.wall, self.cpu - before.cpu)


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
