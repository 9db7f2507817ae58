"""The contract of journals: what is accepted is kept as it came, once, in order, all or none."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ffstream.checks.law import require
from ffstream.errors import (
    BacklogError,
    ContradictionError,
    ExpiredFrameError,
    JournalError,
    KeyReuseError,
    LabelledError,
    UnknownFrameError,
)
from ffstream.frames import FrameArray, LabelArray, to_tensor
from ffstream.seeds import keyed
from ffstream.stream.events import Barrier, Event, Restore, Sleep, Wake
from ffstream.stream.frame import Predictions
from ffstream.stream.journal import FrameRange, Journal

MakeJournal = Callable[[int], Journal]
"""Makes an empty journal for frames of that many inputs, which keeps at least 2,000 of them."""

INPUTS = 5


def _frames(n: int, seed: int = 0, dtype: type[np.generic] = np.float32) -> tuple[FrameArray, LabelArray]:
    rng = keyed(seed, "journal")
    x = rng.integers(256, size=(n, INPUTS)) if dtype is np.uint8 else rng.standard_normal((n, INPUTS))
    return x.astype(dtype), rng.integers(-1, 4, size=n)


def _refuses(error: type[Exception], action: Callable[[], object], saying: str = "") -> bool:
    try:
        action()
    except error as refusal:
        return saying in str(refusal)
    return False


def _same(found: tuple[Tensor, Tensor], x: FrameArray, y: LabelArray) -> bool:
    return torch.equal(found[0], to_tensor(x)) and torch.equal(found[1], torch.from_numpy(y))


def check_dense_frames(make: MakeJournal) -> None:
    """Frames are numbered from 1 without a gap, request after request."""
    journal = make(INPUTS)
    require((journal.last_frame, journal.last_seq, journal.sequenced) == (0, 0, 0), "a new journal counts from 0")
    first = 1
    for n in (1, 3, 600, 1):
        accepted = journal.append(*_frames(n))
        require(accepted == FrameRange(first, first + n - 1), "frame numbers are dense", f"found {accepted}")
        first += n
        require(journal.last_frame == first - 1, "the last frame's number is known")
    journal.close()


def check_exact_frames(make: MakeJournal) -> None:
    """A journal knows of every frame whether it is to be learned in one step, across requests and long ones."""
    journal = make(INPUTS)
    expected = np.zeros(0, np.bool_)
    for n, exact in ((3, False), (300, True), (1, False), (2, True)):
        journal.append(*_frames(n), exact=exact)
        expected = np.concatenate([expected, np.full(n, exact)])
    for first, last in ((1, 306), (1, 3), (250, 304), (305, 305)):
        found = journal.exact(first, last)
        law = "what was accepted to be learned in one step is known to be"
        require(np.array_equal(found, expected[first - 1 : last]), law, f"frames {first} to {last}: {found}")
    journal.close()


def check_dense_events(make: MakeJournal) -> None:
    """Events are numbered from 1 without a gap, and read back as they were recorded."""
    journal = make(INPUTS)
    journal.append(*_frames(10))
    events: list[Event] = [Wake(1, 4, 3), Sleep(2, 10, "every"), Barrier("now"), Wake(5, 10, 0), Sleep(0, 1, "a 'b' \"c\"")]
    began = time.time()
    recorded = [journal.record(event) for event in events]
    times = [began, *(each.at for each in recorded), time.time()]
    require(times == sorted(times), "an event is recorded with its time", f"found {times}")
    require([each.seq for each in recorded] == [1, 2, 3, 4, 5], "event numbers are dense")
    require([each.event for each in recorded] == events, "an event is recorded as it is")
    require(journal.events(0) == recorded, "events read back as they were recorded, oldest first")
    require(journal.events(2, limit=2) == recorded[2:4], "events are read after a number, up to a limit")
    require(journal.events(5) == [], "after the last event there is none")
    sleeps = journal.events(1, kind="sleep")
    require(sleeps == [recorded[1], recorded[4]], "events of one kind are read, oldest first", f"found {sleeps}")
    require(journal.events(2, limit=1, kind="sleep") == recorded[4:], "events of one kind are read after a number")
    require(journal.last_seq == 5, "the last event's number is known")
    require(journal.sequenced == 10, "the journal knows which frame was named last", f"found {journal.sequenced}")
    latest = [journal.last(kind) for kind in ("wake", "sleep", "barrier")]
    require(latest == [recorded[3], recorded[4], recorded[2]], "the latest event of a kind is known")
    journal.close()


def check_no_event_of_a_kind(make: MakeJournal) -> None:
    """A kind that never happened has no latest event."""
    journal = make(INPUTS)
    journal.record(Barrier("now"))
    require(journal.last("sleep") is None, "a kind that never happened has no latest event")
    journal.close()


def check_bits(make: MakeJournal) -> None:
    """Frames and labels read back bit for bit, whatever their type, however they were grouped."""
    journal = make(INPUTS)
    parts = [_frames(3), _frames(700, 1, np.uint8), _frames(1, 2), _frames(300, 3)]
    for x, y in parts:
        journal.append(x, y)
    frames = torch.cat([to_tensor(x) for x, _ in parts])
    labels = torch.cat([torch.from_numpy(y) for _, y in parts])
    for first, last in ((1, 1), (3, 4), (1, 1004), (250, 530), (703, 705), (1004, 1004)):
        found = journal.read(first, last)
        same = torch.equal(found[0], frames[first - 1 : last]) and torch.equal(found[1], labels[first - 1 : last])
        require(same, "frames and labels read back bit for bit", f"frames {first} to {last} differ")
        require(found[0].dtype == torch.float32, "frames read back as float32")
        same = np.array_equal(journal.labels(first, last), labels[first - 1 : last].numpy())
        require(same, "labels read back by themselves", f"those of frames {first} to {last} differ")
    journal.close()


def check_recall(make: MakeJournal) -> None:
    """Frames are recalled in the order asked for, repetitions included."""
    journal = make(INPUTS)
    parts = [_frames(300), _frames(300, 1, np.uint8)]
    for x, y in parts:
        journal.append(x, y)
    all_frames = torch.cat([to_tensor(x) for x, _ in parts])
    ids = keyed(0, "recall").permutation(np.concatenate([np.arange(1, 601), [1, 300, 301, 600, 600]]))
    found = journal.recall(ids)
    require(torch.equal(found, all_frames[torch.from_numpy(ids - 1)]), "frames are recalled in the order asked for")
    nothing = journal.recall(np.array([], np.int64))
    require(nothing.shape == (0, INPUTS), "no frames are no error", f"found {nothing.shape}")
    journal.close()


def check_missing(make: MakeJournal) -> None:
    """A frame that was never accepted is an error, not zeros."""
    journal = make(INPUTS)
    journal.append(*_frames(10))
    law = "a frame that is not there is a JournalError"
    for ids in ([11], [0], [3, 11, 4]):
        require(_refuses(JournalError, lambda ids=ids: journal.recall(np.array(ids))), law, f"recalled {ids}")  # type: ignore[misc]
    require(_refuses(JournalError, lambda: journal.read(8, 11)), law, "read 8 to 11")
    journal.close()


def check_copies(make: MakeJournal) -> None:
    """What was accepted does not change when the caller's array or an answer is written to."""
    journal = make(INPUTS)
    x, y = _frames(4)
    journal.append(x, y)
    kept = x.copy(), y.copy()
    x[:], y[:] = 0, 0
    frames, labels = journal.read(1, 4)
    require(_same((frames, labels), *kept), "the journal keeps a copy of what it accepts")
    frames.zero_()
    journal.recall(np.array([1, 2])).zero_()
    require(_same(journal.read(1, 4), *kept), "the journal hands out copies")
    journal.close()


