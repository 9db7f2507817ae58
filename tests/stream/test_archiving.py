"""A stream goes on from its archive, and nothing that happens to an archive makes it go on from something else."""

import os
import shutil
import sys
from contextlib import suppress

import pytest
from fsspec.implementations.local import LocalFileSystem

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.errors import ArchiveError, ConfigError, DamagedArchiveError, JournalError, SnapshotError
from ffstream.stream import offsite
from ffstream.stream.offsite import OffsiteArchive, State, fetch
from ffstream.stream.owner import OWNER, Owner
from ffstream.stream.staging import STAGING, Staged, staged
from ffstream.stream.store import Store

CONFIG = NetworkConfig(inputs=64, classes=10, units=(20, 20), batch=25)
SCHEDULE = Schedule(every=50, idle=None)
OPERATIONS = ("find", "cat_file", "pipe_file", "mv", "rm")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(offsite, "PIECE", 1 << 14)


@pytest.fixture
def frames(digits):
    order = digits.order(1, seed=2)
    return digits.x[order], digits.y[order]


@pytest.fixture
def running(tmp_path, frames):
    """A stream in a folder that has learned 100 frames and saved."""
    stream = opened(tmp_path / "data")
    stream.feed(frames[0][:100], frames[1][:100])
    stream.snapshot()
    yield stream
    stream.close()


@pytest.fixture
def states(tmp_path, running, frames):
    """Two states of one stream, the second without what follows its snapshot."""
    kept = [still(tmp_path / "data", tmp_path / "one")]
    running.feed(frames[0][100:200], frames[1][100:200])
    running.snapshot()
    return [*kept, still(tmp_path / "data", tmp_path / "two")]


def opened(folder, **options):
    return Stream.in_process(CONFIG, SCHEDULE, folder=folder, **options)


def still(folder, copy):
    """A state that stays as it is."""
    with staged(folder, CONFIG) as state:
        shutil.copytree(state.folder, copy)
        return Staged(copy, state.seq, state.snapshot)


def archive_at(path, folder, kept=3):
    return OffsiteArchive(Store(f"file://{path}"), Owner.of(folder), kept=kept)


def contents(folder):
    return {name: path.read_bytes() for name, path in Staged(folder, 0, 0).files().items() if name != OWNER}


def blobs(path):
    return {each.name for each in (path / "blobs").iterdir()}


def test_a_stream_goes_on_elsewhere_to_the_same_bits(tmp_path, running, frames):
    x, y = frames
    running.feed(x[100:150], y[100:150])
    with staged(tmp_path / "data", CONFIG) as state:
        archived = archive_at(tmp_path / "archive", tmp_path / "data").keep(state)
    assert (archived.seq, archived.number) == (running.journal.last_seq, 1)
    running.feed(x[150:300], y[150:300])
    shutil.move(tmp_path / "data", tmp_path / "lost")
    assert fetch(Store(f"file://{tmp_path}/archive"), tmp_path / "new" / "data") == archived
    again = opened(tmp_path / "new" / "data")
    again.settle()
    assert again.journal.last_frame == 150
    again.feed(x[150:300], y[150:300])
    assert again.chain.digests() == running.chain.digests()
    assert again.journal.events(0) != []
    again.close()


def test_the_copy_is_of_one_moment_and_leaves_nothing_behind(tmp_path, running, frames):
    (tmp_path / "data" / "network.json").write_text("{}")
    (tmp_path / "data" / "keys.json").write_text("secret")
    (tmp_path / "data" / STAGING).mkdir()
    (tmp_path / "data" / STAGING / "of-a-crash").touch()
    with staged(tmp_path / "data", CONFIG, ("network.json", "schedule.json")) as state:
        before = contents(state.folder)
        running.feed(frames[0][100:200], frames[1][100:200])
        running.snapshot()
        assert contents(state.folder) == before
        parts = {f"snapshots/{state.snapshot:012d}/{name}" for name in ("manifest.json", "dreamer.safetensors")}
        assert parts | {"journal.sqlite", "network.json"} < set(before)
        assert not {"keys.json", "of-a-crash", "schedule.json"} & set(before)
    assert not (tmp_path / "data" / STAGING).exists()


