import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
import torch

from ffstream.errors import BacklogError, JournalError
from ffstream.stream.events import Barrier, Wake
from ffstream.stream.journal import FrameRange
from ffstream.stream.sqlite_journal import SqliteJournal

INPUTS = 4


def frames(n, first=0):
    x = np.arange(first * INPUTS, (first + n) * INPUTS, dtype=np.float32).reshape(n, INPUTS)
    return x, np.arange(n) % 3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "folder" / "journal.sqlite"


def test_reopened_it_goes_on_where_it_was(path):
    with closing(SqliteJournal(path, INPUTS)) as journal:
        journal.append(*frames(300), key="k", digest="d")
        journal.record(Wake(1, 200, 200))
        barrier = journal.record(Barrier("now"))
    with closing(SqliteJournal(path, INPUTS)) as journal:
        assert (journal.last_frame, journal.last_seq, journal.sequenced) == (300, 2, 200)
        assert journal.events(1) == [barrier]
        assert torch.equal(journal.read(1, 300)[0], torch.from_numpy(frames(300)[0]))
        assert journal.append(*frames(300), key="k", digest="d") == FrameRange(1, 300, repeated=True)
        with pytest.raises(BacklogError, match="100 frames wait"):
            journal.append(*frames(1), limit=100)
        assert journal.append(*frames(2)) == FrameRange(301, 302)
        assert journal.record(Barrier("then")).seq == 3


def test_what_was_accepted_outlives_a_journal_that_was_never_closed(path):
    journal = SqliteJournal(path, INPUTS)
    journal.append(*frames(3))
    journal.record(Wake(1, 2, 2))
    with closing(SqliteJournal(path, INPUTS)) as other:
        assert (other.last_frame, other.last_seq, other.sequenced) == (3, 1, 2)
    journal.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one" * 50, b"short"])
def test_a_file_that_is_no_database(path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(JournalError, match="not a journal"):
        SqliteJournal(path, INPUTS)
    assert path.read_bytes() == content


def test_a_database_of_something_else(path):
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(JournalError, match="not a journal"):
        SqliteJournal(path, INPUTS)


def test_a_folder(path):
    path.mkdir(parents=True)
    with pytest.raises(JournalError, match="not a journal"):
        SqliteJournal(path, INPUTS)


def test_frames_of_another_length(path):
    SqliteJournal(path, INPUTS).close()
    with pytest.raises(JournalError, match="'inputs': '5'"):
        SqliteJournal(path, 5)


def test_another_format(path):
    SqliteJournal(path, INPUTS).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
        db.commit()
    with pytest.raises(JournalError, match="'format': '99'"):
        SqliteJournal(path, INPUTS)


def test_a_file_of_the_format_before_goes_on(path):
    with closing(SqliteJournal(path, INPUTS)) as journal:
        journal.append(*frames(3))
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE chunks DROP COLUMN exact")
        db.execute("UPDATE meta SET value = '2' WHERE name = 'format'")
        db.commit()
    with closing(SqliteJournal(path, INPUTS)) as journal:
        assert journal.append(*frames(2), exact=True) == FrameRange(4, 5)
        assert journal.exact(1, 5).tolist() == [False, False, False, True, True]


def test_an_event_of_a_later_version(path):
    with closing(SqliteJournal(path, INPUTS)) as journal:
        with closing(sqlite3.connect(path)) as db:
            db.execute("INSERT INTO events VALUES (1, 'holiday', '{}', 0)")
            db.commit()
        with pytest.raises(JournalError, match="holiday"):
            journal.events(0)


def test_a_reader_beside_the_writer(path):
    with closing(SqliteJournal(path, INPUTS)) as writer:
        writer.append(*frames(10))
        with closing(SqliteJournal(path, INPUTS, read_only=True)) as reader:
            assert reader.last_frame == 10
            writer.append(*frames(10, first=10))
            assert torch.equal(reader.recall(np.array([20, 1])), torch.from_numpy(frames(20)[0][[19, 0]]))
            with ThreadPoolExecutor() as threads:
                assert len(threads.submit(reader.labels, 1, 20).result()) == 20
            with pytest.raises(JournalError, match="readonly"):
                reader.append(*frames(1))
            with pytest.raises(JournalError, match="readonly"):
                reader.record(Barrier("now"))
        assert writer.append(*frames(1)) == FrameRange(21, 21)


def test_nothing_to_read(path):
    with pytest.raises(JournalError, match="not a journal"):
        SqliteJournal(path, INPUTS, read_only=True)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["no database", "of something else", "other inputs", "other format"])
def test_a_reader_checks_the_file_too(path, kind):
    SqliteJournal(path, 5 if kind == "other inputs" else INPUTS).close()
    if kind == "no database":
        path.write_bytes(b"not a database at all" * 500)
    else:
        with closing(sqlite3.connect(path)) as db:
            if kind == "of something else":
                db.executescript("DROP TABLE chunks; DROP TABLE meta")
            elif kind == "other format":
                db.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
            db.commit()
    with pytest.raises(JournalError):
        SqliteJournal(path, INPUTS, read_only=True)