def check_backlog(make: MakeJournal) -> None:
    """A request that would make too many frames wait is refused as a whole; learning makes room again."""
    journal = make(INPUTS)
    journal.append(*_frames(8), limit=10)
    before = journal.last_frame
    refused = _refuses(BacklogError, lambda: journal.append(*_frames(3), limit=10, key="big", digest="d"))
    require(refused, "more frames than may wait are refused")
    require(journal.last_frame == before, "all or none: nothing of a refused request is kept")
    journal.append(*_frames(2), limit=10)
    journal.record(Wake(1, 6, labelled=int((journal.labels(1, 6) >= 0).sum())))
    accepted = journal.append(*_frames(6), limit=10, key="big", digest="d")
    require(accepted == FrameRange(11, 16), "learning makes room; a refused request's key is free", f"found {accepted}")
    require(_refuses(BacklogError, lambda: journal.append(*_frames(1), limit=10)), "more frames than may wait are refused")
    journal.close()


def check_idempotency(make: MakeJournal) -> None:
    """A key gives its first answer again and keeps nothing twice; for another request it is refused."""
    journal = make(INPUTS)
    first = journal.append(*_frames(4), key="a", digest="one")
    journal.append(*_frames(2), key="b", digest="two")
    again = journal.append(*_frames(4), key="a", digest="one", limit=1)
    expected = FrameRange(first.first, first.last, repeated=True)
    require(not first.repeated and again == expected, "a repeated request gets its first answer", f"found {again}")
    require(journal.last_frame == 6, "a repeated request is not kept twice")
    reused = _refuses(KeyReuseError, lambda: journal.append(*_frames(4), key="a", digest="other"), "key 'a'")
    require(reused and journal.last_frame == 6, "a key serves one request only")
    journal.close()


