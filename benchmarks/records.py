"""What the ledgers hold, by the settings that it was measured under: for tables that are made of several benchmarks."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.ledger import SAME, key_of
from benchmarks.runs import Figures

Settings = dict[str, Any]
Value = Callable[[Figures], float]


@dataclass(frozen=True)
class Measured:
    """A figure: the mean over so many seeds, after so many passes, or so many ``frames`` of the first pass only."""

    value: float
    seeds: int
    passes: int
    frames: int | None = None

    def __str__(self) -> str:
        seeds = "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"
        passes = "1 pass" if self.passes == 1 else f"{self.passes} passes"
        return f"**{self.value:.2f}** ({f'{self.frames:,} frames' if self.frames else passes}, {seeds})"


class Records:
    """The ledgers of a folder.

    A figure is that of the last run that was recorded under the settings asked for, with the other seeds of the very same
    settings: figures of before a constant or a rule was changed are never mixed with it.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self._read: dict[str, list[tuple[Settings, Figures]]] = {}

    def latest(self, ledger: str, wanted: Callable[[Settings], bool]) -> list[tuple[Settings, Figures]]:
        """The last run that is wanted, and its other seeds; none when there is no such record."""
        found = [record for record in self._of(ledger) if wanted(record[0])]
        if not found:
            return []
        last, fingerprint = _but_seed(found[-1][0])
        alike = [(record, *_but_seed(record[0])) for record in found]
        same = [record for record, key, seen in alike if key == last and np.allclose(seen, fingerprint, 0, SAME)]
        return list({settings["seed"]: (settings, figures) for settings, figures in same}.values())

    def measure(self, ledger: str, value: Value, wanted: Callable[[Settings], bool]) -> Measured | None:
        """The mean of a figure over those runs."""
        found = self.latest(ledger, wanted)
        if not found:
            return None
        settings = found[0][0]
        return Measured(mean(value(figures) for _, figures in found), len(found), settings["passes"], settings.get("frames"))

    def _of(self, ledger: str) -> list[tuple[Settings, Figures]]:
        if ledger not in self._read:
            path = self.results / f"{ledger}.jsonl"
            lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
            self._read[ledger] = [(line["settings"], Figures(**line["figures"])) for line in lines]
        return self._read[ledger]


def _but_seed(settings: Settings) -> tuple[str, list[float]]:
    return key_of({name: value for name, value in settings.items() if name != "seed"})
