"""Both journals against the simplest model there is: three lists."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ffstream.errors import BacklogError, KeyReuseError
from ffstream.stream.events import Barrier, Grow, Sleep, Wake
from ffstream.stream.journal import FrameRange
from ffstream.stream.memory_journal import MemoryJournal
from ffstream.stream.sqlite_journal import SqliteJournal

INPUTS = 2


class JournalModel(RuleBasedStateMachine):
    """The model keeps every frame, label and event, and the answer to every key."""

    def __init__(self):
        super().__init__()
        self.x = np.zeros((0, INPUTS), np.float32)
        self.y = np.zeros(0, np.int64)
        self.events = []
        self.answers = {}

    @property
    def sequenced(self):
        return max((event.last for event in self.events if isinstance(event, Wake)), default=0)

    @rule(
        n=st.integers(1, 600),
        byte=st.booleans(),
        labelled=st.booleans(),
        limit=st.one_of(st.none(), st.integers(0, 900)),
        key=st.one_of(st.none(), st.sampled_from("abc")),
        digest=st.sampled_from(["one", "two"]),
    )
    def append(self, n, byte, labelled, limit, key, digest):
        x = np.arange(n * INPUTS).reshape(n, INPUTS) + len(self.x)
        x = x.astype(np.uint8) if byte else x.astype(np.float32)
        y = (np.arange(n) % 4) - 1 if labelled else np.full(n, -1)
        request = {"limit": limit, "key": key, "digest": digest}
        if key in self.answers:
            known, accepted = self.answers[key]
            if known != digest:
                with pytest.raises(KeyReuseError):
                    self.journal.append(x, y, **request)
            else:
                assert self.journal.append(x, y, **request) == FrameRange(*accepted, repeated=True)
        elif limit is not None and len(self.x) - self.sequenced + n > limit:
            with pytest.raises(BacklogError):
                self.journal.append(x, y, **request)
        else:
            accepted = (len(self.x) + 1, len(self.x) + n)
            assert self.journal.append(x, y, **request) == FrameRange(*accepted)
            self.x = np.concatenate([self.x, x.astype(np.float32) / np.float32(255 if byte else 1)])
            self.y = np.concatenate([self.y, y])
            if key is not None:
                self.answers[key] = (digest, accepted)

    @precondition(lambda self: len(self.x) > self.sequenced)
    @rule(data=st.data())
    def wake(self, data):
        last = data.draw(st.integers(self.sequenced + 1, len(self.x)))
        self._record(Wake(self.sequenced + 1, last, labelled=int((self.y[self.sequenced : last] >= 0).sum())))

    @rule(event=st.sampled_from([Sleep(3, 10, "idle"), Barrier("now"), Grow(4)]))
    def other_event(self, event):
        self._record(event)

    def _record(self, event):
        self.events.append(event)
        recorded = self.journal.record(event)
        assert (recorded.seq, recorded.event) == (len(self.events), event)

    @precondition(lambda self: len(self.x))
    @rule(data=st.data())
    def read(self, data):
        first = data.draw(st.integers(1, len(self.x)))
        last = data.draw(st.integers(first, len(self.x)))
        x, y = self.journal.read(first, last)
        assert torch.equal(x, torch.from_numpy(self.x[first - 1 : last]))
        assert torch.equal(y, torch.from_numpy(self.y[first - 1 : last]))
        assert np.array_equal(self.journal.labels(first, last), self.y[first - 1 : last])

    @precondition(lambda self: len(self.x))
    @rule(data=st.data())
    def recall(self, data):
        ids = np.array(data.draw(st.lists(st.integers(1, len(self.x)), min_size=1, max_size=20)))
        assert torch.equal(self.journal.recall(ids), torch.from_numpy(self.x[ids - 1]))

    @rule(after=st.integers(0, 30), limit=st.integers(1, 10))
    def read_events(self, after, limit):
        found = self.journal.events(after, limit)
        expected = list(enumerate(self.events, start=1))[after : after + limit]
        assert [(each.seq, each.event) for each in found] == expected

    @invariant()
    def figures_agree(self):
        found = (self.journal.last_frame, self.journal.last_seq, self.journal.sequenced)
        assert found == (len(self.x), len(self.events), self.sequenced)
        for kind in ("wake", "sleep", "barrier", "grow"):
            latest = [event for event in self.events if event.kind == kind][-1:]
            last = self.journal.last(kind)
            assert [last.event] * (last is not None) == latest if last else not latest


class MemoryModel(JournalModel):
    def __init__(self):
        super().__init__()
        self.journal = MemoryJournal(INPUTS, retain=100_000)


class SqliteModel(JournalModel):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()

    @initialize()
    def open(self):
        self.journal = SqliteJournal(Path(self.folder.name) / "journal.sqlite", INPUTS)

    @rule()
    def reopen(self):
        self.journal.close()
        self.open()

    def teardown(self):
        self.journal.close()
        self.folder.cleanup()


SETTINGS = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestMemoryModel = MemoryModel.TestCase
TestMemoryModel.settings = SETTINGS
TestSqliteModel = SqliteModel.TestCase
TestSqliteModel.settings = SETTINGS
