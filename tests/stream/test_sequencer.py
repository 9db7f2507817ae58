import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffstream.errors import ConfigError, JournalError, UnknownSnapshotError
from ffstream.schedule import Schedule
from ffstream.stream.events import Barrier, Grow, Restore, Sleep, Wake
from ffstream.stream.memory_journal import MemoryJournal
from ffstream.stream.sequencer import Sequencer
from ffstream.stream.sqlite_journal import SqliteJournal

NEVER = Schedule(every=None, idle=None)
BATCH = 10
CLASSES = 3


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Bench:
    """A sequencer on a journal, with time in the test's hands."""

    def __init__(self, schedule=NEVER, journal=None, **options):
        self.clock = Clock()
        self.journal = journal or MemoryJournal(1)
        self.sequencer = Sequencer(self.journal, schedule, batch=BATCH, classes=CLASSES, clock=self.clock, **options)

    def accept(self, n, label=0):
        self.journal.append(np.zeros((n, 1), np.float32), np.full(n, label))

    def next(self, **options):
        recorded = self.sequencer.next(**options)
        return recorded and recorded.event

    def all(self, **options):
        return list(iter(lambda: self.next(**options), None))


def test_nothing_waits():
    bench = Bench()
    assert bench.next() is None
    assert bench.next(flush=True) is None
    assert bench.journal.last_seq == 0


def test_full_micro_batches_leave_at_once():
    bench = Bench()
    bench.accept(25)
    assert bench.all() == [Wake(1, 10, 10), Wake(11, 20, 10)]
    assert bench.sequencer.waiting == 5


def test_flush_does_not_wait():
    bench = Bench()
    bench.accept(12)
    assert bench.all(flush=True) == [Wake(1, 10, 10), Wake(11, 12, 2)]
    assert bench.sequencer.waiting == 0


def test_labelled_frames_are_counted():
    bench = Bench()
    bench.accept(3, label=-1)
    bench.accept(4, label=2)
    assert bench.next(flush=True) == Wake(1, 7, labelled=4)


def test_patience_is_per_micro_batch():
    bench = Bench(patience=2.0)
    bench.accept(3)
    assert bench.next() is None
    bench.clock.now += 1.9
    assert bench.next() is None
    bench.clock.now += 0.1
    assert bench.next() == Wake(1, 3, 3)
    bench.accept(1)
    assert bench.next() is None, "the patience of the last micro-batch is not this one's"
    bench.clock.now += 2
    assert bench.next() == Wake(4, 4, 1)


def test_patience_starts_anew_after_a_full_micro_batch():
    bench = Bench(patience=2.0)
    bench.accept(5)
    assert bench.next() is None
    bench.clock.now += 1
    bench.accept(10)
    assert bench.next() == Wake(1, 10, 10)
    bench.clock.now += 1.5
    assert bench.next() is None
    bench.clock.now += 2
    assert bench.next() == Wake(11, 15, 5)


def test_sleep_after_every_so_many_labelled_frames():
    bench = Bench(Schedule(every=20, idle=None, dreams_per_frame=1.5))
    bench.accept(50, label=-1)
    bench.accept(45)
    kinds = [event.kind for event in bench.all()]
    assert kinds == ["wake"] * 7 + ["sleep", "wake", "wake", "sleep"], "unlabelled frames owe no sleep"
    assert bench.journal.last("sleep").event == Sleep(steps=3, batch=BATCH, reason="every")


def test_frames_without_labels_may_be_owed_sleep_too():
    bench = Bench(Schedule(every=20, idle=None), unlabelled=True)
    bench.accept(15, label=-1)
    bench.accept(5)
    assert bench.all() == [Wake(1, 10, 0), Wake(11, 20, 5), Sleep(2, BATCH, "every")]


