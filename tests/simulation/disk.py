"""Files that fail when they are told to: every operation of journal and snapshots under one folder is counted."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any
from unittest import mock

from tests.simulation.cluster import Killed


class Crash(BaseException):
    """The whole process ends where it stands."""


class Fault(Enum):
    """How an operation goes wrong."""

    REFUSED = "reports an error, and nothing was done"
    TORN = "reports an error, and half of it was done"
    FULL = "reports a full disk, and half of it was done"
    CRASH = "the process ends before it"
    CRASH_HALFWAY = "the process ends in the middle of it"
    CRASH_AFTER = "the process ends right after it"


CRASHES = (Fault.CRASH, Fault.CRASH_HALFWAY, Fault.CRASH_AFTER)

Act = Callable[[], Any]
Fate = Callable[[int], Fault | None]
"""Given an operation's number from 1, how it fails."""


def no_fault(number: int) -> None:
    """Every operation goes well."""


class Disk:
    """Counts operations and asks ``fate`` what becomes of each.

    Args:
        fate: no_fault, or another.
        in_actor: whether an actor is running, which then dies alone where the process would crash.
    """

    def __init__(self, fate: Fate, in_actor: Callable[[], bool] = lambda: False) -> None:
        self.fate = fate
        self.in_actor = in_actor
        self.count = 0
        self.opened: list[sqlite3.Connection] = []

    def do(self, act: Act, half: Act = lambda: None, *, error: type[Exception] = OSError) -> Any:
        """One operation; ``half`` is what a torn one does."""
        self.count += 1
        fault = self.fate(self.count)
        if fault is None:
            return act()
        if fault in (Fault.TORN, Fault.FULL, Fault.CRASH_HALFWAY):
            half()
        elif fault is Fault.CRASH_AFTER:
            with suppress(AttributeError):
                act().close()
        if fault in CRASHES:
            raise Killed if self.in_actor() else Crash
        code = errno.ENOSPC if fault is Fault.FULL else errno.EIO
        raise error(code, os.strerror(code)) if error is OSError else error(os.strerror(code))

    @contextmanager
    def mounted(self, root: Path) -> Iterator[None]:
        """Let everything under ``root``, and every journal, go through this disk. No fsync reaches the real one."""

        def here(path: Any) -> bool:
            return Path(path).is_relative_to(root)

        def through(real: Callable[..., Any], half: Callable[..., Any] = lambda *_, **__: None) -> Callable[..., Any]:
            def call(path: Any, *rest: Any, **options: Any) -> Any:
                if not here(path):
                    return real(path, *rest, **options)
                return self.do(lambda: real(path, *rest, **options), lambda: half(path, *rest, **options))

            return call

        def opening(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
            file = real_open(path, mode, *rest, **options)
            return WholeFile(file, self) if mode == "wb" and here(path) else file

        def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
            made: FaultyConnection = real_connect(*arguments, factory=FaultyConnection, **options)
            made.disk = self
            self.opened.append(made)
            return made

        def fsync(_: int) -> None:
            self.do(lambda: None)

        real_open, real_connect = Path.open, sqlite3.connect
        patches = [
            mock.patch.object(Path, "open", through(opening)),
            mock.patch.object(Path, "rename", through(Path.rename)),
            mock.patch.object(Path, "mkdir", through(Path.mkdir)),
            mock.patch.object(shutil, "rmtree", through(shutil.rmtree, half_removed)),
            mock.patch.object(os, "fsync", fsync),
            mock.patch.object(sqlite3, "connect", connect),
        ]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in reversed(patches):
                patch.stop()
            self.abandon()

    def abandon(self) -> None:
        """Close what a process that is gone had opened."""
        for connection in self.opened:
            sqlite3.Connection.close(connection)
        self.opened.clear()


class WholeFile:
    """A file that is written in one go."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk
        self.fileno, self.flush, self.close = file.fileno, file.flush, file.close

    def write(self, blob: bytes) -> None:
        self._disk.do(lambda: self._file.write(blob), lambda: self._file.write(blob[: len(blob) // 2]))

    def __enter__(self) -> "WholeFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FaultyConnection(sqlite3.Connection):
    """SQLite whose statements fail. What fails is not done: SQLite itself sees to that."""

    disk: Disk

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "ROLLBACK":
            return super().execute(sql)
        return self.disk.do(lambda: super(FaultyConnection, self).execute(sql, *values), error=sqlite3.OperationalError)

    def executescript(self, script: str) -> sqlite3.Cursor:
        return self.disk.do(lambda: super(FaultyConnection, self).executescript(script), error=sqlite3.OperationalError)


def half_removed(folder: Path) -> None:
    """Of a folder that is being removed, every second file is gone."""
    for path in sorted(folder.iterdir())[::2]:
        path.unlink()