def check_key_of_a_refused_request(make: MakeJournal) -> None:
    """A request that was refused does not use its key up."""
    journal = make(INPUTS)
    require(_refuses(BacklogError, lambda: journal.append(*_frames(5), limit=4, key="a", digest="one")), "the limit holds")
    accepted = journal.append(*_frames(3), limit=4, key="a", digest="other")
    require(accepted == FrameRange(1, 3), "a refused request's key is free", f"found {accepted}")
    journal.close()


def _unlabelled(make: MakeJournal) -> tuple[Journal, Tensor]:
    """A journal of 20 frames of which the last 10 have no label, and its frames."""
    journal = make(INPUTS)
    x, _ = _frames(20)
    journal.append(x[:10], np.arange(10) % 3)
    journal.append(x[10:], np.full(10, -1))
    return journal, to_tensor(x)


def _label(journal: Journal, ids: list[int], labels: list[int], *, lifetime: int = 100, **request: Any) -> FrameRange:
    return journal.label(np.array(ids), np.array(labels), lifetime=lifetime, **request)


def check_late_label(make: MakeJournal) -> None:
    """A late label accepts the frame again, bit for bit, with the label; each frame knows of the other."""
    journal, x = _unlabelled(make)
    accepted = _label(journal, [13, 11], [2, 0])
    require(accepted == FrameRange(21, 22), "a late label makes a new frame", f"found {accepted}")
    frames, labels = journal.read(21, 22)
    require(torch.equal(frames, x[[12, 10]]), "the frame that is taught late is the one that was fed, bit for bit")
    require(labels.tolist() == [2, 0], "the frame that is taught late has its label")
    require(journal.read(11, 13)[1].tolist() == [-1, -1, -1], "what was accepted stays as it was")
    links = [(each.taught_as, each.repeats) for each in map(journal.frame, (10, 11, 12, 13, 21, 22))]
    expected = [(None, None), (22, None), (None, None), (21, None), (None, 13), (None, 11)]
    require(links == expected, "a frame knows which one repeats it", f"found {links}")
    journal.close()


