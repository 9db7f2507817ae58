import threading

import numpy as np
import pytest
import torch

from ffstream import NetworkConfig, Phase, Schedule, Stream
from ffstream.checks.samples import blobs
from ffstream.errors import BacklogError, ChainError, KeyReuseError, ShapeError, SnapshotError
from ffstream.message import BUNDLE
from ffstream.outcome import Learned, Passed, Published, Saved, Slept
from ffstream.stream.events import Wake

CONFIG = NetworkConfig(inputs=4, classes=3, units=(8, 6), batch=10)
SCHEDULE = Schedule(every=20, idle=None)


@pytest.fixture
def stream(folder):
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=folder)
    yield stream
    stream.close()


def wakes(stream):
    return [each.event for each in stream.journal.events(0) if isinstance(each.event, Wake)]


def test_feeding_answers_what_was_predicted(stream):
    x, y = blobs(25, 4, 3)
    answers = stream.feed(x, y)
    assert [len(answer.labels) for answer in answers] == [10, 10, 5]
    assert torch.cat([answer.ids for answer in answers]).tolist() == list(range(1, 26))
    assert torch.cat([answer.labels for answer in answers]).tolist() == y.tolist()
    assert not answers[0].logits.any(), "before any learning nothing is predicted"
    assert answers[1].logits.any()
    assert stream.at_rest


def test_feeding_publishes(stream):
    stream.feed(*blobs(5, 4, 3))
    assert stream.reader.seq == stream.journal.last_seq == 1
    assert not stream.reader.cold


@pytest.mark.parametrize(
    ("frames", "labels"), [(np.zeros((3, 5)), None), (np.zeros((3, 4)), [0, 1, 3]), ([[0, 1, 2, float("nan")]], None)]
)
def test_nothing_of_a_refused_request_is_kept(stream, frames, labels):
    with pytest.raises(ShapeError):
        stream.feed(frames, labels)
    assert (stream.journal.last_frame, stream.journal.last_seq) == (0, 0)


def test_accept_passes_limit_and_key_on(stream):
    x, y = blobs(8, 4, 3)
    first = stream.accept(x, y, key="k", digest="d")
    assert stream.accept(x, y, key="k", digest="d", limit=1).repeated
    with pytest.raises(KeyReuseError):
        stream.accept(x, y, key="k", digest="other")
    with pytest.raises(BacklogError):
        stream.accept(x, y, limit=15)
    assert (first.first, first.last, stream.journal.last_frame) == (1, 8, 8)


def test_sleep_and_phase(stream):
    stream.feed(*blobs(15, 4, 3))
    assert stream.sleep(dreams=25) == Slept(3, 3)
    assert stream.progress.dreams == 30
    assert stream.progress.phase is Phase.WAKE
    assert stream.sleep() == Slept(4, 0), "nothing is owed"
    stream.feed(*blobs(20, 4, 3))
    assert stream.progress.sleeps == 3


def test_snapshots_without_a_folder_save_nothing():
    stream = Stream.in_process(CONFIG, SCHEDULE)
    stream.feed(*blobs(5, 4, 3))
    assert stream.snapshot() == 2
    assert stream.saved() == []


def test_a_snapshot_every_so_many_events(tmp_path):
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path, snapshot_every=5, snapshots_kept=100)
    stream.feed(*blobs(100, 4, 3))
    kinds = [each.event.kind for each in stream.journal.events(0)]
    gaps = [len(run) for run in "".join("|" if kind == "barrier" else "x" for kind in kinds).split("|")]
    assert set(gaps[:-1]) == {5}, kinds
    assert gaps[-1] < 5
    assert len(stream.saved()) == 3
    stream.close()


def test_a_stream_that_is_not_started_accepts_and_classifies(folder):
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=folder, start=False)
    x, y = blobs(30, 4, 3)
    stream.accept(x, y)
    assert stream.reader.cold
    with pytest.raises(ChainError, match="start"):
        stream.step()
    assert stream.journal.last_frame == 30
    stream.start()
    assert stream.drain(30)
    assert stream.progress.frames == 30
    stream.close()


def test_a_new_stream_classifies_with_the_newest_snapshot_before_it_starts(tmp_path):
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path)
    x, y = blobs(60, 4, 3)
    stream.feed(x, y)
    expected = stream.classify(x[:5])
    seq, progress = stream.snapshot(), stream.progress
    stream.close()
    again = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path, start=False)
    assert again.reader.seq == seq
    assert torch.equal(again.reader.classify(torch.from_numpy(x[:5])).scores, expected.scores)
    found = again.progress
    assert (found.frames, found.labelled, found.accuracy) == (progress.frames, progress.labelled, progress.accuracy)
    again.close()


def test_replaying_says_so(tmp_path):
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path)
    stream.feed(*blobs(60, 4, 3))
    assert not stream.replaying
    stream.start()
    assert stream.replaying
    stream.settle()
    assert not stream.replaying
    stream.close()


def test_a_replay_does_not_take_classification_back(folder):
    """What is published again on the way is older than what is classified with."""
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=folder, publish_every=1)
    stream.feed(*blobs(60, 4, 3))
    reader, published = stream.reader, 0
    stream.start()
    while stream.replaying:
        published += sum(isinstance(outcome, Published) for outcome in stream.step())
        assert stream.reader.seq == reader.seq
    assert published > 1
    stream.settle()
    assert stream.reader.seq == stream.journal.last_seq
    stream.close()


