"""Back to a snapshot: nothing is erased, and what is fed afterwards is learned as if nothing had been in between."""

import shutil

import pytest

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.checks.samples import blobs
from ffstream.errors import UnknownSnapshotError
from ffstream.stream.events import Restore
from ffstream.stream.snapshot import folder_of
from ffstream.stream.stream import SNAPSHOTS

CONFIG = NetworkConfig(inputs=4, classes=3, units=(8, 6), batch=10, memory=50)
SCHEDULE = Schedule(every=20, idle=None)
X, Y = blobs(1000, 4, 3)


def open_stream(folder, **options):
    return Stream.in_process(CONFIG, SCHEDULE, folder=folder, **options)


def feed(stream, *parts):
    for first, last in parts:
        stream.feed(X[first - 1 : last], Y[first - 1 : last])


@pytest.fixture
def stream(tmp_path):
    stream = open_stream(tmp_path)
    yield stream
    stream.close()


def assert_comes_back(folder, digests):
    """Another stream on the folder ends with these digests."""
    again = open_stream(folder)
    again.settle()
    assert again.chain.digests() == digests
    again.close()


def layers(stream):
    """Digests of what was learned; the dreamer's memory holds frame numbers, which go on."""
    return {name: digest for name, digest in stream.chain.digests().items() if name != "dreamer"}


def score(stream):
    now = stream.progress
    return now.frames, now.labelled, now.dreams, now.sleeps, stream.sequencer.debt.frames, now.accuracy, now.accuracy_overall


def test_it_is_as_if_nothing_had_been_in_between(tmp_path, stream):
    feed(stream, (1, 35))
    saved = stream.snapshot()
    before, told = stream.chain.digests(), score(stream)
    feed(stream, (36, 75))
    assert stream.chain.digests() != before
    assert stream.restore(saved) == stream.journal.last_seq
    assert stream.chain.digests() == before
    assert score(stream) == told
    assert stream.reader.seq == stream.journal.last_seq, "the restored weights are classified with"
    feed(stream, (101, 160))
    other = open_stream(tmp_path / "other")
    feed(other, (1, 35))
    other.snapshot()
    feed(other, (101, 160))
    assert layers(stream) == layers(other)
    assert score(stream) == score(other)
    other.close()


def test_nothing_is_erased(stream):
    feed(stream, (1, 30))
    saved = stream.snapshot()
    feed(stream, (31, 70))
    later = stream.snapshot()
    events, frames = stream.journal.events(0), [stream.frame(number) for number in range(1, 71)]
    stream.restore(saved)
    feed(stream, (71, 80))
    assert stream.journal.events(0)[: len(events)] == events
    assert [stream.frame(number) for number in range(1, 71)] == frames
    assert [number for number in range(1, 81) if stream.sequencer.lineage.left(number)] == list(range(31, 71))
    assert stream.progress.through == 80
    assert [manifest.seq for manifest in stream.saved()] == [later, saved]


@pytest.mark.parametrize("after", ["the restore", "learning", "a snapshot"])
def test_a_restart_ends_in_the_same_state(tmp_path, after):
    stream = open_stream(tmp_path)
    feed(stream, (1, 30))
    saved = stream.snapshot()
    feed(stream, (31, 70))
    stream.snapshot()
    stream.restore(saved)
    if after != "the restore":
        feed(stream, (71, 115))
    if after == "a snapshot":
        stream.snapshot()
        feed(stream, (116, 120))
    digests, told, reader = stream.chain.digests(), score(stream), stream.reader
    stream.close()
    again = open_stream(tmp_path)
    again.settle()
    assert again.chain.digests() == digests
    assert score(again) == told
    assert again.progress.through == again.journal.last_frame
    assert again.reader.seq == reader.seq
    feed(again, (121, 140))
    digests = again.chain.digests()
    again.close()
    assert_comes_back(tmp_path, digests)


def test_back_and_forth_between_branches(tmp_path, stream):
    feed(stream, (1, 30))
    first = stream.snapshot()
    feed(stream, (31, 70))
    second = stream.snapshot()
    there = stream.chain.digests()
    stream.restore(first)
    feed(stream, (71, 100))
    stream.restore(second)
    assert stream.chain.digests() == there
    left = [number for number in range(1, 101) if stream.sequencer.lineage.left(number)]
    assert left == list(range(71, 101)), "what was left before is learned again"
    feed(stream, (201, 220))
    digests = stream.chain.digests()
    stream.close()
    assert_comes_back(tmp_path, digests)