def test_the_snapshot_is_one_from_which_the_journal_leads_on(tmp_path, running, frames):
    first = running.saved()[0].seq
    running.feed(frames[0][100:150], frames[1][100:150])
    running.snapshot()
    running.restore(first)
    with staged(tmp_path / "data", CONFIG) as state:
        assert (state.snapshot, state.seq) == (first, running.journal.last_seq)


def test_before_any_snapshot_the_journal_is_enough(tmp_path, frames):
    stream = opened(tmp_path / "data")
    stream.feed(frames[0][:50], frames[1][:50])
    with staged(tmp_path / "data", CONFIG) as state:
        assert (state.snapshot, state.seq) == (0, stream.journal.last_seq)
    stream.close()


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_snapshot_that_is_removed_meanwhile(tmp_path, running, frames, monkeypatch, links):
    older = running.saved()[0].seq
    running.feed(frames[0][100:150], frames[1][100:150])
    newer = running.snapshot()

    def gone(real):
        def copy(source, target):
            if not links and real is os.link:
                raise OSError("no links here")
            if f"{newer:012d}" in str(source):
                raise FileNotFoundError(source)
            return real(source, target)

        return copy

    monkeypatch.setattr(os, "link", gone(os.link))
    monkeypatch.setattr(shutil, "copyfile", gone(shutil.copyfile))
    with staged(tmp_path / "data", CONFIG) as state:
        assert state.snapshot == older
        assert not (state.folder / "snapshots" / f"{newer:012d}").exists()


def test_a_folder_that_cannot_be_recovered_is_not_archived(tmp_path, frames):
    stream = opened(tmp_path / "data", snapshots_kept=1, label_lifetime=1)
    stream.feed(frames[0][:300], frames[1][:300])
    stream.snapshot()
    stream.settle()
    stream.close()
    shutil.rmtree(tmp_path / "data" / "snapshots")
    with pytest.raises(SnapshotError, match="forgotten"), staged(tmp_path / "data", CONFIG):
        pass
    (tmp_path / "data" / "journal.sqlite").write_bytes(b"no journal" * 1000)
    with pytest.raises(JournalError, match=r"journal\.sqlite: cannot be copied"), staged(tmp_path / "data", CONFIG):
        pass


