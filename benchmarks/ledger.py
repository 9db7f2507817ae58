"""What has been measured: one JSON line a finished run, written at once, so that an interrupted benchmark resumes."""

import functools
import hashlib
import json
import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runs import Figures, Run, execute, part_of
from ffstream.datasets import Dataset

SAME = 2e-3
"""By how much fingerprints of the same library may differ on two kinds of processor."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Ledger:
    """Runs and their figures, kept in a file.

    Args:
        path: of the file; what it holds already is not run again.
        data: name of the data set (see :func:`ffstream.datasets.load`).
        workers: runs at a time, each in a process of its own with one thread.
        fresh: measure everything anew; later lines take the place of earlier ones.
        measure: what gives a run's figures.
        parts: what gives a data set by name, with a part of it held out.
    """

    def __init__(
        self,
        path: Path,
        data: str,
        *,
        workers: int = 1,
        fresh: bool = False,
        measure: Callable[[Run, str], Figures] = execute,
        parts: Callable[[str, str], Dataset] = part_of,
    ) -> None:
        self.path = path
        self.data = data
        self.workers = workers
        self.measure = measure
        self.parts = parts
        self._records: defaultdict[str, list[tuple[list[float], Figures]]] = defaultdict(list)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not fresh:
            for line in path.read_text().splitlines():
                record = json.loads(line)
                self._note(record["settings"], Figures(**record["figures"]))

    def __getitem__(self, run: Run) -> Figures:
        found = self._find(run)
        if found is None:
            raise KeyError(str(run))
        return found

    def __contains__(self, run: Run) -> bool:
        return self._find(run) is not None

    def _find(self, run: Run) -> Figures | None:
        """What was recorded last under a run's settings, by a library that does the same."""
        key, fingerprint = key_of(self.settings(run))
        alike = (figures for seen, figures in reversed(self._records[key]) if np.allclose(seen, fingerprint, 0, SAME))
        return next(alike, None)

    def furthest(self, run: Run) -> Figures | None:
        """What was recorded of such a run with the most passes, however many its own are."""
        passes = {json.loads(key)["passes"] for key in self._records}
        found = (self._find(replace(run, passes=count)) for count in sorted(passes, reverse=True))
        return next((figures for figures in found if figures), None)

    def _note(self, settings: dict[str, Any], figures: Figures) -> None:
        key, fingerprint = key_of(settings)
        self._records[key].append((fingerprint, figures))

    def settings(self, run: Run) -> dict[str, Any]:
        """What a run is recorded under: everything that decides its figures, the data included."""
        return run.settings() | {"data": _fingerprint(self.data, self.parts)}

    def complete(self, runs: Iterable[Run]) -> None:
        """Measure those of the runs that are not in the ledger yet."""
        missing = {key_of(self.settings(run))[0]: run for run in runs if run not in self}
        pool = _pool(self.workers)
        running = {pool.submit(self.measure, run, self.data): run for run in missing.values()}
        try:
            for done in as_completed(running):
                self._record(running[done], done.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            _pool.cache_clear()
            raise

    def _record(self, run: Run, figures: Figures) -> None:
        settings = self.settings(run)
        with self.path.open("a") as file:
            file.write(json.dumps({"settings": settings, "figures": asdict(figures)}) + "\n")
        self._note(settings, figures)
        read = ", ".join(f"{reading} {error:.2%}" for reading, error in figures.held_out[-1].items())
        print(f"{run}: held out {read}, {figures.seconds:.0f} s", file=sys.stderr, flush=True)


@functools.cache
def _pool(workers: int) -> ProcessPoolExecutor:
    """Lasts as long as the program: one that is collected while the program ends makes Python complain of its closed pipe."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def key_of(settings: dict[str, Any]) -> tuple[str, list[float]]:
    """Settings as one text, and the fingerprint, which none but ffstream's have."""
    fingerprint = settings.get("fingerprint", ())
    return json.dumps(settings | {"fingerprint": len(fingerprint)}, sort_keys=True), list(fingerprint)


@functools.cache
def _fingerprint(data: str, parts_of: Callable[[str, str], Dataset]) -> str:
    """Of a data set's labels and first frames: the same for the same data, wherever it was loaded from."""
    whole = parts_of(data, "test")
    parts = (whole.y, whole.y_held, whole.x[:100], whole.x_held[:100])
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:12]
