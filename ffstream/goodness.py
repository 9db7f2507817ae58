"""Goodness functions: one number a row that a layer raises for positives and lowers for negatives.

A goodness is any object with the members of :class:`Goodness`; it is named in :data:`GOODNESS` so that a configuration can
ask for it by name. It comes with the normalization that hides it: what a layer hands on has the same goodness whatever the
row, so that the next layer has to find features of its own (paper section 2.1).
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ffstream.normalize import normalize, normalize_mean


class Goodness(Protocol):
    """What a layer asks of its goodness function."""

    @property
    def threshold(self) -> float:
        """The goodness that separates positives from negatives, where a configuration names no other."""
        ...

    def value(self, activities: Tensor) -> Tensor:
        """``[batch, units]`` to ``[batch]``."""
        ...

    def terms(self, activities: Tensor) -> Tensor:
        """What every unit adds, so that their mean is the value: ``[batch, units]`` to ``[batch, units]``."""
        ...

    def direction(self, activities: Tensor) -> Tensor:
        """The derivative by the activities, up to a positive constant and 0 for silent units: ``[batch, units]``."""
        ...

    def normalize(self, activities: Tensor) -> Tensor:
        """What is handed on: ``[batch, units]`` to ``[batch, units]`` of a goodness that is the same for every row."""
        ...


@dataclass(frozen=True)
class MeanOfSquares:
    """The mean of the squared activities: ``g = sign mean_j a_j^2``.

    The paper's goodness is the sum. The mean keeps the threshold independent of the width: threshold 1 here
    is the paper's threshold ``units``. The constant ``2 / units`` of the derivative is left to the learning
    rate, as in the paper's own code. With ``sign`` -1 a layer falls silent for positives (paper section 9).

    >>> import torch
    >>> MeanOfSquares().value(torch.tensor([[1.0, 3.0]]))
    tensor([5.])

    Reference: Hinton 2022, section 2, equation 1.
    """

    sign: float = 1.0

    @property
    def threshold(self) -> float:
        """Twice the goodness of first weights."""
        return self.sign

    def value(self, activities: Tensor) -> Tensor:
        """``g`` for every row: ``[batch, units]`` to ``[batch]``."""
        return self.sign * activities.square().mean(dim=1)

    def terms(self, activities: Tensor) -> Tensor:
        """``sign a_j^2``: ``[batch, units]``."""
        return self.sign * activities.square()

    def direction(self, activities: Tensor) -> Tensor:
        """``dg/da = (2 sign / units) a``, returned as ``sign a``: ``[batch, units]``."""
        return self.sign * activities

    def normalize(self, activities: Tensor) -> Tensor:
        """To root mean square 1."""
        return normalize(activities)


@dataclass(frozen=True)
class MeanOfActivities:
    """The mean of the activities themselves: ``g = sign mean_j a_j``, hidden by dividing by their mean.

    >>> import torch
    >>> MeanOfActivities().value(torch.tensor([[1.0, 3.0]]))
    tensor([2.])

    Reference: Hinton 2022, section 9 and footnote 21 (there with ``sign`` -1, and sums).
    """

    sign: float = 1.0

    @property
    def threshold(self) -> float:
        """A little above the goodness of first weights."""
        return self.sign

    def value(self, activities: Tensor) -> Tensor:
        """``g`` for every row: ``[batch, units]`` to ``[batch]``."""
        return self.sign * activities.mean(dim=1)

    def terms(self, activities: Tensor) -> Tensor:
        """``sign a_j``: ``[batch, units]``."""
        return self.sign * activities

    def direction(self, activities: Tensor) -> Tensor:
        """``dg/da = sign / units``, returned as ``sign`` where the unit is active: ``[batch, units]``."""
        return self.sign * (activities > 0)

    def normalize(self, activities: Tensor) -> Tensor:
        """To mean 1."""
        return normalize_mean(activities)


@dataclass(frozen=True)
class OpponentSquares:
    """Half of the units speak for a row, half against it: ``g = mean_j s_j a_j^2`` with ``s_j = 1``, then ``-1``.

    The paper finds that a layer may as well fall silent for positives as become active (section 9). Here both happen in one
    layer. A sum of squares can only collect evidence for a row; a difference can weigh evidence against it, which makes
    much better features of the same frames. And it has no gain to run away with: turning all units up or down changes the
    two halves alike, so that long phases of one polarity, which push all rows the same way, do little harm. Each half is
    normalized by itself, or the next layer could read the goodness from their balance.

    >>> import torch
    >>> OpponentSquares().value(torch.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([1.5000])
    """

    @property
    def threshold(self) -> float:
        """The two halves are level."""
        return 0.0

    def value(self, activities: Tensor) -> Tensor:
        """``g`` for every row: ``[batch, units]`` to ``[batch]``."""
        squares = activities.square()
        speaks_for, against = self._halves(squares)
        return (speaks_for.sum(dim=1) - against.sum(dim=1)) / squares.shape[1]

    def terms(self, activities: Tensor) -> Tensor:
        """``s_j a_j^2``: ``[batch, units]``."""
        return self.direction(activities) * activities

    def direction(self, activities: Tensor) -> Tensor:
        """``dg/da = (2 / units) s a``, returned as ``s a``: ``[batch, units]``."""
        speaks_for, against = self._halves(activities)
        return torch.cat([speaks_for, -against], dim=1)

    def normalize(self, activities: Tensor) -> Tensor:
        """Each half to root mean square 1."""
        return torch.cat([normalize(half) for half in self._halves(activities)], dim=1)

    @staticmethod
    def _halves(rows: Tensor) -> tuple[Tensor, Tensor]:
        speaks_for, against = rows.tensor_split(2, dim=1)
        return speaks_for, against


@dataclass(frozen=True)
class DetectorsAndConstraints:
    """Units by turns detect what positives have and what violates their constraints: ``g = mean_j s_j (a_j^2 - 1)``.

    ``s_j`` is 1, -1, 1, -1 and so on: together they are :class:`OpponentSquares`, dealt out differently. In two blocks
    (``LayerConfig.blocks``) they are the paper's two sets, each with a decision of its own: feature detectors that try to
    maximise their squared activity, and detectors of violated constraints that try to minimise it.

    >>> import torch
    >>> DetectorsAndConstraints().value(torch.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([-1.])

    Reference: Hinton 2022, section 9; Welling, Williams and Agakov 2003.
    """

    @property
    def threshold(self) -> float:
        """Mean squared activities of 1, in either set."""
        return 0.0

    def value(self, activities: Tensor) -> Tensor:
        """``g`` for every row: ``[batch, units]`` to ``[batch]``."""
        return self.terms(activities).mean(dim=1)

    def terms(self, activities: Tensor) -> Tensor:
        """``s_j (a_j^2 - 1)``: ``[batch, units]``."""
        return self._signed(activities.square() - 1)

    def direction(self, activities: Tensor) -> Tensor:
        """``dg/da = (2 / units) s a``, returned as ``s a``: ``[batch, units]``."""
        return self._signed(activities.clone())

    def normalize(self, activities: Tensor) -> Tensor:
        """Each set to root mean square 1."""
        normalized = torch.empty_like(activities)
        for first in (0, 1):
            normalized[:, first::2] = normalize(activities[:, first::2])
        return normalized

    @staticmethod
    def _signed(rows: Tensor) -> Tensor:
        rows[:, 1::2].neg_()
        return rows


GOODNESS: dict[str, Goodness] = {
    "opponent_squares": OpponentSquares(),
    "detectors_and_constraints": DetectorsAndConstraints(),
    "mean_of_squares": MeanOfSquares(),
    "negative_mean_of_squares": MeanOfSquares(sign=-1.0),
    "mean_of_activities": MeanOfActivities(),
    "negative_mean_of_activities": MeanOfActivities(sign=-1.0),
}
"""The goodness functions that a configuration can name."""
