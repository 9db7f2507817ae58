"""Video from a file or a camera: decoded by PyAV, resized, sampled in time, cut into clips."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffstream.errors import DatasetError
from ffstream.labels import UNLABELLED

CAMERA = "/dev/video"
"""Of a camera's number, on Linux."""


@dataclass(frozen=True)
class Picture:
    """Grey ``pixels`` [height * width] of uint8, ``at`` seconds from the start."""

    at: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """Pictures one after another ``frame`` [clip * height * width] of uint8, the last ``at`` seconds from the start."""

    at: float
    frame: NDArray[np.uint8]


def side_of_picture(pixels: int, width: int | None) -> tuple[int, int]:
    """Width and height of a picture of so many pixels; a square if no width is given.

    Raises:
        ValueError: when there is no such rectangle.
    """
    wide = math.isqrt(pixels) if width is None else width
    high = wide if width is None else pixels // wide
    if wide * high != pixels:
        raise ValueError(f"width: got {width or 'none'}, expected a divisor of the network's {pixels} pixels")
    return wide, high


def pictures(source: str, width: int, height: int, rate: float | None = None) -> Iterator[Picture]:
    """Decode a video, picture after picture.

    Args:
        source: a file, or the number of a camera.
        width: of the pictures that come out, which are squeezed to it.
        height: of the same.
        rate: pictures a second, those nearest after their time; None for all there are.

    Raises:
        DatasetError: when it cannot be opened or decoded.
    """
    av = _pyav()
    due = 0.0
    try:
        camera = {"file": f"{CAMERA}{source}", "format": "v4l2"}
        given = camera if source.isdecimal() else {"file": source, "metadata_errors": "replace"}
        with av.open(**given) as container:
            for number, frame in enumerate(container.decode(video=0)):
                at = float(number if frame.time is None else frame.time)
                if rate is not None and at < due:
                    continue
                due = due if rate is None else max(due + 1 / rate, at)
                grey = frame.reformat(width=width, height=height, format="gray").to_ndarray()
                yield Picture(at, np.ascontiguousarray(grey).reshape(-1))
    except (av.FFmpegError, IndexError) as error:
        raise DatasetError(f"video {source}: cannot be decoded ({error})") from error


def in_time(seen: Iterable[Picture], clock: Callable[[], float] = time.monotonic) -> Iterator[Picture]:
    """Hold every picture back until its time has come, as a camera would."""
    began = clock()
    for picture in seen:
        time.sleep(max(0.0, picture.at - (clock() - began)))
        yield picture


def clips(seen: Iterable[Picture], length: int) -> Iterator[Clip]:
    """Cut pictures into clips of ``length``, end to end; what is left over at the end is none."""
    waiting: list[Picture] = []
    for picture in seen:
        waiting.append(picture)
        if len(waiting) == length:
            yield Clip(picture.at, np.concatenate([each.pixels for each in waiting]))
            waiting.clear()


class Labels:
    """What is to be seen when: a label holds from its second on, until the next.

    Args:
        changes: seconds and labels; before the first none is known.
    """

    def __init__(self, changes: Iterable[tuple[float, int]]) -> None:
        self.changes = sorted(changes)

    @classmethod
    def read(cls, path: Path) -> "Labels":
        """Lines ``SECONDS,LABEL``.

        Raises:
            ValueError: naming the line that is none.
        """
        changes = []
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            try:
                at, label = line.split(",")
                changes.append((float(at), int(label)))
            except ValueError as error:
                raise ValueError(f"{path} line {number}: got {line!r}, expected SECONDS,LABEL") from error
        return cls(changes)

    def at(self, seconds: float) -> int:
        """The label at a time."""
        return next((label for since, label in reversed(self.changes) if since <= seconds), UNLABELLED)


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise DatasetError("video is decoded by PyAV: pip install 'ffstream[video]'") from error
    return av
