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

    def open(self) -> bool:
        self.threads.add(threading.get_ident())
        opened = not self.runs
        self.runs = True
        if opened:
            self.done.append("open")
        return opened

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


def shares(pretended: Pretended, count: int) -> list[Share]:
    return [Share(lambda: pretended) for _ in range(count)]


def test_the_first_opens_it_and_the_last_closes_it(pretended: Pretended) -> None:
    first, second = shares(pretended, 2)
    assert first.open()
    assert second.open()
    first.close()
    second.check()
    assert pretended.done == ["open"]
    second.close()
    assert pretended.done == ["open", "close"]


def test_who_comes_later_begins_anew(pretended: Pretended) -> None:
    first, later = shares(pretended, 2)
    first.open()
    first.close()
    assert later.open()
    later.close()
    assert pretended.done == ["open", "close"] * 2


def test_a_share_that_was_never_opened_closes_nothing(pretended: Pretended) -> None:
    first, never = shares(pretended, 2)
    first.open()
    never.close()
    assert pretended.done == ["open"]


def test_who_comes_back_to_a_ray_that_is_well_has_the_same(pretended: Pretended) -> None:
    first, second = shares(pretended, 2)
    first.open()
    second.open()
    assert not first.open()
    assert pretended.done == ["open"]


def test_another_is_made_when_all_have_come(pretended: Pretended) -> None:
    """The first one waits; nobody is in a call to the Ray that is replaced."""
    first, second = shares(pretended, 2)
    first.open()
    second.open()
    pretended.runs = False
    with pytest.raises(ChainError):
        first.check()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(first.open)
        assert not waiting.done()
        assert pretended.done == ["open"]
        assert second.open()
        assert waiting.result(10)
    assert pretended.done == ["open", "open"]
    assert len(pretended.threads) == 1


def test_nobody_waits_for_those_that_have_given_up(pretended: Pretended, monkeypatch: pytest.MonkeyPatch) -> None:
    first, given_up = shares(pretended, 2)
    first.open()
    given_up.open()
    pretended.runs = False
    monkeypatch.setattr(shared, "COME_WITHIN", 0.1)
    assert first.open()
    assert given_up.renewed()


def test_a_ray_that_does_not_start_is_tried_again(pretended: Pretended, monkeypatch: pytest.MonkeyPatch) -> None:
    (share,) = shares(pretended, 1)

    def fails() -> bool:
        raise ChainError("no")

    with monkeypatch.context() as broken:
        broken.setattr(pretended, "open", fails)
        with pytest.raises(ChainError, match="no"):
            share.open()
    assert share.open()
