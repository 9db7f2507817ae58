"""What a stream forgets: never what a start from a kept snapshot, a dream or a late label can ask for."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.checks.samples import blobs
from ffstream.errors import ExpiredFrameError, SnapshotError
from ffstream.stream.archive import Archive
from ffstream.stream.snapshot import committed, folder_of, read_manifest, write_manifest
from ffstream.stream.sqlite_journal import SqliteJournal
from ffstream.stream.stream import JOURNAL, SNAPSHOTS

CONFIG = NetworkConfig(inputs=4, classes=3, units=(8, 6), batch=10, memory=50)
SCHEDULE = Schedule(every=30, idle=None)
X, Y = blobs(3000, 4, 3)


def open_stream(folder, **options):
    return Stream.in_process(CONFIG, SCHEDULE, folder=folder, **{"snapshot_every": 10, "snapshots_kept": 2} | options)


def feed(stream, first, last):
    """Frames by number, in requests of seven."""
    for start in range(first - 1, last, 7):
        rows = slice(start, min(start + 7, last))
        stream.feed(X[rows], Y[rows])


def oldest(stream):
    """Numbers of the oldest frame and event that are there, the latest of each kind aside."""
    frames = [number for number in range(1, stream.journal.last_frame + 1) if is_there(stream, number)]
    assert frames == list(range(frames[0], stream.journal.last_frame + 1)), "what is kept has no gaps"
    return frames[0]


def is_there(stream, number):
    try:
        stream.frame(number)
    except ExpiredFrameError:
        return False
    return True


def pages(folder):
    with closing(sqlite3.connect(folder / JOURNAL)) as db:
        return db.execute("PRAGMA page_count").fetchone()[0]


def test_the_file_does_not_grow(tmp_path):
    stream = open_stream(tmp_path)
    sizes = []
    for part in range(3):
        feed(stream, 1000 * part + 1, 1000 * (part + 1))
        sizes.append(pages(tmp_path))
    assert sizes[2] <= 1.1 * sizes[0]
    assert len(stream.journal.events(0)) < 60
    assert oldest(stream) > 2700
    stream.close()


def test_without_pruning_it_would_grow(tmp_path, monkeypatch):
    monkeypatch.setattr(Archive, "_behind", lambda self, kept: None)
    stream = open_stream(tmp_path)
    feed(stream, 1, 1000)
    assert oldest(stream) == 1
    assert len(stream.journal.events(0)) == stream.journal.last_seq
    stream.close()


def test_every_kept_snapshot_leads_to_the_same_state(tmp_path):
    folder = tmp_path / "stream"
    stream = open_stream(folder, snapshots_kept=3)
    feed(stream, 1, 600)
    expected, progress, last = stream.chain.digests(), stream.progress, stream.journal.last_seq
    owed = stream.sequencer.debt.frames
    assert owed
    assert oldest(stream) > 1
    saved = [manifest.seq for manifest in stream.saved()]
    stream.close()
    assert len(saved) == 3
    for lost in range(3):
        copy = tmp_path / f"without {lost}"
        shutil.copytree(folder, copy)
        for seq in saved[:lost]:
            shutil.rmtree(folder_of(copy / SNAPSHOTS, seq))
        again = open_stream(copy, snapshots_kept=3)
        assert again.sequencer.sent == saved[lost]
        again.settle()
        assert again.chain.digests() == expected
        assert again.sequencer.debt.frames == owed
        one, other = again.progress, progress
        assert (one.frames, one.labelled, one.dreams, one.sleeps, one.accuracy) == (
            *(other.frames, other.labelled, other.dreams, other.sleeps, other.accuracy),
        )
        assert again.journal.last_seq == last
        again.close()


def test_a_stream_that_forgets_learns_the_same(tmp_path):
    """Also across restarts: sleeps come when they would have come, and dreams find their frames."""
    plain = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path / "plain", snapshot_every=10, snapshots_kept=1000)
    stream = open_stream(tmp_path / "stream", snapshots_kept=1)
    for first in range(1, 500, 100):
        feed(plain, first, first + 99)
        feed(stream, first, first + 99)
        stream.close()
        stream = open_stream(tmp_path / "stream", snapshots_kept=1)
    stream.settle()
    assert oldest(stream) > 350
    assert oldest(plain) == 1
    assert stream.chain.digests() == plain.chain.digests()
    stream.close()
    plain.close()


def test_dreams_find_old_frames_when_few_have_labels(tmp_path):
    """The most recent labelled frames stay, however long ago they came."""
    stream = open_stream(tmp_path, snapshots_kept=1)
    stream.feed(X[:20], Y[:20])
    for start in range(20, 900, 10):
        stream.feed(X[start : start + 10])
    stream.snapshot()
    assert oldest(stream) == 1
    assert stream.sleep(40).steps == 4
    feed(stream, 901, 1100)
    stream.snapshot()
    assert oldest(stream) > 1000
    stream.close()


def test_all_else_is_forgotten(tmp_path):
    """To the frame: nothing is older than the oldest that a dream can show."""
    stream = open_stream(tmp_path, snapshot_every=None, snapshots_kept=1, label_lifetime=0)
    for row in range(200):
        stream.accept(X[row : row + 1], Y[row : row + 1])
    stream.settle()
    stream.snapshot()
    assert oldest(stream) == 200 - CONFIG.memory + 1
    stream.close()


def test_the_oldest_kept_snapshot_can_be_restored(tmp_path):
    """What it had learned by then is known, however much is forgotten."""
    stream = open_stream(tmp_path, snapshot_every=None, snapshots_kept=2)
    for first in (1, 101, 201):
        feed(stream, first, first + 99)
        stream.snapshot()
    assert oldest(stream) > 100
    stream.restore(stream.saved()[-1].seq)
    assert [number for number in range(1, 301) if stream.sequencer.lineage.left(number)] == list(range(201, 301))
    stream.close()


def test_nothing_is_forgotten_within_a_labels_lifetime(tmp_path):
    stream = open_stream(tmp_path, snapshots_kept=1, label_lifetime=400)
    feed(stream, 1, 200)
    stream.feed(X[200:210])
    feed(stream, 211, 600)
    stream.snapshot()
    assert 195 <= oldest(stream) <= 201, "frames that take a label are there, those before them are not"
    stream.label(np.arange(201, 211), Y[200:210])
    assert stream.progress.labelled == 600
    stream.close()


def test_what_a_kept_snapshot_has_yet_to_learn_stays(tmp_path):
    """Also when no dream and no late label can ask for it."""
    stream = open_stream(tmp_path, snapshot_every=None, snapshots_kept=2, label_lifetime=0)
    for first in (0, 100, 200):
        stream.feed(X[first : first + 100])
        newest = stream.snapshot()
    expected = stream.chain.digests()
    assert oldest(stream) == 201
    stream.close()
    shutil.rmtree(folder_of(tmp_path / SNAPSHOTS, newest))
    again = open_stream(tmp_path, snapshot_every=None)
    again.settle()
    assert again.chain.digests() == expected
    again.close()


def test_all_snapshots_have_to_be_there_first(tmp_path):
    stream = open_stream(tmp_path, snapshot_every=None, snapshots_kept=3)
    for first in range(1, 400, 200):
        feed(stream, first, first + 199)
        stream.snapshot()
    assert len(stream.journal.events(0)) == stream.journal.last_seq
    feed(stream, 401, 600)
    stream.snapshot()
    assert len(stream.journal.events(0)) < stream.journal.last_seq
    stream.close()


def tear(path):
    path.write_bytes(path.read_bytes()[:-1])


def tear_the_manifest(root, seq):
    tear(folder_of(root, seq) / "manifest.json")


def as_of_an_earlier_version(root, seq):
    """Without the number of the oldest frame that is remembered."""
    manifest = read_manifest(root, seq)
    progress = {name: value for name, value in manifest.progress.items() if name != "oldest"}
    write_manifest(root, replace(manifest, progress=progress))


@pytest.mark.parametrize("changed", [tear_the_manifest, as_of_an_earlier_version])
def test_a_manifest_that_does_not_tell_keeps_everything(tmp_path, changed):
    stream = open_stream(tmp_path, snapshot_every=None, snapshots_kept=2)
    feed(stream, 1, 200)
    changed(tmp_path / SNAPSHOTS, stream.snapshot())
    feed(stream, 201, 400)
    stream.snapshot()
    assert oldest(stream) == 1
    feed(stream, 401, 410)
    stream.snapshot()
    assert oldest(stream) > 1, "until it is not kept any more"
    stream.close()


def test_a_manifest_tells_the_oldest_frame_that_is_remembered(tmp_path):
    stream = open_stream(tmp_path, snapshot_every=None, snapshots_kept=3)
    stream.feed(X[:20])
    stream.snapshot()
    feed(stream, 21, 30)
    stream.snapshot()
    feed(stream, 31, 200)
    stream.snapshot()
    assert [manifest.progress["oldest"] for manifest in stream.saved()] == [151, 21, None]
    stream.close()


def test_what_may_be_forgotten_is_read_off_manifests_alone(tmp_path, monkeypatch):
    def unexpected(*arguments):
        raise AssertionError("a part was read")

    stream = open_stream(tmp_path)
    monkeypatch.setattr("ffstream.stream.snapshot.read_blob", unexpected)
    feed(stream, 1, 600)
    assert oldest(stream) > 1
    stream.close()


@pytest.mark.parametrize("part", ["dreamer", "layer-1"])
def test_a_kept_snapshot_may_be_damaged_unseen(tmp_path, part):
    """The journal goes on forgetting behind it, and leads on from the others that are kept."""
    stream = open_stream(tmp_path, snapshots_kept=3)
    feed(stream, 1, 600)
    before, saved = oldest(stream), [manifest.seq for manifest in stream.saved()]
    tear(folder_of(tmp_path / SNAPSHOTS, saved[0]) / f"{part}.safetensors")
    while (left := committed(tmp_path / SNAPSHOTS))[1] != saved[0]:
        last = stream.journal.last_frame
        feed(stream, last + 1, last + 10)
    assert oldest(stream) > before
    expected = stream.chain.digests()
    stream.close()
    tear(folder_of(tmp_path / SNAPSHOTS, left[0]) / f"{part}.safetensors")
    again = open_stream(tmp_path, snapshots_kept=3)
    assert again.sequencer.sent == left[2] == saved[1]
    again.settle()
    assert again.chain.digests() == expected
    again.close()


def test_a_start_without_a_whole_snapshot(tmp_path):
    """Refused when the journal has forgotten how to get there; nothing is changed, and a copy that is put back is enough."""
    stream = open_stream(tmp_path / "stream")
    feed(stream, 1, 600)
    expected, last = stream.chain.digests(), stream.journal.last_seq
    stream.close()
    shutil.copytree(tmp_path / "stream" / SNAPSHOTS, tmp_path / "copy")
    root = tmp_path / "stream" / SNAPSHOTS
    for seq in committed(root):
        tear(folder_of(root, seq) / "layer-0.safetensors")
    for _ in range(2):
        with pytest.raises(SnapshotError, match=r"no snapshot is whole .* has forgotten event 1; what was learned is lost"):
            open_stream(tmp_path / "stream")
    oldest_copy = min(committed(tmp_path / "copy"))
    shutil.copytree(folder_of(tmp_path / "copy", oldest_copy), folder_of(root, oldest_copy), dirs_exist_ok=True)
    again = open_stream(tmp_path / "stream")
    again.settle()
    assert (again.chain.digests(), again.journal.last_seq) == (expected, last)
    again.close()


def test_a_start_without_a_whole_snapshot_from_a_journal_that_has_forgotten_nothing(tmp_path):
    stream = open_stream(tmp_path, snapshots_kept=1000)
    feed(stream, 1, 100)
    expected = stream.chain.digests()
    stream.close()
    for seq in committed(tmp_path / SNAPSHOTS):
        tear(folder_of(tmp_path / SNAPSHOTS, seq) / "layer-0.safetensors")
    again = open_stream(tmp_path, snapshots_kept=1000)
    again.settle()
    assert again.chain.digests() == expected
    again.close()


def test_a_snapshot_that_is_being_written_is_not_listed_nor_complained_of(tmp_path, caplog):
    stream = open_stream(tmp_path)
    feed(stream, 1, 300)
    saved = stream.saved()
    assert saved
    folder_of(tmp_path / SNAPSHOTS, stream.progress.seq + 1).mkdir()
    assert stream.saved() == saved
    assert caplog.text == ""
    stream.close()


@pytest.mark.parametrize("kept", [1, 4])
def test_so_many_snapshots_are_kept(tmp_path, kept):
    stream = open_stream(tmp_path, snapshots_kept=kept)
    feed(stream, 1, 600)
    assert len(stream.saved()) == kept
    stream.close()


def test_forgetting_takes_many_turns(tmp_path, monkeypatch):
    """Each forgets a little, and what is fed meanwhile is learned."""
    steps = []
    prune = SqliteJournal.prune

    def counted(self, *bounds, most):
        steps.append(self.last_seq)
        return prune(self, *bounds, most=most)

    monkeypatch.setattr(SqliteJournal, "prune", counted)
    monkeypatch.setattr("ffstream.stream.archive.AT_ONCE", 5)
    stream = open_stream(tmp_path, snapshot_every=None, snapshots_kept=1)
    feed(stream, 1, 300)
    stream.accept(X[300:310], Y[300:310])
    stream.sequencer.request_barrier("now")
    stream.settle()
    assert len(steps) > 5
    assert len(stream.journal.events(0)) < 10
    stream.close()


def test_predictions_are_there_before_a_snapshot_counts(tmp_path, monkeypatch):
    """A process that ends right after it has made a snapshot count: no replay makes those before it again."""
    stream = open_stream(tmp_path, snapshot_every=1)
    commit = Archive.commit

    def the_last(self, *arguments):
        commit(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "commit", the_last)
        with pytest.raises(KeyboardInterrupt):
            stream.feed(X[:10], Y[:10])
    stream.close()
    again = open_stream(tmp_path, snapshot_every=1)
    assert not again.replaying
    assert all(again.frame(number).prediction for number in range(1, 11))
    again.close()
