"""One Ray for all streams of a program."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ffstream.actors import shared
from ffstream.actors.shared import Share, SharedRay
from ffstream.errors import ChainError


class Pretended:
    """A Ray that fails when it is told to, and notes what is done to it and by which thread."""

    def __init__(self) -> None:
        self.runs = False
        self.done: list[str] = []
        self.threads: set[int] = set()

    def open(self) -> None:
        self.threads.add(threading.get_ident())
        self.runs = True
        self.done.append("open")

    def lost(self) -> bool:
        return not self.runs

    def check(self) -> None:
        if not self.runs:
            raise ChainError("lost")

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.runs = False
        self.done.append("close")


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    monkeypatch.setattr(shared, "OF_THE_PROGRAM", SharedRay())
    return Pretended()


class Stream:
    """What has a share, and counts how often it was told to forget."""

    def __init__(self, pretended: Pretended) -> None:
        self.forgot = 0
        self.share = Share(lambda: pretended, self.forget)

    def forget(self) -> None:
        self.forgot += 1


@pytest.fixture
def streams(pretended: Pretended) -> tuple[Stream, Stream]:
    return Stream(pretended), Stream(pretended)


def test_the_first_opens_it_and_the_last_closes_it(pretended: Pretended, streams: tuple[Stream, Stream]) -> None:
    first, second = (each.share for each in streams)
    first.open()
    second.open()
    first.close()
    second.check()
    assert pretended.done == ["open"]
    second.close()
    assert pretended.done == ["open", "close"]


def test_who_comes_later_begins_anew(pretended: Pretended, streams: tuple[Stream, Stream]) -> None:
    for each in streams:
        each.share.open()
        each.share.close()
    assert pretended.done == ["open", "close"] * 2


def test_a_share_that_was_never_opened_closes_nothing(pretended: Pretended, streams: tuple[Stream, Stream]) -> None:
    first, never = streams
    first.share.open()
    never.share.close()
    assert pretended.done == ["open"]


def test_who_comes_back_to_a_ray_that_is_well_forgets_nothing(pretended: Pretended, streams: tuple[Stream, Stream]) -> None:
    first, second = streams
    first.share.open()
    second.share.open()
    before = first.forgot
    first.share.open()
    assert pretended.done == ["open"]
    assert (first.forgot, second.forgot) == (before, 0)


def test_another_is_made_when_all_have_come(pretended: Pretended, streams: tuple[Stream, Stream]) -> None:
    """The first one waits; nobody is in a call to the Ray that is replaced, and nobody knows of it any more."""
    first, second = streams
    first.share.open()
    second.share.open()
    before = first.forgot
    pretended.runs = False
    with pytest.raises(ChainError):
        first.share.check()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(first.share.open)
        assert not waiting.done()
        assert pretended.done == ["open"]
        second.share.open()
        waiting.result(10)
    assert pretended.done == ["open", "open"]
    assert (first.forgot - before, second.forgot) == (1, 1)
    assert len(pretended.threads) == 1


def test_nobody_waits_for_those_that_have_given_up(
    pretended: Pretended, streams: tuple[Stream, Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, given_up = streams
    first.share.open()
    given_up.share.open()
    pretended.runs = False
    monkeypatch.setattr(shared, "COME_WITHIN", 0.1)
    first.share.open()
    assert pretended.done == ["open", "open"]
    assert given_up.forgot == 1


def test_a_ray_that_does_not_start_is_tried_again(
    pretended: Pretended, streams: tuple[Stream, Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise ChainError("no")

    with monkeypatch.context() as broken:
        broken.setattr(pretended, "open", fails)
        with pytest.raises(ChainError, match="no"):
            streams[0].share.open()
    streams[0].share.open()
    assert pretended.done == ["open"]
