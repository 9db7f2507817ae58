import tracemalloc

import numpy as np
import pytest

from ffstream.errors import JournalError
from ffstream.stream.events import Barrier, Wake
from ffstream.stream.memory_journal import MemoryJournal


def fill(journal, n, label=0, **options):
    journal.append(np.zeros((n, 2), np.float32), np.full(n, label), **options)


def learn(journal):
    first, last = journal.sequenced + 1, journal.last_frame
    journal.record(Wake(first, last, journal.labelled(first, last)))
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
    assert [each.seq for each in journal.events(25)] == list(range(26, 36))


@pytest.mark.parametrize(
    "keyed",
    [False, True],
)
def test_it_does_not_grow(keyed):
    journal = MemoryJournal(2, retain=10)
    sizes = []
    tracemalloc.start()
    for part in range(2):
        for number in range(2000):
            fill(journal, 1, key=f"{part} {number}" if keyed else None)
            learn(journal)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 20_000
