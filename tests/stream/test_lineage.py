import pytest

from ffstream.stream.events import Barrier, Recorded, Restore
from ffstream.stream.lineage import Lineage
from ffstream.stream.memory_journal import MemoryJournal


def lineage(*restores):
    """Of restores given as (number, to, first, last)."""
    return Lineage([Recorded(seq, Restore(to, first, last), 0.0) for seq, to, first, last in restores])


def branch(found, last):
    """The events of a branch, followed from the first on."""
    seqs = [0]
    while seqs[-1] < last:
        seqs.append(found.after(seqs[-1]))
    return seqs[1:]


@pytest.mark.parametrize(
    ("restores", "last", "expected"),
    [
        ([], 4, [1, 2, 3, 4]),
        ([(6, 3, 1, 0)], 8, [1, 2, 3, 6, 7, 8]),
        ([(4, 3, 1, 0)], 5, [1, 2, 3, 4, 5]),
        ([(6, 3, 1, 0), (9, 3, 1, 0)], 10, [1, 2, 3, 9, 10]),
        ([(6, 3, 1, 0), (9, 7, 1, 0)], 10, [1, 2, 3, 6, 7, 9, 10]),
        ([(6, 3, 1, 0), (9, 5, 1, 0)], 10, [1, 2, 3, 4, 5, 9, 10]),
        ([(6, 3, 1, 0), (9, 5, 1, 0), (12, 7, 1, 0)], 13, [1, 2, 3, 6, 7, 12, 13]),
        ([(6, 3, 1, 0), (7, 3, 1, 0), (8, 3, 1, 0)], 8, [1, 2, 3, 8]),
    ],
)
def test_the_events_of_a_branch(restores, last, expected):
    found = lineage(*restores)
    assert branch(found, last) == expected
    assert [seq for seq in range(1, last + 1) if found.holds(seq)] == expected


def test_frames_of_a_branch_that_was_left():
    once = lineage((6, 3, 11, 20))
    assert [number for number in range(1, 30) if once.left(number)] == list(range(11, 21))
    back = lineage((6, 3, 11, 20), (9, 5, 21, 25))
    assert [number for number in range(1, 30) if back.left(number)] == list(range(21, 26)), "back on the branch that was left"


def test_a_journal_knows_its_branch():
    journal = MemoryJournal(1)
    for event in (Barrier("one"), Barrier("two"), Restore(1, 1, 0), Barrier("three")):
        journal.record(event)
    assert branch(Lineage.of(journal), 4) == [1, 3, 4]


def test_a_journal_may_hold_any_number_of_restores():
    journal = MemoryJournal(1)
    journal.record(Barrier("one"))
    for _ in range(2000):
        journal.record(Restore(1, 1, 0))
    assert branch(Lineage.of(journal), 2001) == [1, 2001]
