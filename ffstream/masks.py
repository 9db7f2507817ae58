"""Masks of large regions, for hybrid frames (paper section 3.2, figure 1)."""

import math

import numpy as np
import torch
from torch import Tensor

from ffstream.errors import ConfigError

BLUR = np.array([0.25, 0.5, 0.25])
BLURS_PER_PIXEL = 1 / 3
"""The filter, applied along both axes again and again: that many times for every pixel of a side (9 times for 28)."""


def side_of(inputs: int) -> int:
    """Pixels along a side of a square image.

    Raises:
        ConfigError: when ``inputs`` is no square.
    """
    side = math.isqrt(inputs)
    if side * side != inputs:
        raise ConfigError(f"inputs: got {inputs}, expected a square number: the frames have to be square images")
    return side


def blobs(n: int, inputs: int, rng: np.random.Generator) -> Tensor:
    """Masks [n, inputs] of zeros and ones in large regions: a random bit image, blurred again and again, cut at one half.

    >>> mask = blobs(1, 784, np.random.default_rng(0)).view(28, 28)
    >>> bool((mask[1:] == mask[:-1]).float().mean() > 0.8)
    True
    """
    side = side_of(inputs)
    image = rng.integers(2, size=(n, side, side)).astype(np.float64)
    for _ in range(max(1, round(side * BLURS_PER_PIXEL))):
        for axis in (1, 2):
            before, after = np.roll(image, 1, axis), np.roll(image, -1, axis)
            image = BLUR[0] * before + BLUR[1] * image + BLUR[2] * after
    return torch.from_numpy((image > 0.5).reshape(n, inputs).astype(np.float32))