def check_refused_late_labels(make: MakeJournal) -> None:
    """A frame takes one label, in time; a request with one that it cannot take keeps nothing."""
    journal, _ = _unlabelled(make)
    _label(journal, [12], [1])
    refusals: list[tuple[type[Exception], list[int], list[int], str]] = [
        (UnknownFrameError, [11, 22], [0, 0], "labels[1]: frame 22 "),
        (UnknownFrameError, [11, 0], [0, 0], "labels[1]: frame 0 "),
        (LabelledError, [11, 3], [0, 2], "labels[1]: frame 3 came with label 2"),
        (LabelledError, [11, 12], [0, 1], "labels[1]: frame 12 has got its label already, as frame 21"),
        (LabelledError, [11, 21], [0, 1], "labels[1]: frame 21 came with label 1"),
        (LabelledError, [11, 11], [0, 0], "labels[1]: frame 11 is named twice"),
        (ContradictionError, [11, 13, 11], [0, 0, 1], "labels[2]: frame 11 gets label 1, and label 0 before"),
        (ValueError, [11, 13], [0], ""),
    ]
    for error, ids, labels, saying in refusals:
        refused = _refuses(error, lambda ids=ids, labels=labels: _label(journal, ids, labels), saying)  # type: ignore[misc]
        require(refused, f"{error.__name__} for a label that cannot be taken", f"{ids} got {labels}")
    late = _refuses(ExpiredFrameError, lambda: _label(journal, [15, 14], [0, 0], lifetime=7))
    require(late, "a label that comes too late is refused")
    require(_refuses(BacklogError, lambda: _label(journal, [11], [0], limit=21)), "late labels wait like other frames")
    require(journal.last_frame == 21, "all or none: nothing of a refused request is kept", f"found {journal.last_frame}")
    require(journal.frame(11).taught_as is None, "a frame whose label was refused is still without")
    require(_label(journal, [15], [0], lifetime=7) == FrameRange(22, 22), "a label that comes in time is taken")
    journal.close()


def check_late_label_idempotency(make: MakeJournal) -> None:
    """A late label with a key seen before gets its first answer, even where it would be refused by now."""
    journal, _ = _unlabelled(make)
    first = _label(journal, [11], [1], key="a", digest="one")
    again = _label(journal, [11], [1], key="a", digest="one", lifetime=1)
    expected = FrameRange(first.first, first.last, repeated=True)
    require(again == expected and journal.last_frame == 21, "a repeated late label gets its first answer", f"found {again}")
    reused = _refuses(KeyReuseError, lambda: _label(journal, [12], [1], key="a", digest="other"))
    require(reused, "a key serves one request only")
    refused = _refuses(LabelledError, lambda: _label(journal, [11], [1], key="b", digest="one"))
    require(refused, "with another key it is another request")
    require(_label(journal, [12], [1], key="b", digest="two") == FrameRange(22, 22), "a refused request's key is free")
    journal.close()


def check_frame_that_never_was(make: MakeJournal) -> None:
    """Of a frame that was never accepted nothing is known."""
    journal, _ = _unlabelled(make)
    for number in (0, -1, 21):
        refused = _refuses(UnknownFrameError, lambda number=number: journal.frame(number))  # type: ignore[misc]
        require(refused, "UnknownFrameError for a frame that never was", f"frame {number}")
    found = [(each.number, each.label) for each in map(journal.frame, (1, 20))]
    require(found == [(1, 0), (20, -1)], "a frame's number and label are known", f"found {found}")
    journal.close()


def _predictions(seq: int, first: int, n: int) -> Predictions:
    rng = keyed(seq, "predictions")
    return Predictions(seq, first, rng.integers(4, size=n), rng.random(n, dtype=np.float32))


def check_predictions(make: MakeJournal) -> None:
    """What was predicted of a frame reads back bit for bit; to be told again changes nothing; before that there is none."""
    journal = make(INPUTS)
    journal.append(*_frames(9))
    told = [_predictions(1, 1, 4), _predictions(3, 5, 3)]
    journal.keep(told)
    journal.keep(told[1:])
    found = [journal.frame(number).prediction for number in range(1, 10)]
    expected = [*map(told[0].of, range(1, 5)), *map(told[1].of, range(5, 8)), None, None]
    require(found == expected, "a prediction reads back as it was made", f"found {found}")
    journal.close()


def check_last_up_to(make: MakeJournal) -> None:
    """The latest event of a kind is known also as of an earlier event."""
    journal = make(INPUTS)
    journal.append(*_frames(10))
    for event in (Wake(1, 4, 3), Barrier("now"), Wake(5, 6, 0), Wake(7, 10, 0)):
        journal.record(event)
    found = [(last := journal.last("wake", upto=seq)) and last.seq for seq in range(6)]
    require(found == [None, 1, 1, 3, 4, 4], "the latest event of a kind is known as of an earlier one", f"found {found}")
    journal.close()


