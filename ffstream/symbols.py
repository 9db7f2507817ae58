"""Sequences of symbols, of which is learned what comes next (paper section 4.1).

A frame is a window of symbols and its label is the symbol that follows. A window is kept as one byte a symbol and travels as
every frame of bytes does, symbol ``s`` as the number ``s / 255``; it becomes one-of-n where it enters the first layer.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from ffstream.errors import ShapeError
from ffstream.sampling import draw, likely

LARGEST = 255
"""The last symbol that a byte can stand for."""

Predict = Callable[[Tensor], Tensor]
"""What a network makes of frames: ``[batch, inputs]`` to the logits of what follows, ``[batch, classes]``."""


def to_frames(symbols: Tensor) -> Tensor:
    """Symbols [batch, inputs] as numbers from 0 to 1."""
    return symbols.float() / LARGEST


def to_symbols(frames: Tensor) -> Tensor:
    """The inverse of :func:`to_frames`."""
    return (frames * LARGEST).round().long()


def one_of_n(frames: Tensor, n: int) -> Tensor:
    """Windows [batch, inputs] of ``n`` kinds of symbols, every symbol a one among zeros: ``[batch, inputs n]``."""
    return one_hot(to_symbols(frames), n).float().flatten(1)


def windows(symbols: NDArray[np.uint8], context: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Every window of a sequence and the symbol that follows it.

    The first ``context`` symbols are never asked for: they are what the first window holds.

    Args:
        symbols: ``[n]``, the sequence.
        context: symbols in a window.

    Returns:
        Windows [n - context, context] and symbols [n - context].

    Raises:
        ShapeError: when the sequence is not longer than a window.

    >>> windows(np.array([3, 1, 4, 1, 5], np.uint8), 3)[1].tolist()
    [1, 5]
    """
    if len(symbols) <= context:
        raise ShapeError(f"sequence: got {len(symbols)} symbols, expected more than the {context} of a window")
    seen = np.lib.stride_tricks.sliding_window_view(symbols[:-1], context)
    return np.ascontiguousarray(seen), symbols[context:].astype(np.int64)


def follow(
    predict: Predict,
    frames: Tensor,
    length: int,
    rng: np.random.Generator,
    *,
    never: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Let a network go on by itself: free-running generation.

        s_t ~ softmax(predict(s_(t-c) ... s_(t-1)) / temperature)

    Args:
        predict: logits of the symbol after a window.
        frames: windows [batch, inputs] to begin with.
        length: symbols to generate.
        rng: random numbers.
        never: [batch] symbols that the first ones generated must not be.
        temperature: below 1 for what is likely, above 1 for surprises.

    Returns:
        The windows and what was generated after them: symbols [batch, inputs + length].

    Reference: Hinton 2022, section 4.1.
    """
    inputs = frames.shape[1]
    symbols = to_symbols(frames)
    for _ in range(length):
        p = likely(predict(to_frames(symbols[:, -inputs:])) / temperature)
        if never is not None:
            p.scatter_(1, never[:, None], 0.0)
        symbols, never = torch.cat([symbols, draw(p, rng)], dim=1), None
    return symbols