DYING = """
import os, sqlite3, sys
from pathlib import Path
from ffstream.stream.sqlite_journal import SqliteJournal

class Dying(sqlite3.Connection):
    def executescript(self, script):
        assert "COMMIT;" in script
        super().executescript(script.replace("COMMIT;", ""))
        os._exit(9)

connect = sqlite3.connect
sqlite3.connect = lambda *args, **options: connect(*args, factory=Dying, **options)
SqliteJournal(Path(sys.argv[1]), int(sys.argv[2]))
"""


def test_a_death_while_it_was_made_leaves_no_half_journal(path):
    died = subprocess.run([sys.executable, "-c", DYING, str(path), str(INPUTS)], check=False)
    assert died.returncode == 9
    SqliteJournal(path, INPUTS).close()


REFUSE = "CREATE TRIGGER refuse BEFORE INSERT ON {} WHEN {} BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"


@pytest.mark.parametrize(("table", "when"), [("requests", "1"), ("chunks", "new.first > 256")])
def test_a_disk_error_keeps_nothing_of_the_request(path, table, when):
    """The first chunk is written before the error, in a table of its own or the second chunk."""
    with closing(SqliteJournal(path, INPUTS)) as journal, closing(sqlite3.connect(path)) as disk:
        disk.execute(REFUSE.format(table, when))
        with pytest.raises(JournalError, match=r"disk I/O error.*nothing of the request was kept"):
            journal.append(*frames(300), key="k", digest="d")
        disk.execute("DROP TRIGGER refuse")
        assert journal.last_frame == 0
        assert disk.execute("SELECT count(*) FROM chunks").fetchone() == (0,)
        assert journal.append(*frames(2), key="k", digest="d") == FrameRange(1, 2)


def test_a_disk_error_records_no_event(path):
    with closing(SqliteJournal(path, INPUTS)) as journal, closing(sqlite3.connect(path)) as disk:
        journal.append(*frames(3))
        disk.execute(REFUSE.format("events", "1"))
        with pytest.raises(JournalError, match="disk I/O error"):
            journal.record(Wake(1, 3, 3))
        disk.execute("DROP TRIGGER refuse")
        assert (journal.last_seq, journal.sequenced) == (0, 0)
        assert journal.record(Wake(1, 3, 3)).seq == 1


def test_an_interruption_keeps_nothing_of_the_request(path, monkeypatch):
    """A signal may come between any two statements."""

    def interrupted(*_):
        raise KeyboardInterrupt

    with closing(SqliteJournal(path, INPUTS)) as journal:
        with monkeypatch.context() as patch:
            patch.setattr("ffstream.stream.sqlite_journal.check_backlog", interrupted)
            with pytest.raises(KeyboardInterrupt):
                journal.append(*frames(3))
        assert journal.append(*frames(2)) == FrameRange(1, 2)


def test_frames_that_were_lost_are_an_error(path):
    with closing(SqliteJournal(path, INPUTS)) as journal, closing(sqlite3.connect(path)) as db:
        journal.append(*frames(300))
        db.execute("DELETE FROM chunks WHERE first = 1")
        db.commit()
        with pytest.raises(JournalError, match="not all there"):
            journal.read(250, 260)
        with pytest.raises(JournalError, match="frame 256 is not there"):
            journal.recall(np.array([257, 256]))


def test_many_threads_append_and_read(path):
    with closing(SqliteJournal(path, INPUTS)) as journal:
        ranges = []

        def append(number):
            for _ in range(20):
                accepted = journal.append(np.full((7, INPUTS), number, np.float32), np.full(7, number))
                x, y = journal.read(accepted.first, accepted.last)
                ranges.append((accepted, bool((x == number).all()) and bool((y == number).all())))

        threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(accepted.first for accepted, _ in ranges) == list(range(1, 561, 7))
        assert all(whole for _, whole in ranges)


@pytest.mark.parametrize(("asked", "mode"), [({}, "NORMAL"), ({"power_safe": False}, "NORMAL"), ({"power_safe": True}, "FULL")])
def test_durability_is_the_one_asked_for(path, asked, mode, monkeypatch):
    said = []
    connect = sqlite3.connect

    def listen(*args, **options):
        db = connect(*args, **options)
        db.set_trace_callback(said.append)
        return db

    monkeypatch.setattr(sqlite3, "connect", listen)
    SqliteJournal(path, INPUTS, **asked).close()
    assert f"PRAGMA synchronous = {mode}" in said


def test_a_closed_journal_says_so_and_accepts_nothing(path):
    journal = SqliteJournal(path, INPUTS)
    journal.append(*frames(3), key="k", digest="d")
    journal.close()
    for refused in (
        lambda: journal.append(*frames(1)),
        lambda: journal.append(*frames(3), key="k", digest="d"),
        lambda: journal.record(Barrier("now")),
        lambda: journal.read(1, 3),
    ):
        with pytest.raises(JournalError, match="closed"):
            refused()
