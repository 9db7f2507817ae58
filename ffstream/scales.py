"""Numbers of unequal scale, as a table has them: standardized online, and spread out so that few of them say enough.

Every number ``x`` of a frame has a running mean ``m`` and variance ``v``, learned awake from all frames as they pass, with a
label or without: a micro-batch is first seen, then scaled. They are state of the first stage, like its weights.

    z = (x - m) / sqrt(v)       cut to 5 either way

Rows are normalized by their length before a layer sees them, so that of a few numbers only their proportions would be left.
So a frame of n becomes a row of ``1 + 6 n``: a constant as long as a typical frame, from which the length can be told again,
and of every number ``2 z`` and five bins: how near z is to -2, -1, 0, 1 and 2, with nothing a unit away. What else was tried
is in ``benchmarks/README.md``. A number that has not varied yet says nothing, and is 0 in all its columns. One that is new to
the network adds its columns behind the others.
"""

import torch
from torch import Tensor

LIMIT = 5.0
"""Standard deviations from the mean beyond which a number counts as so far away, for the view as for the moments."""

TRUSTED = 50
"""Frames in which a number has to be seen before its variance says what is wild."""

SPAN = 1000
"""Frames that the moments span at most, so that they follow what drifts."""

WEIGHT = 2.0
"""Of z and of the constant, beside the bins."""

BINS = torch.linspace(-2.0, 2.0, 5)
"""Where the bins are, in standard deviations; the outermost hold all that lies beyond."""

CONSTANT = 1e-6
"""A standard deviation below this part of the mean is rounding: the number has not varied."""


def width(inputs: int) -> int:
    """Numbers in the row that a frame of ``inputs`` becomes."""
    return 1 + inputs * (1 + len(BINS))


class Scales:
    """The running moments of every number of a frame.

        w = max(n / frames, 1 - (1 - 1 / span)^n)       for n frames at once
        m <- m + w d,    v <- (1 - w) (v + w d^2) + w variance(x),    d = mean(x) - m

    It comes to the same, to rounding, whether frames come alone or together. After :data:`TRUSTED` frames, once a number
    has varied, it counts as no further from the mean than :data:`LIMIT` standard deviations: a single wild one does no lasting
    harm, and a scale that has really changed is followed all the same, as fast as the standard deviation can grow.

    Args:
        inputs: numbers in a frame.

    >>> scales = Scales(2)
    >>> scales.observe(torch.tensor([[1.0, 7.0], [3.0, 7.0]]))
    >>> scales.moments
    tensor([[2., 7.],
            [1., 0.]], dtype=torch.float64)
    """

    def __init__(self, inputs: int) -> None:
        self.moments = torch.zeros(2, inputs, dtype=torch.float64)
        self.frames = torch.zeros(inputs, dtype=torch.float64)

    def observe(self, frames: Tensor) -> None:
        """Take in frames ``[batch, inputs]``."""
        if not len(frames):
            return
        mean, variance = self.moments
        known = _varies(self.moments) & (self.frames >= TRUSTED)
        reach = torch.where(known, LIMIT * variance.sqrt(), torch.inf)
        x = frames.double().clamp(mean - reach, mean + reach)
        self.frames += len(x)
        weight = (len(x) / self.frames).clamp(min=1 - (1 - 1 / SPAN) ** len(x))
        away = x.mean(dim=0) - mean
        variance.add_(weight * away.square()).mul_(1 - weight).add_(weight * x.var(dim=0, correction=0))
        mean.add_(weight * away)

    def forget(self) -> None:
        """The stream has changed: what was seen counts as no more than :data:`TRUSTED` frames."""
        self.frames.clamp_(max=TRUSTED)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next row depends on, by name; ``frames`` are those that each number was seen in."""
        return {"moments": self.moments, "frames": self.frames}


def spread(frames: Tensor, moments: Tensor) -> Tensor:
    """Frames [batch, inputs] to rows [batch, width(inputs)] by moments [2, inputs]: mean and variance of every number."""
    mean, variance = moments
    varies = _varies(moments)
    z = torch.where(varies, (frames.double() - mean) / variance.sqrt(), 0.0).clamp(-LIMIT, LIMIT).float()[..., None]
    bins = (1 - (z.clamp(BINS[0], BINS[-1]) - BINS).abs()).clamp(min=0) * varies[:, None]
    constant = (WEIGHT * varies.sum().sqrt()).expand(len(frames), 1)
    return torch.cat([constant, torch.cat([WEIGHT * z, bins], dim=2).flatten(1)], dim=1)


def of_z(weights: Tensor, inputs: int) -> Tensor:
    """What weights [units, width(inputs) or more] make of each number's z: ``[units, inputs]``."""
    return weights[:, 1 : width(inputs) : 1 + len(BINS)]


def _varies(moments: Tensor) -> Tensor:
    mean, variance = moments
    return torch.gt(variance, (CONSTANT * mean).square())
