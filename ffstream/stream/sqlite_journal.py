"""The journal in one SQLite file, written by one process and read by any."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.errors import ExpiredFrameError, JournalError, KeyReuseError
from ffstream.frames import FrameArray, LabelArray, to_tensor
from ffstream.stream.events import KINDS, Event, Recorded, Wake, decode, encode
from ffstream.stream.frame import Frame, Prediction, Predictions
from ffstream.stream.journal import KEYS_LIVE, FrameRange, check_accepted, check_backlog
from ffstream.stream.late import check_late

FORMAT = 3
"""Version of the file format; a file of another version is refused, but for the one before, which has no ``exact``."""

CHUNK = 256
"""Frames stored in one row at most, so that reading one back never walks a large blob."""

PAGE = 16384
CHECKPOINT = 8 << 20
"""Bytes in a page of a new file, and in the log before it is folded in: frames come by the hundred kilobytes, and take half the
time on pages of this size that they take on SQLite's own of 4096."""

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE chunks (
    first INTEGER PRIMARY KEY, count INTEGER NOT NULL, dtype TEXT NOT NULL, frames BLOB NOT NULL, labels BLOB NOT NULL,
    exact INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX events_by_kind ON events (kind, seq);
CREATE TABLE requests (key TEXT PRIMARY KEY, digest TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX requests_by_frame ON requests (last);
CREATE TABLE predictions (
    first INTEGER PRIMARY KEY, seq INTEGER NOT NULL, labels BLOB NOT NULL, probabilities BLOB NOT NULL
);
CREATE TABLE late (frame INTEGER PRIMARY KEY, taught_as INTEGER NOT NULL UNIQUE);
"""

RENEW = """
BEGIN; ALTER TABLE chunks ADD COLUMN exact INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET value = '3' WHERE name = 'format'; COMMIT;
"""
"""Makes a file of format 3 of one of format 2."""


class SqliteJournal:
    """A journal in one SQLite file (write-ahead log).

    Args:
        path: of the file; made when missing.
        inputs: numbers in a frame.
        power_safe: also survive a loss of power, at the cost of one fsync an append. Without it an accepted frame survives the
            death of any process, but the last moments may be lost with the machine.
        read_only: open for reading beside a writer in another process.

    Raises:
        JournalError: when the file is no journal, or one of another format or frame length.
    """

    def __init__(self, path: Path, inputs: int, *, power_safe: bool = False, read_only: bool = False) -> None:
        self.path = path
        self.inputs = inputs
        self._lock = threading.RLock()
        try:
            self._db = self._open(power_safe, read_only)
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{path}: not a journal that can be opened ({error})") from error
        self.last_frame = self._scalar("SELECT max(first + count - 1) FROM chunks")
        self.last_seq = self._scalar("SELECT max(seq) FROM events")
        wake = self.last(Wake.kind)
        self.sequenced = wake.event.last if wake and isinstance(wake.event, Wake) else 0

    def _open(self, power_safe: bool, read_only: bool) -> sqlite3.Connection:
        if read_only:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            db = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        else:
            db = self._open_or_make(power_safe)
        found = dict(db.execute("SELECT name, value FROM meta"))
        expected = {"format": str(FORMAT), "inputs": str(self.inputs)}
        if found != expected:
            db.close()
            raise JournalError(f"{self.path}: got {found}, expected {expected}")
        return db

    def _open_or_make(self, power_safe: bool) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT // PAGE}")
        db.execute(f"PRAGMA synchronous = {'FULL' if power_safe else 'NORMAL'}")
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            meta = f"INSERT INTO meta VALUES ('format', '{FORMAT}'), ('inputs', '{self.inputs:d}');"
            db.executescript(f"BEGIN; {SCHEMA} {meta} COMMIT;")
        elif ("2",) in db.execute("SELECT value FROM meta WHERE name = 'format'"):
            db.executescript(RENEW)
        return db

    def append(
        self,
        frames: FrameArray,
        labels: LabelArray,
        *,
        exact: bool = False,
        limit: int | None = None,
        key: str | None = None,
        digest: str = "",
    ) -> FrameRange:
        """See :class:`~ffstream.stream.journal.Journal`."""
        return self._accept(len(frames), lambda accepted: self._insert(accepted, frames, labels, exact), limit, key, digest)

    def label(
        self,
        ids: NDArray[np.int64],
        labels: LabelArray,
        *,
        lifetime: int,
        limit: int | None = None,
        key: str | None = None,
        digest: str = "",
    ) -> FrameRange:
        """See :class:`~ffstream.stream.journal.Journal`."""

        def again(accepted: FrameRange) -> None:
            check_late(self, ids, labels, lifetime)
            self._insert(accepted, self.recall(ids).numpy(), labels)
            for number, taught_as in zip(ids.tolist(), accepted.numbers, strict=True):
                self._db.execute("INSERT INTO late VALUES (?, ?)", (number, taught_as))

        return self._accept(len(ids), again, limit, key, digest)

    def _accept(
        self, frames: int, insert: Callable[[FrameRange], None], limit: int | None, key: str | None, digest: str
    ) -> FrameRange:
        """Give so many frames the next numbers and have them inserted, unless the key says that they were before."""
        with self._lock:
            with self._transaction():
                repeated = self._repeated(key, digest)
                if repeated:
                    return repeated
                check_backlog(self, frames, limit)
                accepted = FrameRange(self.last_frame + 1, self.last_frame + frames)
                insert(accepted)
                if key is not None:
                    request = (key, digest, accepted.first, accepted.last)
                    self._db.execute("INSERT INTO requests VALUES (?, ?, ?, ?)", request)
            self.last_frame = accepted.last
            return accepted

    def _insert(self, accepted: FrameRange, frames: FrameArray, labels: LabelArray, exact: bool = False) -> None:
        for start in range(0, len(frames), CHUNK):
            part, part_labels = frames[start : start + CHUNK], labels[start : start + CHUNK]
            chunk = (
                accepted.first + start,
                len(part),
                str(part.dtype),
                np.ascontiguousarray(part).data,
                np.ascontiguousarray(part_labels).data,
                exact,
            )
            self._db.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)", chunk)

    def _repeated(self, key: str | None, digest: str) -> FrameRange | None:
        if key is None:
            return None
        row = self._db.execute("SELECT digest, first, last FROM requests WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if row[0] != digest:
            raise KeyReuseError(f"idempotency key {key!r} was used before, for another request")
        return FrameRange(row[1], row[2], repeated=True)

    def record(self, event: Event) -> Recorded:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            recorded = Recorded(self.last_seq + 1, event, time.time())
            with self._transaction():
                row = (recorded.seq, event.kind, encode(event), recorded.at)
                self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
            self.last_seq = recorded.seq
            if isinstance(event, Wake):
                self.sequenced = event.last
            return recorded

    def events(self, after: int, limit: int = 1000, kind: str | None = None) -> list[Recorded]:
        """See :class:`~ffstream.stream.journal.Journal`."""
        chosen, values = ("", (after, limit)) if kind is None else ("AND kind = ?", (after, kind, limit))
        query = f"SELECT seq, kind, body, at FROM events WHERE seq > ? {chosen} ORDER BY seq LIMIT ?"
        return [Recorded(seq, decode(named, body), at) for seq, named, body, at in self._rows(query, *values)]

    def last(self, kind: str, upto: int | None = None) -> Recorded | None:
        """See :class:`~ffstream.stream.journal.Journal`."""
        query = "SELECT seq, kind, body, at FROM events WHERE kind = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
        limit = self.last_seq if upto is None else upto
        found = [Recorded(seq, decode(kind, body), at) for seq, kind, body, at in self._rows(query, kind, limit)]
        return found[0] if found else None

    def read(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """See :class:`~ffstream.stream.journal.Journal`."""
        frames = [to_tensor(self._decode(dtype, blob)[rows]) for dtype, blob, rows in self._chunks("frames", first, last)]
        return torch.cat(frames), torch.from_numpy(self.labels(first, last))

    def labels(self, first: int, last: int) -> LabelArray:
        """See :class:`~ffstream.stream.journal.Journal`."""
        labels = [np.frombuffer(blob, np.int64)[rows] for _, blob, rows in self._chunks("labels", first, last)]
        if sum(map(len, labels)) != last - first + 1:
            raise JournalError(f"{self.path}: frames {first} to {last} are not all there")
        return np.concatenate(labels)

    def exact(self, first: int, last: int) -> NDArray[np.bool_]:
        """See :class:`~ffstream.stream.journal.Journal`."""
        marks = [np.full(rows.stop - rows.start, exact) for _, exact, rows in self._chunks("exact", first, last)]
        return np.concatenate(marks).astype(np.bool_)

    def _chunks(self, column: str, first: int, last: int) -> Iterator[tuple[str, Any, slice]]:
        """One column of the chunks that hold these frames, with the frames' rows in each."""
        query = f"SELECT first, count, dtype, {column} FROM chunks WHERE first > ? AND first <= ? ORDER BY first"
        for start, count, dtype, blob in self._rows(query, first - CHUNK, last):
            if start + count > first:
                yield dtype, blob, slice(max(first - start, 0), min(last - start + 1, count))

    def _decode(self, dtype: str, blob: bytes) -> FrameArray:
        return np.frombuffer(blob, dtype).reshape(-1, self.inputs)

    def recall(self, ids: NDArray[np.int64]) -> Tensor:
        """See :class:`~ffstream.stream.journal.Journal`. Every chunk that holds one of the frames is read once."""
        frames = torch.empty(len(ids), self.inputs)
        missing = np.ones(len(ids), dtype=bool)
        query = "SELECT first, count, dtype, frames FROM chunks WHERE first = (SELECT max(first) FROM chunks WHERE first <= ?)"
        while missing.any():
            wanted = int(ids[missing.argmax()])
            rows = self._rows(query, wanted)
            if not rows or wanted >= rows[0][0] + rows[0][1]:
                raise JournalError(f"{self.path}: frame {wanted} is not there")
            start, count, dtype, blob = rows[0]
            here = missing & (ids >= start) & (ids < start + count)
            chunk = to_tensor(self._decode(dtype, blob))
            frames[torch.from_numpy(here)] = chunk[torch.from_numpy(ids[here] - start)]
            missing &= ~here
        return frames

    def prune(self, events: int, frames: int, most: int) -> bool:
        """See :class:`~ffstream.stream.journal.Journal`. Freed room in the file is used again."""
        with self._lock, self._transaction():
            latest = ", ".join(str(last.seq) for kind in KINDS if (last := self.last(kind)))
            old = f"SELECT seq FROM events WHERE seq <= ? AND seq NOT IN ({latest}) AND kind <> 'restore' ORDER BY seq LIMIT ?"
            forgotten = self._db.execute(f"DELETE FROM events WHERE seq IN ({old})", (events, most)).rowcount
            upto = min(frames, self._scalar("SELECT min(first) FROM chunks") + max(most, CHUNK))
            self._db.execute("DELETE FROM chunks WHERE first <= ? AND first + count - 1 <= ?", (upto, upto))
            gone = self._scalar("SELECT min(first) FROM chunks") - 1
            made = "first <= ? AND first + length(labels) / 8 - 1 <= ?"
            self._db.execute(f"DELETE FROM predictions WHERE {made}", (gone, gone))
            self._db.execute("DELETE FROM late WHERE taught_as <= ?", (gone,))
            self._db.execute("DELETE FROM requests WHERE last <= ?", (min(gone, self.last_frame - KEYS_LIVE),))
            return forgotten < most and upto == frames

    def keep(self, predictions: Sequence[Predictions]) -> None:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock, self._transaction():
            for each in predictions:
                row = (each.first, each.seq, each.labels.tobytes(), each.probabilities.tobytes())
                self._db.execute("REPLACE INTO predictions VALUES (?, ?, ?, ?)", row)

    def frame(self, number: int) -> Frame:
        """See :class:`~ffstream.stream.journal.Journal`."""
        with self._lock:
            check_accepted(self, number)
            labels = [np.frombuffer(blob, np.int64)[rows] for _, blob, rows in self._chunks("labels", number, number)]
            if not labels:
                raise ExpiredFrameError(f"frame {number} is not kept any more")
            late = self._rows("SELECT frame, taught_as FROM late WHERE frame = ? OR taught_as = ?", number, number)
            prediction = self._prediction(number)
        taught_as = next((after for before, after in late if before == number), None)
        repeats = next((before for before, after in late if after == number), None)
        return Frame(number, int(labels[0][0]), taught_as, repeats, prediction)

    def _prediction(self, number: int) -> Prediction | None:
        query = "SELECT first, seq, labels, probabilities FROM predictions WHERE first <= ? ORDER BY first DESC LIMIT 1"
        for first, seq, labels, probabilities in self._rows(query, number):
            found = Predictions(seq, first, np.frombuffer(labels, np.int64), np.frombuffer(probabilities, np.float32))
            return found.of(number)
        return None

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        with self._lock:
            self._db.close()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise JournalError(f"{self.path}: cannot be read ({error})") from error

    def _scalar(self, query: str) -> int:
        return int(self._rows(query)[0][0] or 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; an error of the database becomes a :class:`JournalError`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise JournalError(f"{self.path}: cannot be written ({error}); nothing of the request was kept") from error
            raise
