"""Streams to check with: an easy one to learn, and odd ones that must do no harm."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.seeds import keyed
from ffstream.symbols import windows


class Sample(NamedTuple):
    """Frames ``x`` [n, inputs], of float32 or of symbols in ``uint8``, and labels ``y`` [n]."""

    x: NDArray[Any]
    y: NDArray[np.int64]


def blobs(n: int, inputs: int, classes: int, seed: int = 0) -> Sample:
    """Frames scattered around one random center a class; easy to tell apart."""
    centers = keyed(0, "centers").random((classes, inputs))
    rng = keyed(seed, "blobs")
    y = rng.integers(classes, size=n)
    x = centers[y] + 0.1 * rng.standard_normal((n, inputs))
    return Sample(x.astype(np.float32), y)


def sequence(n: int, inputs: int, classes: int) -> Sample:
    """Windows of a sequence that counts, and skips a number now and then; easy to go on with."""
    t = np.arange(n + inputs)
    return Sample(*windows(((t + t // 5) % classes).astype(np.uint8), inputs))


def rows(n: int, inputs: int, seed: int = 0) -> Tensor:
    """Rows [n, inputs] like those a layer is given: not negative, mean square 1."""
    x = torch.from_numpy(np.abs(blobs(n, inputs, classes=4, seed=seed).x))
    return x / x.square().mean(dim=1, keepdim=True).sqrt()


def _changed(easy: Sample, x: NDArray[np.float32]) -> Sample:
    return Sample(x.astype(np.float32), easy.y)


def _sudden(easy: Sample) -> Sample:
    """A long constant stretch, then frames of another kind and scale."""
    half = len(easy.x) // 2
    return _changed(easy, np.concatenate([np.tile(easy.x[:1], (half, 1)), 1000 * (1 - easy.x[half:])]))


ODD: dict[str, Callable[[Sample], Sample]] = {
    "constant frames": lambda easy: _changed(easy, np.tile(easy.x[:1], (len(easy.x), 1))),
    "all zeros": lambda easy: _changed(easy, np.zeros_like(easy.x)),
    "zeros, then frames": lambda easy: _changed(easy, easy.x * (np.arange(len(easy.x)) > len(easy.x) // 2)[:, None]),
    "one class only": lambda easy: Sample(easy.x, np.zeros_like(easy.y)),
    "huge frames": lambda easy: _changed(easy, easy.x * np.float32(1e37)),
    "tiny frames": lambda easy: _changed(easy, easy.x * np.float32(1e-37)),
    "one input alone": lambda easy: _changed(easy, easy.x * (np.arange(easy.x.shape[1]) == 0)),
    "a sudden change": _sudden,
}
"""Streams that no one would choose, made from an easy one."""
