"""Numbers of a whole request turned into arrays in one go, when nothing is wrong with them.

Each function gives None as soon as anything is not as it should be. Then the request has to be read again piece by piece, which
takes three times as long but finds the place.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ffstream.labels import UNLABELLED

LARGEST = float(np.finfo(np.float32).max)

NOT_NUMBERS = (struct.error, TypeError, OverflowError)
"""What packing says of anything but the right number of numbers."""


def has_booleans(raw: bytes) -> bool:
    """Whether there may be any: packing would take them for numbers."""
    return b"true" in raw or b"false" in raw


def lines(raw: bytes, known: set[str], inputs: int) -> tuple[NDArray[np.float32], list[Any] | None] | None:
    """Frames [n, inputs], and what is given for their labels if it is for any, from an object a line; without booleans.

    A line's numbers are packed before the next line is read: nearly all the time would go into memory for them otherwise.
    """
    pack = _packer(inputs)
    packed, given, labelled = [], [], False
    try:
        for line in raw.split(b"\n"):
            if line and not line.isspace():
                each = orjson.loads(line)
                if not each.keys() <= known:
                    return None
                packed.append(pack(*each["frame"]))
                given.append(each.get("label"))
                labelled = labelled or "label" in each
    except (*NOT_NUMBERS, orjson.JSONDecodeError, AttributeError, KeyError):
        return None
    found = _unpacked(packed, inputs)
    return None if found is None else (found, given if labelled else None)


def frames(rows: Sequence[Any], inputs: int) -> NDArray[np.float32] | None:
    """Frames [n, inputs]; there must be no booleans in them."""
    pack = _packer(inputs)
    try:
        return _unpacked([pack(*row) for row in rows], inputs)
    except NOT_NUMBERS:
        return None


def _packer(inputs: int) -> Callable[..., bytes]:
    return struct.Struct(f"{inputs}d").pack


def _unpacked(packed: list[bytes], inputs: int) -> NDArray[np.float32] | None:
    numbers = np.frombuffer(b"".join(packed), np.float64).reshape(len(packed), inputs)
    return numbers.astype(np.float32) if (np.abs(numbers) <= LARGEST).all() else None


def labels(values: Sequence[Any], classes: int) -> NDArray[np.int64] | None:
    """Labels [n], -1 where not known."""
    given = [UNLABELLED if value is None else value for value in values]
    if not set(map(type, given)) <= {int}:
        return None
    try:
        found = np.array(given, np.int64)
    except OverflowError:
        return None
    return found if ((found >= UNLABELLED) & (found < classes)).all() else None
