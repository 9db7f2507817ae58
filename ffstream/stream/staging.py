"""A copy of what a stream goes on from, taken beside the running stream: its journal, and the snapshot to start from.

The journal is copied first. A snapshot that is still there afterwards, and lies in it, is one from which the copy leads on.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ffstream.config import NetworkConfig
from ffstream.errors import JournalError
from ffstream.stream.archive import Archive
from ffstream.stream.snapshot import committed, folder_of, remove_older
from ffstream.stream.sqlite_journal import SqliteJournal
from ffstream.stream.stream import JOURNAL, SNAPSHOTS

STAGING = "archiving"
"""Name of the copy in the folder of the stream; one that a crash has left there is removed by the next."""


@dataclass(frozen=True)
class Staged:
    """A copy in ``folder``. ``seq`` is the last event of its journal, ``snapshot`` that of its snapshot, 0 without one."""

    folder: Path
    seq: int
    snapshot: int

    def files(self) -> dict[str, Path]:
        """Every file, by its name relative to the folder."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path for path in paths}


@contextmanager
def staged(folder: Path, network: NetworkConfig, beside: Sequence[str] = ()) -> Iterator[Staged]:
    """A copy of a folder's stream, as long as the context lasts.

    Files of snapshots never change and are linked where the file system can; the journal takes its size once more on the disk.

    Args:
        folder: of a stream, running or not.
        network: as it was made.
        beside: names of more files, copied if they are there.

    Raises:
        JournalError: when the journal cannot be copied.
        SnapshotError: when no snapshot is whole from which the journal leads on.
        OSError: when the copy cannot be written.
    """
    copy = folder / STAGING
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    try:
        _copy_journal(folder / JOURNAL, copy / JOURNAL)
        for name in beside:
            if (folder / name).exists():
                shutil.copyfile(folder / name, copy / name)
        with closing(SqliteJournal(copy / JOURNAL, network.inputs, read_only=True)) as journal:
            snapshot = _stage_snapshot(folder / SNAPSHOTS, copy / SNAPSHOTS, network, journal)
            seq = journal.last_seq
        yield Staged(copy, seq, snapshot)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _copy_journal(path: Path, copy: Path) -> None:
    """Copy it page by page at one moment, so that what has not changed since another copy has the same bytes in both."""
    try:
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
        with closing(source), closing(sqlite3.connect(copy)) as target:
            target.execute("PRAGMA synchronous = OFF")
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise JournalError(f"{path}: cannot be copied ({error})") from error


def _stage_snapshot(root: Path, copy: Path, network: NetworkConfig, journal: SqliteJournal) -> int:
    """Copy the snapshot that a start with this journal takes; its event's number."""
    for seq in committed(root):
        if seq <= journal.last_seq:
            try:
                shutil.copytree(folder_of(root, seq), folder_of(copy, seq), copy_function=_link)
            except OSError:  # it was one too many meanwhile
                shutil.rmtree(folder_of(copy, seq), ignore_errors=True)
    newest = Archive(copy, network, journal, kept=1, label_lifetime=0).newest()
    snapshot = newest.seq if newest is not None else 0
    remove_older(copy, journal.last_seq, [snapshot])
    return snapshot


def _link(source: str, target: str) -> None:
    """Have one file under two names, or in two copies on a file system that has no links."""
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)