def test_sleep_when_idle():
    bench = Bench(Schedule(every=None, idle=5.0))
    bench.clock.now += 60
    assert bench.next() is None, "nothing is owed"
    bench.accept(11)
    assert bench.all(flush=True) == [Wake(1, 10, 10), Wake(11, 11, 1)]
    bench.clock.now += 4.9
    assert bench.next() is None
    bench.clock.now += 0.2
    assert bench.next() == Sleep(steps=2, batch=BATCH, reason="idle")
    bench.clock.now += 60
    assert bench.next() is None, "one sleep pays the debt"


def test_frames_that_wait_are_not_idleness():
    bench = Bench(Schedule(every=None, idle=5.0), patience=100.0)
    bench.accept(10)
    assert bench.next() == Wake(1, 10, 10)
    for _ in range(5):
        bench.accept(1)
        bench.clock.now += 4
        assert bench.next() is None


def test_the_schedule_may_be_replaced():
    bench = Bench()
    bench.accept(10)
    assert bench.all() == [Wake(1, 10, 10)]
    bench.sequencer.schedule = Schedule(every=10, idle=None, dreams_per_frame=2.0)
    assert bench.all() == [Sleep(2, BATCH, "every")]


def test_requests_come_first_and_in_order():
    bench = Bench()
    bench.accept(10)
    asked = [bench.sequencer.request_sleep(25), bench.sequencer.request_barrier("mine"), bench.sequencer.request_sleep()]
    assert not any(future.done() for future in asked)
    assert bench.all() == [Sleep(3, BATCH, "request"), Barrier("mine"), Sleep(0, BATCH, "request"), Wake(1, 10, 10)]
    assert [future.result(0).seq for future in asked] == [1, 2, 3]
    assert asked[1].result(0) == bench.journal.events(1, limit=1)[0]


def test_a_request_that_was_given_up_harms_no_one():
    bench = Bench()
    assert bench.sequencer.request_barrier("given up").cancel()
    asked = bench.sequencer.request_barrier("mine")
    bench.all()
    assert asked.result(0).event == Barrier("mine")
    assert bench.sequencer.sent == bench.journal.last_seq


def test_a_request_that_is_refused_harms_no_one():
    bench = Bench()

    def no_such_snapshot():
        raise UnknownSnapshotError("snapshot 3: there is none that is whole")

    refused, asked = bench.sequencer.request(no_such_snapshot), bench.sequencer.request_barrier("mine")
    assert bench.next() == Barrier("mine"), "the next request has its turn at once"
    assert asked.done()
    with pytest.raises(UnknownSnapshotError):
        refused.result(0)


def test_a_request_that_cannot_be_journaled_says_so():
    bench = Bench()
    asked = bench.sequencer.request_barrier("mine")
    record = bench.journal.record

    def broken(event):
        raise JournalError("disk full")

    bench.journal.record = broken
    with pytest.raises(JournalError):
        bench.next()
    bench.journal.record = record
    with pytest.raises(JournalError, match="disk full"):
        asked.result(0)
    assert bench.all() == []


def test_a_requested_sleep_pays_what_is_owed():
    bench = Bench(Schedule(every=1000, idle=None, dreams_per_frame=2.0))
    bench.accept(14)
    bench.all(flush=True)
    bench.sequencer.request_sleep()
    assert bench.next() == Sleep(3, BATCH, "request")
    assert bench.sequencer.debt.frames == 0


def test_what_is_journaled_is_handed_out_again_before_anything_new():
    bench = Bench(Schedule(every=20, idle=None))
    bench.accept(35)
    sent = bench.all(flush=True)
    bench.sequencer.rewind(0, CLASSES)
    assert bench.sequencer.replaying
    bench.sequencer.request_barrier("new")
    assert bench.all() == [*sent, Barrier("new")]
    assert not bench.sequencer.replaying
    bench.sequencer.rewind(2, CLASSES)
    assert bench.all() == [*sent[2:], Barrier("new")]
    assert bench.journal.last_seq == len(sent) + 1


