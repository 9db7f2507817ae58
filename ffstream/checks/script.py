"""Lives of a stream as data: frames, sleeps, snapshots and failures are items of one list."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ffstream.checks.samples import Sample, blobs, sequence
from ffstream.labels import UNLABELLED
from ffstream.outcome import Learned
from ffstream.progress import Progress
from ffstream.stream.events import Drift
from ffstream.stream.stream import Stream

NEW_EVERY = 50
"""Frames after which another label is given, where the stream takes more than the network was made with."""

MakeStream = Callable[[Path], Stream]
"""Opens a stream on a folder. A stream that keeps nothing may leave the folder alone."""


@dataclass(frozen=True)
class Feed:
    """So many frames are accepted and learned, each in a step of its own when they are ``exact``."""

    frames: int
    labelled: bool = True
    exact: bool = False


@dataclass(frozen=True)
class Accept:
    """So many frames are accepted; what happens next finds them waiting."""

    frames: int


@dataclass(frozen=True)
class Rest:
    """A sleep is asked for."""


@dataclass(frozen=True)
class Save:
    """A snapshot is asked for."""


@dataclass(frozen=True)
class Forget:
    """A drift is found; everything fitted to the stream begins anew."""


@dataclass(frozen=True)
class GoBack:
    """The newest snapshot is restored."""


@dataclass(frozen=True)
class Fail:
    """The chain is lost and opened again."""


@dataclass(frozen=True)
class Reopen:
    """The whole stream is closed and another one opened on its folder."""


Item = Feed | Accept | Rest | Save | Forget | GoBack | Fail | Reopen


@dataclass(frozen=True)
class Ending:
    """What a life came to; ``learned`` holds frame numbers in the order in which they were learned, failures included."""

    digests: dict[str, str]
    progress: Progress
    learned: list[int]


def play(script: Sequence[Item], make: MakeStream, folder: Path) -> Ending:
    """Live a script through, from a new stream to one at rest, and close it."""
    stream = make(folder)
    learned: list[int] = []
    fed = 0
    for item in script:
        match item:
            case Feed() | Accept():
                part = sample(stream, fed, item.frames)
                fed += item.frames
                labels = part.y if isinstance(item, Accept) or item.labelled else None
                stream.accept(part.x, labels, learn="exact" if isinstance(item, Feed) and item.exact else "gradient")
            case Rest():
                stream.sequencer.request_sleep()
            case Save():
                stream.sequencer.request_barrier("script")
            case Forget():
                stream.sequencer.request(functools.partial(Drift, stream.progress.seq, 9, 0.1, 0.9, "forget"))
            case GoBack():
                stream.request_restore(stream.saved()[0].seq)
            case Fail():
                stream.start()
            case Reopen():
                stream.close()
                stream = make(folder)
        if not isinstance(item, Accept | Fail | Reopen):
            learned += _settled(stream)
    learned += _settled(stream)
    ending = Ending(stream.chain.digests(), stream.progress, learned)
    stream.close()
    return ending


def sample(stream: Stream, after: int, n: int) -> Sample:
    """Frames ``after + 1`` to ``after + n`` of the stream that every script feeds, with new labels for one that may grow."""
    easy_one = blobs if stream.made.symbols is None else sequence
    easy = easy_one(after + n, stream.made.inputs, stream.accepts.classes)
    known = stream.made.classes + np.arange(after + n) // NEW_EVERY
    return Sample(easy.x[after:], np.where(easy.y < known, easy.y, UNLABELLED)[after:])


def _settled(stream: Stream) -> list[int]:
    return [int(number) for outcome in stream.settle() if isinstance(outcome, Learned) for number in outcome.ids]