def test_drain_gives_up_in_time(stream):
    stream.accept(*blobs(500, 4, 3))
    assert not stream.drain(0.0)
    assert stream.drain(30)
    assert stream.sequencer.waiting == 0
    assert stream.progress.frames == 500


def test_credits_bound_what_is_under_way():
    stream = Stream.in_process(CONFIG, Schedule(every=None, idle=None), credits=3)
    stream.accept(*blobs(200, 4, 3))
    assert [len(stream.step(flush=True)) for _ in range(3)] == [3, 3, 3]


def test_events_are_sent_in_bundles_while_many_are_under_way():
    """Each that comes out makes room for one, but the next go in together."""
    schedule = Schedule(every=None, idle=None)
    plain = Stream.in_process(CONFIG, schedule)
    stream = Stream(CONFIG, lambda _: OneAtATime(plain.chain), plain.journal, schedule, credits=2 * BUNDLE)
    stream.accept(*blobs(20 * CONFIG.batch, 4, 3))
    sent = []
    for _ in range(2 * BUNDLE + 1):
        stream.step()
        sent.append(stream.sequencer.sent)
    assert sent == [2 * BUNDLE] * BUNDLE + [3 * BUNDLE] * BUNDLE + [4 * BUNDLE]


def test_threads_may_accept_while_another_turns(stream):
    done = threading.Event()

    def turn():
        while not done.is_set() or not stream.at_rest:
            stream.step(flush=True)

    turner = threading.Thread(target=turn)
    turner.start()
    feeders = [threading.Thread(target=lambda: [stream.accept(*blobs(7, 4, 3)) for _ in range(10)]) for _ in range(3)]
    for thread in feeders:
        thread.start()
    for thread in feeders:
        thread.join()
    done.set()
    turner.join()
    stream.settle()
    assert stream.progress.frames == 210
    named = [number for wake in wakes(stream) for number in range(wake.first, wake.last + 1)]
    assert named == list(range(1, 211))


def test_a_snapshot_beyond_the_journal(tmp_path):
    """A loss of power may take the journal's last moments and leave the snapshot: it is refused, or passed over."""
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path)
    stream.feed(*blobs(50, 4, 3))
    stream.snapshot()
    stream.close()
    for path in tmp_path.glob("journal.sqlite*"):
        path.unlink()
    try:
        stream = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path)
    except SnapshotError:
        return
    stream.accept(*blobs(10, 4, 3))
    assert stream.drain(2.0)


def test_a_memory_smaller_than_a_batch():
    stream = Stream.in_process(NetworkConfig(inputs=4, classes=3, units=(8,), batch=10, memory=3), SCHEDULE)
    stream.feed(*blobs(30, 4, 3))
    assert stream.progress.frames == 30


def test_a_stream_that_has_learned_nothing_is_cold(stream):
    stream.snapshot()
    scores = stream.classify(blobs(3, 4, 3).x).scores
    assert stream.reader.cold
    assert torch.equal(scores, torch.full((3, 3), 1 / 3))


class Slow:
    """A chain some of whose outcomes come out late: ``Saved`` by default, as snapshots are written while it learns on."""

    def __init__(self, chain, late, kind=Saved):
        self.chain, self.late, self.kind, self.held = chain, late, kind, []

    def __getattr__(self, name):
        return getattr(self.chain, name)

    def outcomes(self, timeout):
        found = self.held + self.chain.outcomes(timeout)
        slow = [outcome for outcome in found if isinstance(outcome, self.kind)]
        rest = [outcome for outcome in found if not isinstance(outcome, self.kind)]
        self.held = slow if self.late() else []
        return rest if self.late() else rest + slow


class OneAtATime:
    """A chain whose outcomes come out one by one."""

    def __init__(self, chain):
        self.chain, self.held = chain, []

    def __getattr__(self, name):
        return getattr(self.chain, name)

    def outcomes(self, timeout):
        self.held += self.chain.outcomes(timeout)
        return [self.held.pop(0)] if self.held else []


def test_a_stream_with_frames_to_learn_is_not_at_rest():
    """Also when they come while the last thing under way is a publication."""
    late = [True]
    plain = Stream.in_process(CONFIG, SCHEDULE)
    stream = Stream(CONFIG, lambda _: Slow(plain.chain, lambda: late[0], Published), plain.journal, SCHEDULE, credits=1)
    stream.accept(*blobs(5, 4, 3))
    stream.step(flush=True)
    stream.step(flush=True)
    stream.accept(*blobs(5, 4, 3))
    late[0] = False
    stream.step(flush=True)
    assert not stream.at_rest
    assert stream.drain(30)
    assert stream.progress.frames == 10


def test_a_score_is_saved_as_it_was_at_the_barrier(tmp_path):
    """Whatever is learned, and lost, while a snapshot is being written."""
    late = [True]
    plain = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path)
    opening = plain._open_chain
    stream = Stream(
        CONFIG, lambda start: Slow(opening(start), lambda: late[0]), plain.journal, SCHEDULE, snapshots=plain.archive.root
    )
    stream.accept(*blobs(15, 4, 3))
    stream.step(flush=True)
    stream.sequencer.request_barrier("slow")
    outcomes = stream.step(flush=True)
    assert any(isinstance(outcome, Passed) for outcome in outcomes)
    stream.accept(*blobs(10, 4, 3))
    assert any(isinstance(outcome, Learned) for outcome in stream.step(flush=True))
    late[0] = False
    stream.start()
    stream.settle()
    (manifest,) = stream.saved()
    assert manifest.progress["frames"] == 15
    assert stream.progress.frames == 25
    stream.close()
