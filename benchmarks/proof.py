"""Frames that carry their number, and the proof that a service has learned each once, as an undisturbed network does."""

import hashlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.checks.chain import learn
from ffstream.datasets import load
from ffstream.network import Network
from ffstream.stream.events import Wake

DATA = load("digits")
NETWORK = NetworkConfig(inputs=DATA.inputs, classes=DATA.classes, units=(300, 200, 100), batch=25)
EVERY = 500
"""What is learned, by which network, and after how many labelled frames it sleeps."""

FLAGS = ("--units", ",".join(map(str, NETWORK.units)), "--batch", str(NETWORK.batch), "--every", str(EVERY))
KEEP_ALL = ("--label-lifetime", "1000000", "--snapshots-kept", "1000")
"""Of ``ffstream serve``: that network, and a journal that forgets nothing."""

MARK = 2**20
"""A frame's number, divided by this, stands in its first pixel, which is black in every digit."""


class BrokenPromiseError(Exception):
    """The service did not keep its promise."""


def require(holds: bool, broken: str) -> None:
    """Make sure that a promise is kept.

    Raises:
        BrokenPromiseError: when it is not.
    """
    if not holds:
        raise BrokenPromiseError(broken)


def marked(first: int, frames: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Digits that carry the numbers from ``first`` on, with labels; every seventh has none."""
    numbers = np.arange(first, first + frames)
    chosen = numbers % len(DATA.x)
    x = DATA.x[chosen].astype(np.float32) / 255
    x[:, 0] = numbers / MARK
    return x, np.where(numbers % 7 == 0, -1, DATA.y[chosen])


class Remains:
    """What a service has left in its folder, learned to the end in this process.

    Args:
        folder: of the service, which has stopped.
    """

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)  # as in the service: bits depend on it
        self.stream = Stream.in_process(NETWORK, Schedule(every=None, idle=None), folder=folder)
        self.journal = self.stream.journal

    def __enter__(self) -> Self:
        self.stream.settle()
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def numbers(self) -> list[float]:
        """The numbers that the frames carry, in the order of the journal."""
        frames, _ = self.journal.read(1, self.journal.last_frame)
        return [float(number) for number in frames[:, 0] * MARK]

    def prove(self, saved: Mapping[int, dict[str, str]]) -> None:
        """Every frame was learned once, and all snapshots and the weights are those of a network that learned the same events.

        Args:
            saved: digests of the files of snapshots, by event.

        Raises:
            BrokenPromiseError: when that is not so.
        """
        journal = self.journal
        network, named = Network(NETWORK, journal.recall), 0
        for recorded in journal.events(0, limit=journal.last_seq):
            learn(network, journal, recorded)
            if isinstance(recorded.event, Wake):
                require(recorded.event.first == named + 1, "a frame is not learned exactly once")
                named = recorded.event.last
            if recorded.seq in saved:
                same = _files(network) == saved[recorded.seq]
                require(same, f"snapshot {recorded.seq} is not that of an undisturbed run")
        require(named == journal.last_frame == self.stream.progress.frames, "a frame is not learned exactly once")
        require(self.digests() == network.digests(), "the weights are not those of an undisturbed run")

    def digests(self) -> dict[str, str]:
        """Of the weights and of everything else that learning depends on."""
        return self.stream.chain.digests()

    def fed_slowly(self) -> dict[str, str]:
        """Digests of a new stream to which the same frames were fed, a micro-batch at a time, each learned before the next."""
        with closing(Stream.in_process(NETWORK, Schedule(every=EVERY, idle=None))) as slow:
            for first in range(1, self.journal.last_frame + 1, NETWORK.batch):
                last = min(first + NETWORK.batch - 1, self.journal.last_frame)
                slow.feed(*self.journal.read(first, last))
            return slow.chain.digests()


def _files(network: Network) -> dict[str, str]:
    return {name: hashlib.sha256(save(state)).hexdigest() for name, state in network.states().items()}
