"""Learners that a stream of frames is given to, behind one small interface.

The Forward-Forward ones are the library's own :class:`~ffstream.Stream`; nothing of it is written again here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Frames = NDArray[np.generic]
Constants = Mapping[str, Any]


class Learner(Protocol):
    """What a benchmark asks of a learner. Frames are [n, inputs] of uint8, labels [n].

    A learner may be read in several ways (from its weights of the moment or their average, by one pass or by goodness);
    every answer names the way.
    """

    def step(self, frames: Frames, labels: Labels) -> dict[str, Labels]:
        """Predict a micro-batch, then learn it; returns the predictions [n] of every way of reading."""
        ...

    def rest(self) -> None:
        """A pass is over."""
        ...

    def read(self, frames: Frames) -> dict[str, Labels]:
        """Predictions [n] of every way of reading; never learns."""
        ...


class Shape(Protocol):
    """What a learner is made to fit."""

    @property
    def units(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        ...

    @property
    def batch(self) -> int:
        """Frames in a micro-batch."""
        ...

    @property
    def seed(self) -> int:
        """Of the first weights."""
        ...

    @property
    def constants(self) -> Constants:
        """The learner's own settings."""
        ...


def make_learner(name: str, shape: Shape, inputs: int, classes: int, updates: int) -> Learner:
    """The learner called ``name``.

    Args:
        name: a key of the table below.
        shape: widths, micro-batch, seed and constants.
        inputs: numbers in a frame.
        classes: number of labels.
        updates: micro-batches in the whole stream, which a decaying rate has to know.
    """
    from benchmarks.learners import backprop, forward_forward, peers

    makers: dict[str, Callable[[Shape, int, int, int], Learner]] = {
        "ffstream": forward_forward.make,
        "adam": backprop.make_adam,
        "sgd": backprop.make_sgd,
        "muon": backprop.make_muon,
        "sklearn MLPClassifier": peers.make_mlp,
        "sklearn SGDClassifier": peers.make_sgd_classifier,
        "vowpal wabbit": peers.VowpalWabbit,
        "river": peers.make_river_softmax,
    }
    return makers[name](shape, inputs, classes, updates)
