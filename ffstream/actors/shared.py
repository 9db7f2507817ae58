"""The Ray of a program, which all its streams share: a process has room for one.

The first stream starts or joins it, the last one to close stops or leaves it. When it has failed, every stream finds out by
itself and comes back for another. That is made when all have come: to stop Ray under a thread that is in a call to it can end
the program. It is made in a thread of its own: what Ray starts dies with the thread that started it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

COME_WITHIN = 30.0
"""Seconds in which the other streams must have noticed that Ray has failed; it is not waited for those that have given up."""


class Runs(Protocol):
    """A Ray that can be started or joined, as :class:`~ffstream.actors.local.LocalRay`."""

    def open(self) -> None:
        """Start or join it; what is left of one before goes first."""

    def lost(self) -> bool:
        """Whether it does not run, or not well."""

    def check(self) -> None:
        """Raise a :class:`~ffstream.errors.ChainError` when it has failed."""

    def close(self) -> None:
        """Stop or leave it, if it was started or joined here."""


class SharedRay:
    """Who has a share in the Ray of this program, and who is using it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shares: set[Share] = set()
        self._using: set[Share] = set()
        self._runs: Runs
        self._thread: ThreadPoolExecutor

    def use(self, share: "Share") -> None:
        """Have it run, once nobody uses one that has failed; the first to have a share says what Ray it is.

        Before it is opened all forget what they know of another: a new Ray gives out the same numbers again, and who lets go of
        an actor of the old one would let go of another's of the new.
        """
        with self._changed:
            if not self._shares:
                self._runs, self._thread = share.make(), ThreadPoolExecutor(1, "ray")
            self._shares.add(share)
            self._stop_using(share)
            self._changed.wait_for(lambda: not (self._using and self._runs.lost()), COME_WITHIN)
            if self._runs.lost():
                for each in self._shares:
                    each.forget()
                self._thread.submit(self._runs.open).result()
            self._using.add(share)
            self._changed.notify_all()

    def _stop_using(self, share: "Share") -> None:
        self._using.discard(share)
        self._changed.notify_all()

    def check(self) -> None:
        """See :class:`Runs`."""
        self._runs.check()

    def give_up(self, share: "Share") -> None:
        """One less has a share; the last one closes it."""
        with self._changed:
            self._stop_using(share)
            if self._shares == {share}:
                self._thread.submit(self._runs.close).result()
                self._thread.shutdown()
            self._shares.discard(share)


OF_THE_PROGRAM = SharedRay()


class Share:
    """What one stream has of the program's Ray, from its first opening until it is closed.

    Args:
        make: gives the Ray that it is to be, when this is the first share.
        forget: called before another Ray is opened: all that this stream knows of the one before is gone.
    """

    def __init__(self, make: Callable[[], Runs], forget: Callable[[], None]) -> None:
        self.make, self.forget = make, forget

    def open(self) -> None:
        """Have Ray run.

        Raises:
            ChainError: when it does not start, or there is nothing to join.
        """
        OF_THE_PROGRAM.use(self)

    def check(self) -> None:
        """Make sure that Ray is well.

        Raises:
            ChainError: when it is not.
        """
        OF_THE_PROGRAM.check()

    def close(self) -> None:
        """Need Ray no more."""
        OF_THE_PROGRAM.give_up(self)
