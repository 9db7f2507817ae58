"""Goodness functions: one number a row that a layer raises for positives and lowers for negatives.

A goodness is any object with the three members of :class:`Goodness`; it is named in :data:`GOODNESS` so that a
configuration can ask for it by name.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Goodness(Protocol):
    """What a layer asks of its goodness function."""

    def value(self, activities: Tensor) -> Tensor:
        """``[batch, units]`` to ``[batch]``."""
        ...

    def direction(self, activities: Tensor) -> Tensor:
        """The derivative by the activities, up to a positive constant: ``[batch, units]``."""
        ...


@dataclass(frozen=True)
class MeanOfSquares:
    """The mean of the squared activities: ``g = mean_j a_j^2``.

    The paper's goodness is the sum. The mean keeps the threshold independent of the width: threshold 1 here
    is the paper's threshold ``units``. The constant ``2 / units`` of the derivative is left to the learning
    rate, as in the paper's own code.

    >>> import torch
    >>> MeanOfSquares().value(torch.tensor([[1.0, 3.0]]))
    tensor([5.])

    Reference: Hinton 2022, section 2, equation 1.
    """

    def value(self, activities: Tensor) -> Tensor:
        """``g`` for every row: ``[batch, units]`` to ``[batch]``."""
        return activities.square().mean(dim=1)

    def direction(self, activities: Tensor) -> Tensor:
        """``dg/da = (2 / units) a``, returned as ``a``: ``[batch, units]``."""
        return activities


GOODNESS: dict[str, Goodness] = {"mean_of_squares": MeanOfSquares()}
"""The goodness functions that a configuration can name."""
