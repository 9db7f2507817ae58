import tracemalloc
from contextlib import suppress

import numpy as np
import pytest

from ffstream.errors import ExpiredFrameError, JournalError
from ffstream.stream.events import Barrier, Sleep, Wake
from ffstream.stream.frame import Predictions
from ffstream.stream.journal import FrameRange
from ffstream.stream.memory_journal import MemoryJournal


def fill(journal, n, label=0, **options):
    return journal.append(np.zeros((n, 2), np.float32), np.full(n, label), **options)


def learn(journal):
    first, last = journal.sequenced + 1, journal.last_frame
    journal.record(Wake(first, last, int((journal.labels(first, last) >= 0).sum())))
    assert len(journal.read(first, last)[0]) == last - first + 1, "what is being learned can be read"
    journal.record(Barrier("any"))


def test_the_most_recent_frames_are_kept():
    journal = MemoryJournal(2, retain=10)
    for _ in range(8):
        fill(journal, 5)
        learn(journal)
    assert len(journal.recall(np.arange(31, 41))) == 10
    with pytest.raises(JournalError, match="keeps the last 10"):
        journal.recall(np.array([30]))


def test_frames_without_labels_drive_no_labelled_ones_out():
    journal = MemoryJournal(2, retain=10)
    fill(journal, 10, label=1)
    learn(journal)
    for _ in range(5):
        fill(journal, 10, label=-1)
        learn(journal)
    assert len(journal.recall(np.concatenate([np.arange(1, 11), np.arange(51, 61)]))) == 20
    with pytest.raises(JournalError):
        journal.recall(np.array([50]))


def test_a_frame_that_waits_is_never_forgotten():
    journal = MemoryJournal(2, retain=10)
    fill(journal, 100)
    for _ in range(50):
        journal.record(Barrier("any"))
    assert len(journal.recall(np.arange(1, 101))) == 100


def test_the_most_recent_events_are_kept():
    journal = MemoryJournal(2, retain=10)
    for _ in range(35):
        journal.record(Barrier("any"))
    assert [each.seq for each in journal.events(0)] == list(range(26, 36))


def test_the_most_recent_keys_are_kept():
    journal = MemoryJournal(2, retain=10)
    for number in range(1, 12):
        fill(journal, 1, key=f"{number}")
    assert fill(journal, 1, key="2") == FrameRange(2, 2, repeated=True)
    assert fill(journal, 1, key="1") == FrameRange(12, 12)


def test_the_latest_event_of_a_kind_outlives_the_others():
    journal = MemoryJournal(2, retain=10)
    recorded = journal.record(Barrier("early"))
    for _ in range(20):
        journal.record(Sleep(1, 10, "idle"))
    assert journal.last("barrier") == recorded
    assert journal.last("barrier", upto=1) == recorded
    assert journal.last("barrier", upto=0) is None


def frames_kept(journal):
    kept = []
    for number in range(1, journal.last_frame + 1):
        with suppress(ExpiredFrameError):
            kept.append(journal.frame(number).number)
    return kept


def test_a_little_is_forgotten_at_a_time():
    journal = MemoryJournal(2)
    for label in (1, -1, 2):
        fill(journal, 3, label)
    for number in range(1, 10):
        journal.record(Wake(number, number, labelled=1))
    assert not journal.prune(events=4, frames=6, most=2)
    assert (frames_kept(journal), journal.events(0)[0].seq) == ([3, 4, 5, 6, 7, 8, 9], 3)
    assert not journal.prune(events=4, frames=6, most=3)
    assert (frames_kept(journal), journal.events(0)[0].seq) == ([6, 7, 8, 9], 5)
    assert not journal.prune(events=4, frames=6, most=1)
    assert journal.prune(events=4, frames=6, most=1)
    assert not journal.prune(events=7, frames=6, most=3), "events may be left when no frame is"
    assert journal.prune(events=9, frames=9, most=100)
    assert (frames_kept(journal), [each.seq for each in journal.events(0)]) == ([], [9])


def label_last(journal):
    """Frames that come without a label and take it at once."""
    fill(journal, 1, label=-1)
    journal.label(np.array([journal.last_frame]), np.array([1]), lifetime=10)


def predict_again(journal):
    """What a replay predicts again is partly of frames that are forgotten."""
    fill(journal, 1)
    first = max(1, journal.last_frame - 20)
    n = journal.last_frame - first + 1
    journal.keep([Predictions(1, first, np.zeros(n, np.int64), np.zeros(n, np.float32))])


@pytest.mark.parametrize(
    "live",
    [
        lambda journal: fill(journal, 1),
        lambda journal: fill(journal, 1, key=f"after {journal.last_frame}"),
        label_last,
        predict_again,
    ],
    ids=["frames", "keys", "late labels", "predictions"],
)
def test_it_does_not_grow(live):
    journal = MemoryJournal(2, retain=10)
    sizes = []
    tracemalloc.start()
    for _ in range(2):
        for _ in range(500):
            live(journal)
            learn(journal)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 5000
