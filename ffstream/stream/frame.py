"""What is known of a frame besides what is in it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ffstream.frames import LabelArray
from ffstream.outcome import Learned


@dataclass(frozen=True)
class Prediction:
    """The label that event ``seq`` thought most probable before it learned the frame, and how probable."""

    seq: int
    label: int
    probability: float


@dataclass(frozen=True)
class Frame:
    """What a journal knows of a frame.

    ``label`` is the one that it came with, or :data:`~ffstream.labels.UNLABELLED`. When its label came late, ``taught_as`` is
    the number of the frame that repeats it, and that frame's ``repeats`` is the number of this one. ``prediction`` is None
    until the frame has been learned.
    """

    number: int
    label: int
    taught_as: int | None = None
    repeats: int | None = None
    prediction: Prediction | None = None


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of the frames from number ``first`` on, made by event ``seq``: labels [n] and their probabilities [n]."""

    seq: int
    first: int
    labels: LabelArray
    probabilities: NDArray[np.float32]

    @classmethod
    def made(cls, learned: Learned) -> Self:
        """Those that came back with a micro-batch."""
        probabilities, labels = learned.logits.softmax(dim=1).max(dim=1)
        return cls(learned.seq, int(learned.ids[0]), labels.numpy(), probabilities.numpy())

    def of(self, number: int) -> Prediction | None:
        """That of one frame, if it is among them."""
        row = number - self.first
        if not 0 <= row < len(self.labels):
            return None
        return Prediction(self.seq, int(self.labels[row]), float(self.probabilities[row]))
