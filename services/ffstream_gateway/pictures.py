"""Frames as pictures: when they can be, and how they travel."""

import base64
import math

import torch
from torch import Tensor

from ffstream.config import NetworkConfig

SMALLEST_SIDE, LARGEST_SIDE = 5, 64
"""Pixels along a side of what counts as a picture, and of one that is still sent."""

LEVELS = 255


def not_pictures(config: NetworkConfig) -> str | None:
    """Why frames of this network are not shown as pictures; None when they are."""
    if config.symbols is not None:
        return f"a frame is a window of {config.inputs} symbols, not a picture"
    if config.video is not None and config.video.clip > 1:
        return f"a frame is a clip of {config.video.clip} pictures"
    side = math.isqrt(config.inputs)
    if side * side != config.inputs:
        return f"a frame has {config.inputs} numbers, which make no square"
    if side < SMALLEST_SIDE:
        return f"a frame has {config.inputs} numbers, too few for a picture"
    if side > LARGEST_SIDE:
        return f"a frame is {side} pixels wide; pictures are shown up to {LARGEST_SIDE}"
    return None


def picture(frame: Tensor) -> str:
    """Numbers [inputs] as bytes in base64: 0 stands for the least, or for 0 if that is less, and 255 for the greatest."""
    least = float(frame.min().clamp(max=0.0))
    span = max(float(frame.max()) - least, 1e-12)
    return _encoded((frame - least) / span)


def field(weights: Tensor) -> str:
    """Weights [inputs] as bytes in base64: 0 and 255 stand for the largest of either sign, about 128 for 0."""
    return _encoded(0.5 + 0.5 * weights / weights.abs().max().clamp(min=1e-12))


def _encoded(shares: Tensor) -> str:
    levels = (shares * LEVELS).round().clamp(0, LEVELS).to(torch.uint8)
    return base64.b64encode(levels.numpy().tobytes()).decode()