def _learn(journal: Journal, frames: int) -> None:
    """Frames with predictions, half of them without a label, each in an event of its own."""
    for _ in range(frames):
        x, _ = _frames(1, journal.last_frame)
        number = journal.append(x, np.array([-1 if journal.last_frame % 2 else 2])).last
        recorded = journal.record(Wake(number, number, labelled=number % 2))
        journal.keep([_predictions(recorded.seq, number, 1)])


def _gone(journal: Journal, number: int) -> bool:
    recalled = not _refuses(JournalError, lambda: journal.recall(np.array([number])), f"frame {number} ")
    return not recalled and _refuses(ExpiredFrameError, lambda: journal.frame(number), f"frame {number} ")


def check_prune(make: MakeJournal) -> None:
    """What is pruned is gone, and known to have been there; all else stays as it was, under its number."""
    journal = make(INPUTS)
    early = [journal.record(event) for event in (Restore(0, 1, 0), Sleep(1, 10, "early"), Restore(1, 1, 0))]
    _learn(journal, 600)
    _label(journal, [580], [1], lifetime=1000)
    kept, events = journal.read(541, 601), journal.events(500)
    told = [journal.frame(number) for number in range(541, 602)]
    steps = 1
    while not journal.prune(events=500, frames=540, most=300):
        steps += 1
    require(steps > 1, "no more is forgotten at once than may be")
    require(_same(journal.read(541, 601), kept[0].numpy(), kept[1].numpy()), "frames that may not go stay as they were")
    require([journal.frame(number) for number in range(541, 602)] == told, "what is known of them stays as it was")
    require(_gone(journal, 1) and _gone(journal, 280), "a frame that is gone is gone, and known to have been there")
    labelled = not _refuses(ExpiredFrameError, lambda: _label(journal, [1], [0], lifetime=1000))
    require(not labelled, "a frame that is gone takes no label")
    require(journal.events(0, limit=3) == early, "the latest event of a kind stays, and every restore")
    require(journal.events(3) == events, "events that may not go stay as they were")
    require((journal.last_frame, journal.last_seq, journal.sequenced) == (601, 603, 600), "numbers go on where they were")
    require(journal.append(*_frames(2)) == FrameRange(602, 603), "numbers go on where they were")
    journal.close()


def check_prune_nothing(make: MakeJournal) -> None:
    """A bound behind the first frame and the first event takes nothing."""
    journal = make(INPUTS)
    _learn(journal, 5)
    require(journal.prune(events=0, frames=-20, most=10), "nothing is left to be forgotten")
    require(len(journal.events(0)) == 5 and len(journal.read(1, 5)[0]) == 5, "what may not go stays")
    journal.close()


def check_keys_outlive_frames(make: MakeJournal) -> None:
    """A repeated request is known also after its frames are gone."""
    journal = make(INPUTS)
    first = journal.append(*_frames(300), key="a", digest="one")
    journal.record(Wake(1, 300, labelled=int((journal.labels(1, 300) >= 0).sum())))
    _learn(journal, 10)
    journal.prune(events=1, frames=300, most=1000)
    require(_gone(journal, 1), "the frames are gone")
    again = journal.append(*_frames(300), key="a", digest="one")
    require(again == FrameRange(first.first, first.last, repeated=True), "a key outlives its frames", f"found {again}")
    journal.close()


JOURNAL_CHECKS: tuple[Callable[[MakeJournal], None], ...] = (
    check_dense_frames,
    check_dense_events,
    check_exact_frames,
    check_no_event_of_a_kind,
    check_bits,
    check_recall,
    check_missing,
    check_copies,
    check_backlog,
    check_idempotency,
    check_key_of_a_refused_request,
    check_late_label,
    check_refused_late_labels,
    check_late_label_idempotency,
    check_frame_that_never_was,
    check_predictions,
    check_last_up_to,
    check_prune,
    check_prune_nothing,
    check_keys_outlive_frames,
)