def test_what_waits_is_learned_on_top_of_the_snapshot(tmp_path, stream):
    feed(stream, (1, 30))
    saved = stream.snapshot()
    feed(stream, (31, 50))
    stream.accept(X[100:110], Y[100:110])
    stream.restore(saved)
    other = open_stream(tmp_path / "other")
    feed(other, (1, 30))
    other.snapshot()
    feed(other, (101, 110))
    assert layers(stream) == layers(other)
    other.close()


def test_restoring_what_is_newest_changes_nothing(stream):
    feed(stream, (1, 30))
    saved = stream.snapshot()
    before = stream.chain.digests()
    for _ in range(3):
        stream.restore(saved)
        assert stream.chain.digests() == before
    assert [each.event.to for each in stream.journal.events(0, kind=Restore.kind)] == [saved] * 3


def test_back_to_before_the_first_frame(stream):
    saved = stream.snapshot()
    first = stream.chain.digests()
    feed(stream, (1, 30))
    stream.restore(saved)
    assert stream.chain.digests() == first
    assert [number for number in range(1, 31) if stream.sequencer.lineage.left(number)] == list(range(1, 31))
    feed(stream, (31, 40))
    assert not stream.sequencer.lineage.left(31)


def test_no_such_snapshot(tmp_path, stream):
    feed(stream, (1, 30))
    saved = stream.snapshot()
    kept = stream.journal.last_seq
    for seq in (0, saved - 1, saved + 1, -1):
        with pytest.raises(UnknownSnapshotError, match=str(seq)):
            stream.restore(seq)
    torn = folder_of(tmp_path / SNAPSHOTS, saved) / "layer-1.safetensors"
    torn.write_bytes(torn.read_bytes()[:-1])
    with pytest.raises(UnknownSnapshotError):
        stream.restore(saved)
    assert stream.journal.last_seq == kept
    feed(stream, (31, 40))
    assert stream.progress.frames == 40


def test_a_stream_that_saves_nothing_has_nothing_to_go_back_to():
    stream = Stream.in_process(CONFIG)
    stream.feed(X[:10], Y[:10])
    with pytest.raises(UnknownSnapshotError):
        stream.restore(stream.snapshot())
    stream.close()


def test_a_torn_snapshot_after_a_restore_is_passed_over_on_the_same_branch(tmp_path, stream):
    feed(stream, (1, 30))
    saved = stream.snapshot()
    feed(stream, (31, 70))
    stream.snapshot()
    stream.restore(saved)
    feed(stream, (71, 90))
    torn = folder_of(tmp_path / SNAPSHOTS, stream.snapshot())
    digests = stream.chain.digests()
    stream.close()
    shutil.rmtree(torn)
    again = open_stream(tmp_path)
    assert again.sequencer.sent == saved
    again.settle()
    assert again.chain.digests() == digests
    again.close()


def test_snapshots_of_a_branch_that_was_left_stay_while_older_ones_do(stream):
    saved = []
    for first in (1, 31, 61, 91):
        feed(stream, (first, first + 29))
        saved.append(stream.snapshot())
        if len(saved) == 2:
            stream.restore(saved[0])
    assert [manifest.seq for manifest in stream.saved()] == saved[::-1]


def test_a_branch_that_was_left_is_forgotten_in_its_turn(tmp_path):
    stream = open_stream(tmp_path, snapshots_kept=2)
    feed(stream, (1, 100))
    first = stream.snapshot()
    feed(stream, (101, 200))
    second = stream.snapshot()
    stream.restore(first)
    feed(stream, (201, 300))
    third = stream.snapshot()
    assert [manifest.seq for manifest in stream.saved()] == [third, second, first], "each branch keeps its own"
    for start in range(301, 701, 100):
        feed(stream, (start, start + 99))
        newest = stream.snapshot()
    assert len(stream.saved()) == 2
    assert stream.saved()[0].seq == newest
    kept = stream.journal.events(0)
    assert len(kept) < 40
    assert [each.event.to for each in kept if isinstance(each.event, Restore)] == [first]
    digests = stream.chain.digests()
    stream.close()
    assert_comes_back(tmp_path, digests)
