"""Late labels: a frame that came without its label is taught when the label comes.

The stored frame is accepted once more, as a new frame with the label: it gets a number, waits, is predicted, learned,
remembered and dreamt like any other. The journal only notes which frame it repeats, so that each is taught once.
"""

import numpy as np
from numpy.typing import NDArray

from ffstream.errors import ContradictionError, ExpiredFrameError, FrameError, LabelledError
from ffstream.frames import LabelArray
from ffstream.labels import UNLABELLED
from ffstream.stream.journal import Journal


def check_late(journal: Journal, ids: NDArray[np.int64], labels: LabelArray, lifetime: int) -> None:
    """Refuse late labels when one of them cannot be taken.

    Args:
        journal: which holds the frames.
        ids: numbers of frames [n].
        labels: theirs [n].
        lifetime: a frame takes a label until so many frames were accepted after it.

    Raises:
        ContradictionError: for two labels of one frame.
        LabelledError: for a frame that has its label, or is named twice.
        UnknownFrameError: for a number that was never given.
        ExpiredFrameError: for a frame that is too old.
    """
    given = list(zip(ids.tolist(), labels.tolist(), strict=True))
    _check_once(given)
    for index, (number, _) in enumerate(given):
        try:
            _check_open(journal, number, lifetime)
        except FrameError as error:
            raise type(error)(f"labels[{index}]: {error}") from error


def _check_once(given: list[tuple[int, int]]) -> None:
    first: dict[int, int] = {}
    twice: list[str] = []
    for index, (number, label) in enumerate(given):
        if number in first:
            twice.append(f"labels[{index}]: frame {number} is named twice")
        if first.setdefault(number, label) != label:
            raise ContradictionError(f"labels[{index}]: frame {number} gets label {label}, and label {first[number]} before")
    if twice:
        raise LabelledError(twice[0])


def _check_open(journal: Journal, number: int, lifetime: int) -> None:
    frame = journal.frame(number)
    if frame.label != UNLABELLED:
        raise LabelledError(f"frame {number} came with label {frame.label}")
    if frame.taught_as is not None:
        raise LabelledError(f"frame {number} has got its label already, as frame {frame.taught_as}")
    if journal.last_frame - number >= lifetime:
        raise ExpiredFrameError(f"frame {number} is too old: labels are taken for the last {lifetime} frames")