class Faults:
    """Lets the ``at``-th operation of a store fail: before it does anything, after it has, or halfway."""

    def __init__(self):
        self.at, self.how, self.count, self.written = 0, "before", 0, []

    def arm(self, at, how):
        self.at, self.how, self.count = at, how, 0

    @property
    def struck(self):
        return 0 < self.at <= self.count

    def wrap(self, name, real):
        def operation(files, *args, **options):
            self.count += 1
            if name == "pipe_file":
                self.written.append(args[0].split("/")[-1])
            if self.count != self.at:
                return real(files, *args, **options)
            if self.how == "after":
                real(files, *args, **options)
            elif self.how == "halfway" and name == "pipe_file":
                real(files, args[0], args[1][: len(args[1]) // 2])
            elif self.how == "halfway" and name == "rm":
                real(files, args[0][: len(args[0]) // 2])
            raise OSError("the store failed\nfor reasons of its own")

        return operation


@pytest.fixture
def faults(monkeypatch):
    faults = Faults()
    for name in OPERATIONS:
        monkeypatch.setattr(LocalFileSystem, name, faults.wrap(name, getattr(LocalFileSystem, name)))
    return faults


@pytest.mark.parametrize("how", ["before", "after", "halfway"])
def test_whatever_operation_fails_what_is_fetched_is_a_whole_state(tmp_path, states, faults, how):
    old, new = (contents(each.folder) for each in states)
    archive_at(tmp_path / "begun", tmp_path / "data", kept=1).keep(states[0])
    seen = set()
    for at in range(1, 1000):
        path = tmp_path / f"archive-{at}"
        shutil.copytree(tmp_path / "begun", path)
        archive = archive_at(path, tmp_path / "data", kept=1)
        faults.arm(at, how)
        with suppress(ArchiveError):
            archive.keep(states[1])
        struck = faults.struck
        faults.arm(0, how)
        fetch(archive.store, tmp_path / f"fetched-{at}")
        found = contents(tmp_path / f"fetched-{at}")
        assert found in (old, new)
        seen.add(found == new)
        assert archive.keep(states[1]).seq == states[1].seq, "the next one catches up"
        fetch(archive.store, tmp_path / f"again-{at}")
        assert contents(tmp_path / f"again-{at}") == new
        for each in (path, tmp_path / f"fetched-{at}", tmp_path / f"again-{at}"):
            shutil.rmtree(each)
        if not struck:
            break
    assert not struck
    assert at > 10
    assert seen == {False, True}


def test_an_error_is_one_line(tmp_path, states, faults):
    faults.arm(1, "before")
    with pytest.raises(ArchiveError) as found:
        archive_at(tmp_path / "archive", tmp_path / "data").keep(states[0])
    assert str(found.value) == f"archive file://{tmp_path}/archive: the store failed"


def test_nothing_is_uploaded_twice_and_an_unchanged_state_not_at_all(tmp_path, states, faults):
    archive = archive_at(tmp_path / "archive", tmp_path / "data")
    first, second = (archive.keep(each) for each in states)
    pieces = [name for name in faults.written if len(name) == 64]
    assert len(pieces) == len(set(pieces))
    assert set(first.files["journal.sqlite"]) & set(second.files["journal.sqlite"]), "some of a journal stays as it was"
    faults.written.clear()
    assert archive.keep(states[1]) == second
    assert faults.written == []


def test_older_states_go_and_nothing_that_is_needed(tmp_path, states):
    archive = archive_at(tmp_path / "archive", tmp_path / "data", kept=2)
    for state in (states[0], states[1], states[0], states[1]):
        archive.keep(state)
    assert offsite.numbers_of(archive.store.sizes()) == [3, 4]
    states_there = [offsite.read_state(archive.store, number) for number in (3, 4)]
    needed = {digest for state in states_there for digests in state.files.values() for digest in digests}
    assert blobs(tmp_path / "archive") == needed
    OffsiteArchive(archive.store, archive.owner, kept=1).keep(states[1])
    fetch(archive.store, tmp_path / "fetched")
    assert contents(tmp_path / "fetched") == contents(states[1].folder)
    assert len(blobs(tmp_path / "archive")) < len(needed)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_flipped_file_is_named(tmp_path, states):
    archive = archive_at(tmp_path / "archive", tmp_path / "data")
    archive.keep(states[1])
    files = [each for each in (tmp_path / "archive").rglob("*") if each.is_file()]
    assert {each.parent.name for each in files} == {"archive", "blobs", "states"}
    for file in files:
        whole = file.read_bytes()
        flip(file)
        with pytest.raises(DamagedArchiveError, match=file.name) as found:
            fetch(archive.store, tmp_path / "fetched")
        assert "\n" not in str(found.value)
        file.write_bytes(whole)
    assert [each.name for each in tmp_path.iterdir() if "fetch" in each.name] == []
    fetch(archive.store, tmp_path / "fetched")


def test_a_damaged_state_does_not_stand_in_the_way_of_the_next(tmp_path, states):
    archive = archive_at(tmp_path / "archive", tmp_path / "data", kept=2)
    archive.keep(states[0])
    before = blobs(tmp_path / "archive")
    flip(tmp_path / "archive" / offsite.name_of(1))
    assert archive.keep(states[1]).number == 2
    assert blobs(tmp_path / "archive") >= before, "what it needs is not known"
    fetch(archive.store, tmp_path / "fetched")


def test_what_was_not_committed_is_no_state(tmp_path, states):
    archive = archive_at(tmp_path / "archive", tmp_path / "data")
    with pytest.raises(ArchiveError, match="no whole state"):
        fetch(archive.store, tmp_path / "fetched")
    archive.keep(states[0])
    (tmp_path / "archive" / offsite.name_of(1)).rename(tmp_path / "archive" / f"{offsite.name_of(1)}.part")
    with pytest.raises(ArchiveError, match="no whole state"):
        fetch(archive.store, tmp_path / "fetched")


def test_a_missing_piece_is_named(tmp_path, states):
    archive = archive_at(tmp_path / "archive", tmp_path / "data")
    piece = archive.keep(states[0]).files["journal.sqlite"][0]
    (tmp_path / "archive" / "blobs" / piece).unlink()
    with pytest.raises(ArchiveError, match=piece):
        fetch(archive.store, tmp_path / "fetched")


def test_another_stream_is_refused(tmp_path, states):
    archive_at(tmp_path / "archive", tmp_path / "data").claim()
    (tmp_path / "other").mkdir()
    other = archive_at(tmp_path / "archive", tmp_path / "other")
    with pytest.raises(ConfigError, match="of another stream"):
        other.keep(states[0])
    assert not (tmp_path / "archive" / "blobs").exists()


def test_one_stream_goes_on_in_one_folder(tmp_path, states):
    lost = archive_at(tmp_path / "archive", tmp_path / "data")
    lost.keep(states[0])
    for name in ("late", "next"):
        fetch(lost.store, tmp_path / name)
    late, next_ = (archive_at(tmp_path / "archive", tmp_path / name) for name in ("late", "next"))
    assert next_.owner.stream == lost.owner.stream
    assert next_.keep(states[1]).number == 2
    for other in (lost, late):
        with pytest.raises(ConfigError, match="another folder goes on"):
            other.keep(states[1])
    assert next_.keep(states[1]).number == 2


def test_a_damaged_name_of_a_stream(tmp_path):
    Owner.of(tmp_path)
    flip(tmp_path / OWNER)
    with pytest.raises(ConfigError, match=OWNER):
        Owner.of(tmp_path)


def test_a_folder_that_is_not_empty(tmp_path, states):
    archive = archive_at(tmp_path / "archive", tmp_path / "data")
    archive.keep(states[0])
    with pytest.raises(ConfigError, match="has a stream already"):
        fetch(archive.store, tmp_path / "data")
    with pytest.raises(ConfigError, match="not empty"):
        fetch(archive.store, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="not empty"):
        fetch(archive.store, tmp_path / "file")
    with pytest.raises(ConfigError, match="file"):
        fetch(archive.store, tmp_path / "file" / "new")
    (tmp_path / "empty").mkdir()
    fetch(archive.store, tmp_path / "empty")


@pytest.mark.parametrize("name", ["../outside", "/outside"])
def test_a_file_outside_of_the_folder(tmp_path, states, name):
    archive = archive_at(tmp_path / "archive", tmp_path / "data")
    archive.keep(states[0])
    archive.store.commit(offsite.name_of(2), State(2, 0, 0, {name: []}).encode())
    with pytest.raises(DamagedArchiveError, match="outside"):
        fetch(archive.store, tmp_path / "fetched")
    assert not (tmp_path / "outside").exists()


def test_a_state_of_another_format(tmp_path, states):
    archive = archive_at(tmp_path / "archive", tmp_path / "data")
    archive.store.commit(offsite.name_of(1), State(1, 0, 0, {}, format=99).encode())
    with pytest.raises(DamagedArchiveError, match="format 99"):
        fetch(archive.store, tmp_path / "fetched")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nowhere://x", "archive nowhere://x: Protocol not known: nowhere"),
        ("s3://user:secret@bucket/x", "archive s3://bucket/x: Install s3fs to access S3"),
    ],
)
def test_a_url_that_nothing_reaches(monkeypatch, url, said):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigError) as found:
        Store(url)
    assert str(found.value) == said


def test_a_store_in_memory(tmp_path, states):
    archive = OffsiteArchive(Store("memory://archives/one/"), Owner.of(tmp_path / "data"), kept=1)
    for state in states:
        archive.keep(state)
    assert {name.split("/")[0] for name in archive.store.sizes()} == {"blobs", "states", "stream.json"}
    fetch(archive.store, tmp_path / "fetched")
    assert contents(tmp_path / "fetched") == contents(states[1].folder)