def test_a_day_goes_on_after_a_restart():
    """A snapshot knows what its latest batches taught."""
    bench = Bench(Schedule(every=None, idle=None, enough=0.5), credits=1)
    bench.accept(60)
    assert len(bench.all()) == 6
    bench.sequencer.rewind(6, CLASSES, owed=60)
    assert bench.next() is None
    bench.sequencer.rewind(6, CLASSES, owed=60, taught=[(seq, 0.1) for seq in range(1, 7)])
    assert bench.next() == Sleep(6, BATCH, "enough", enough=0.5)


def test_what_cannot_be_replayed_is_not_passed_over():
    bench = Bench(journal=MemoryJournal(1, retain=10))
    for _ in range(20):
        bench.sequencer.request_barrier("any")
    bench.all()
    bench.sequencer.rewind(8, CLASSES)
    with pytest.raises(JournalError, match="event 9 cannot be replayed"):
        bench.next()
    bench.sequencer.rewind(10, CLASSES)
    assert len(bench.all()) == 10


def test_a_new_sequencer_takes_over_the_debt(tmp_path):
    """From the beginning, or from a snapshot, which knows what was owed."""
    path = tmp_path / "journal.sqlite"
    bench = Bench(Schedule(every=20, idle=None), SqliteJournal(path, 1))
    bench.accept(35)
    sent = bench.all(flush=True)
    assert bench.sequencer.debt.frames == 15
    bench.journal.close()
    again = Bench(Schedule(every=20, idle=None), SqliteJournal(path, 1))
    assert again.all() == sent
    assert again.sequencer.debt.frames == 15
    again.sequencer.rewind(again.journal.last_seq, CLASSES, owed=15)
    again.accept(5)
    assert again.all(flush=True) == [Wake(36, 40, 5), Sleep(2, BATCH, "every")]


def test_a_snapshot_every_so_many_events():
    bench = Bench(snapshot_every=3)
    bench.accept(50)
    assert [event.kind for event in bench.all()] == ["wake"] * 3 + ["barrier"] + ["wake"] * 2


def test_a_snapshot_counts_for_the_next_one():
    bench = Bench(snapshot_every=3)
    bench.accept(20)
    assert bench.all() == [Wake(1, 10, 10), Wake(11, 20, 10)]
    bench.sequencer.request_barrier("mine")
    assert bench.all() == [Barrier("mine")]
    bench.sequencer.rewind(3, CLASSES)
    bench.accept(20)
    assert bench.all() == [Wake(21, 30, 10), Wake(31, 40, 10)]
    bench.accept(10)
    assert bench.all() == [Wake(41, 50, 10), Barrier("every")]
    bench.sequencer.rewind(3, CLASSES)
    assert len(bench.all()) == 4, "also when it is replayed"


STEPS = st.one_of(
    st.tuples(st.just("accept"), st.integers(1, 40), st.sampled_from([-1, 0])),
    st.tuples(st.just("tick"), st.floats(0, 3)),
    st.tuples(st.just("next"), st.booleans()),
    st.tuples(st.just("sleep"), st.one_of(st.none(), st.integers(1, 50))),
    st.tuples(st.just("barrier")),
)
SCHEDULES = st.builds(
    Schedule,
    every=st.one_of(st.none(), st.integers(1, 50)),
    idle=st.one_of(st.none(), st.floats(0.5, 5)),
    dreams_per_frame=st.sampled_from([0.1, 1.0, 3.0]),
)


def act(bench, step):
    match step:
        case "accept", n, label:
            bench.accept(n, label)
        case "tick", seconds:
            bench.clock.now += seconds
        case "next", flush:
            bench.next(flush=flush)
        case "sleep", dreams:
            bench.sequencer.request_sleep(dreams)
        case ("barrier",):
            bench.sequencer.request_barrier("any")


