"""Blocks of units, each of which decides for itself whether a row is positive (paper section 5.3).

One bit a row is little to learn from. When a layer's units are dealt out to blocks, and every block has to tell positives from
negatives by its own goodness, a row constrains the weights once a block, for the same forward product and the same update. What
is handed on, and what is read, is the whole layer's: the mean of its blocks' goodness.

Unit ``j`` belongs to block ``j mod blocks``, so that every block has its share of whatever kinds of units a goodness knows.

Reference: Hinton 2022, section 5.3.
"""

import torch
from torch import Tensor

from ffstream.goodness import Goodness


def by_block(goodness: Goodness, activities: Tensor, blocks: int) -> Tensor:
    """Every block's goodness: ``[batch, units]`` to ``[batch, blocks]``.

        g_b = blocks / units  sum of the terms of block b

    so that their mean is the layer's goodness, however the units go into the blocks.

    >>> from ffstream.goodness import MeanOfSquares
    >>> by_block(MeanOfSquares(), torch.tensor([[1.0, 0.0, 3.0, 2.0]]), 2)
    tensor([[5., 2.]])
    """
    if blocks == 1:
        return goodness.value(activities)[:, None]
    terms = goodness.terms(activities)
    units = terms.shape[1]
    rounds = -(-units // blocks)
    padded = torch.nn.functional.pad(terms, (0, rounds * blocks - units))
    return padded.view(-1, rounds, blocks).sum(dim=1) * (blocks / units)


def dealt(per_block: Tensor, units: int) -> Tensor:
    """What every block says, at its units: ``[rows, blocks]`` to ``[rows, units]``, or ``[rows, 1]`` for one block.

    >>> dealt(torch.tensor([[1.0, 2.0]]), 5)
    tensor([[1., 2., 1., 2., 1.]])
    """
    blocks = per_block.shape[1]
    return per_block if blocks == 1 else per_block.repeat(1, -(-units // blocks))[:, :units]
