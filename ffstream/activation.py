"""Activation functions: what a unit makes of the sum of its inputs.

An activity is never negative, so that every goodness means the same for all of them. An activation is any object with the
members of :class:`Activation`; it is named in :data:`ACTIVATIONS` so that a configuration can ask for it by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Activation(Protocol):
    """What a layer asks of its activation function."""

    def value(self, sums: Tensor) -> Tensor:
        """Activities ``[batch, units]`` of sums ``[batch, units]``, which may be overwritten."""
        ...

    def steer(self, delta: Tensor, sums: Callable[[], Tensor]) -> Tensor:
        """Where activities are to move, as where the sums are to: ``delta da/dz`` [rows, units].

        ``delta`` is 0 for silent units, but for what peer normalization asks of them; ``sums`` gives the sums ``z``
        [rows, units] for one more product.
        """
        ...


@dataclass(frozen=True)
class Rectifier:
    """``a = max(z, 0)``. Its slope is 1 wherever a unit is not silent.

    Reference: Hinton 2022, section 2.
    """

    def value(self, sums: Tensor) -> Tensor:
        """See :class:`Activation`."""
        return sums.relu_()

    def steer(self, delta: Tensor, sums: Callable[[], Tensor]) -> Tensor:
        """See :class:`Activation`."""
        return delta


@dataclass(frozen=True)
class StudentT:
    """The negative logarithm of the density under a t-distribution, from its least value on.

        a = (n + 1) / 2 log(1 + z^2 / n),    da/dz = (n + 1) z / (n + z^2)

    with ``n`` degrees of freedom. A unit is silent where its sum is what it expects, 0, and the less moved the stranger the sum
    already is. Where activities are to be few for positives, a layer is a product of experts, each a t-distribution.

    >>> import torch
    >>> StudentT().value(torch.tensor([[0.0, 1.0, -1.0]]))
    tensor([[0.0000, 0.6931, 0.6931]])

    Reference: Hinton 2022, section 9; Osindero, Welling and Hinton 2006.
    """

    freedom: float = 1.0

    def value(self, sums: Tensor) -> Tensor:
        """See :class:`Activation`."""
        return sums.square_().div_(self.freedom).log1p_().mul_((self.freedom + 1) / 2)

    def steer(self, delta: Tensor, sums: Callable[[], Tensor]) -> Tensor:
        """See :class:`Activation`."""
        z = sums()
        return delta * (self.freedom + 1) * z / (self.freedom + z.square())


ACTIVATIONS: dict[str, Activation] = {"relu": Rectifier(), "student_t": StudentT()}
"""The activation functions that a configuration can name."""