def owed_after(schedule, events):
    """The debt after each event, paid as the schedule says."""
    owed = 0
    for event in events:
        match event:
            case Wake():
                assert schedule.every is None or owed < schedule.every, "a sleep that is due comes before the next frame"
                owed += event.labelled
            case Sleep():
                if event.reason != "request":
                    assert owed
                    assert event.steps == -(-int(owed * schedule.dreams_per_frame) // BATCH)
                owed = 0
    return owed


@settings(deadline=None, max_examples=150)
@given(SCHEDULES, st.lists(STEPS, max_size=40))
def test_whatever_happens_every_frame_is_named_once_in_order(schedule, steps):
    bench = Bench(schedule, patience=1.0)
    for step in steps:
        act(bench, step)
    bench.all(flush=True)
    recorded = bench.journal.events(0)
    events = [each.event for each in recorded]
    assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))
    wakes = [event for event in events if isinstance(event, Wake)]
    assert [number for wake in wakes for number in range(wake.first, wake.last + 1)] == list(
        range(1, bench.journal.last_frame + 1)
    )
    assert all(1 <= wake.frames <= BATCH for wake in wakes)
    asked = [event for event in events if isinstance(event, Barrier) or getattr(event, "reason", "") == "request"]
    assert len(asked) == sum(step[0] in ("sleep", "barrier") for step in steps)
    assert owed_after(schedule, events) == bench.sequencer.debt.frames


@pytest.mark.parametrize(
    "wrong", [{"every": 0}, {"idle": 0.0}, {"idle": -1.0}, {"dreams_per_frame": 0.0}, {"dreams_per_frame": 101.0}]
)
def test_schedules_that_cannot_work(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Schedule(**wrong)


def test_a_label_without_a_slot_gets_one_before_its_micro_batch():
    """The micro-batch is cut before it; labels that come later in it get theirs when they come."""
    bench = Bench()
    labels = np.array([0, 2, -1, 4, 3, 4, 7, -1, 0, 0, 0, 0])
    bench.journal.append(np.zeros((12, 1), np.float32), labels)
    expected = [Wake(1, 3, 2), Grow(5), Wake(4, 6, 3), Grow(8), Wake(7, 12, 5)]
    assert bench.all(flush=True) == expected
    assert bench.sequencer.classes == 8
    assert bench.all(flush=True) == []


def test_a_label_waits_for_its_slot_as_long_as_its_micro_batch_would():
    bench = Bench()
    bench.accept(3, label=5)
    assert bench.next() is None
    bench.clock.now += 0.1
    assert bench.next() == Grow(6)
    bench.clock.now += 0.1
    bench.next()
    bench.clock.now += 0.1
    assert bench.next() == Wake(1, 3, 3)


def test_growth_is_replayed_and_not_decided_again():
    bench = Bench()
    bench.accept(BATCH, label=3)
    before = bench.all(flush=True)
    assert before == [Grow(4), Wake(1, BATCH, BATCH)]
    bench.sequencer.rewind(0, CLASSES)
    assert bench.sequencer.classes == CLASSES
    assert bench.all(flush=True) == before
    assert bench.sequencer.classes == 4
    bench.sequencer.rewind(1, 4)
    assert bench.all(flush=True) == before[1:]
    assert bench.journal.last_seq == 2


def test_a_slot_once_made_is_made_again_after_going_back_before_it():
    """What waits is learned on the new branch, where its label has no slot any more."""
    bench = Bench()
    bench.accept(BATCH, label=0)
    bench.sequencer.request_barrier("now")
    assert bench.all(flush=True) == [Barrier("now"), Wake(1, BATCH, BATCH)]
    bench.accept(1, label=3)
    assert bench.all(flush=True) == [Grow(4), Wake(BATCH + 1, BATCH + 1, 1)]
    bench.journal.record(Restore(1, first=1, last=BATCH + 1))
    bench.sequencer.rewind(1, CLASSES)
    bench.accept(1, label=3)
    assert bench.all(flush=True) == [Restore(1, 1, BATCH + 1), Grow(4), Wake(BATCH + 2, BATCH + 2, 1)]
