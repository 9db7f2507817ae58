"""What is under way on a stream of frames, and what must be sent again, told step by step without a connection."""

import io
import json

import numpy as np
import pytest

from ffstream.client import AnswerError, RefusedError, UnreachableError
from ffstream.client.under_way import Connect, Hear, Pause, Send, Take, UnderWay
from tests.cli.answers import FED

CREDITS = 4
FULL = {"status": 429, "title": "Too Many Requests", "detail": "too many wait", "retry_after": 3}
PAUSED = FULL | {"status": 503, "detail": "feeding is paused"}


class Told:
    """Goes through the steps of a stream and answers as told; frames are told apart by their label."""

    def __init__(self, chunks, patience=60.0):
        self.under_way = UnderWay("key", patience)
        self.coming = iter(range(chunks))
        self.sent, self.acknowledged, self.pauses, self.keys, self.connected = [], [], [], {}, 0
        self.under_way.begin()

    def until(self, kind):
        """Go on until a step of this kind, which is not done; nothing is there to be heard meanwhile."""
        while not isinstance(step := self.under_way.next(), kind) or step == Hear(wait=False):
            if step is None:
                return None
            self.do(step)
        return step

    def do(self, step):
        match step:
            case Connect():
                self.connected += 1
                self.under_way.connected(json.dumps({"credits": CREDITS}))
            case Take():
                number = next(self.coming, None)
                self.under_way.took(None if number is None else (np.full((1, 2), 0.5), [number]))
            case Send(raw):
                line, _, arrays = raw.partition(b"\n")
                body = io.BytesIO(arrays)
                assert np.load(body).tolist() == [[0.5, 0.5]]
                (number,) = np.load(body).tolist()
                assert self.keys.setdefault(number, json.loads(line)) == json.loads(line)
                self.sent.append(number)
                self.under_way.sent()
            case Pause(seconds):
                self.pauses.append(seconds)

    def answer(self, *contents):
        for content in contents:
            assert self.until(Hear) == Hear(wait=True)
            number = {"first": content} if isinstance(content, int) else {}
            known = FED | number if number else content
            self.under_way.heard(json.dumps(known | {"credits": 1}))
            self.acknowledged += [each.first for each in self.under_way.acknowledged()]


def test_no_more_than_the_credits_are_under_way():
    told = Told(10)
    told.until(Hear)
    assert told.sent == [0, 1, 2, 3]
    told.answer(100)
    told.until(Hear)
    assert told.sent == [0, 1, 2, 3, 4]
    told.answer(*range(101, 110))
    assert told.until(Hear) is None
    assert told.acknowledged == list(range(100, 110))
    assert told.sent == list(range(10))
    assert len({key["key"] for key in told.keys.values()}) == 10


def test_what_is_there_is_heard_after_every_message():
    told = Told(2)
    told.until(Send)
    told.do(told.under_way.next())
    assert told.under_way.next() == Hear(wait=False)
    assert told.under_way.next() == Take()


def test_what_was_not_answered_is_sent_again_with_its_key_when_the_connection_breaks():
    told = Told(6)
    told.answer(100, 101)
    told.until(Hear)
    assert told.sent == [0, 1, 2, 3, 4, 5]
    told.under_way.broke(UnreachableError("gone"))
    told.until(Hear)
    assert told.sent == [0, 1, 2, 3, 4, 5, 2, 3, 4, 5]
    assert (told.connected, len(told.pauses)) == (2, 1)
    told.answer(102, 103, 104, 105)
    assert told.until(Hear) is None
    assert told.acknowledged == list(range(100, 106))


def test_what_is_refused_for_now_goes_before_what_is_new():
    told = Told(8)
    told.answer(100, FULL, 102, FULL | {"retry_after": 5})
    assert told.acknowledged == [100], "in the order of the frames"
    assert told.sent == [0, 1, 2, 3, 4], "nothing is taken while something has to be sent again"
    told.answer(104)
    told.until(Hear)
    assert told.pauses == [5.0]
    assert told.sent == [0, 1, 2, 3, 4, 1, 3, 5, 6]
    told.answer(FULL, 103, 105, 106)
    assert told.acknowledged == [100]
    told.answer(101, 107)
    assert told.until(Hear) is None
    assert told.pauses == [5.0, 3.0]
    assert told.acknowledged == list(range(100, 108))


def test_a_break_while_something_waits_to_be_sent_again():
    told = Told(4)
    told.answer(FULL)
    told.under_way.broke(UnreachableError("gone"))
    told.until(Hear)
    assert told.sent == [0, 1, 2, 3, 0, 1, 2, 3]
    told.answer(100, 101, 102, 103)
    assert told.until(Hear) is None
    assert told.acknowledged == [100, 101, 102, 103]


def test_a_refusal_for_good_is_raised_and_the_rest_can_go_on():
    told = Told(3)
    told.answer(100)
    with pytest.raises(RefusedError, match="got nan"):
        told.answer({"status": 422, "title": "Unprocessable", "detail": "got nan"})
    told.answer(102)
    assert told.until(Hear) is None
    assert told.acknowledged == [100, 102]


def test_a_full_service_is_waited_for_and_a_paused_one_only_with_patience():
    full, paused = Told(1, patience=0.0), Told(1, patience=0.0)
    full.answer(FULL, FULL, 100)
    assert full.acknowledged == [100]
    with pytest.raises(RefusedError, match="feeding is paused"):
        paused.answer(PAUSED)


def test_without_any_answer_patience_ends():
    told = Told(1, patience=0.0)
    told.until(Hear)
    with pytest.raises(UnreachableError, match="gone"):
        told.under_way.broke(UnreachableError("gone"))


def test_patience_counts_from_the_first_trouble_since_the_last_answer(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("ffstream.client.under_way.time.monotonic", lambda: now[0])
    told = Told(2, patience=10.0)
    told.until(Take)
    now[0] += 1000
    told.until(Hear)
    told.under_way.broke(UnreachableError("gone"))
    now[0] += 9
    told.answer(100)
    told.under_way.broke(UnreachableError("gone"))
    now[0] += 9
    told.under_way.broke(UnreachableError("gone"))
    now[0] += 1
    with pytest.raises(UnreachableError):
        told.under_way.broke(UnreachableError("gone"))


@pytest.mark.parametrize("said", ["<h1>", "[]", '{"first": 1}', '{"credits": "many"}'])
def test_something_else_is_named(said):
    told = Told(1)
    told.until(Connect)
    with pytest.raises(AnswerError, match="over the WebSocket"):
        told.under_way.connected(said)


def test_what_comes_later_goes_on_where_it_was():
    told = Told(2)
    told.answer(100, 101)
    assert told.until(Hear) is None
    told.coming = iter([2])
    told.under_way.begin()
    told.answer(102)
    assert told.acknowledged == [100, 101, 102]
    assert told.connected == 1
    assert len({key["key"] for key in told.keys.values()}) == 3
