"""What is read from a network is a running average of its weights, not the weights of the moment.

Learning with a steady rate keeps moving, and wake and sleep push in opposite directions; the mean of the last updates is a
better network than any one of them (Polyak and Juditsky 1992). Learning itself never looks at the average.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

FOLLOW_EVERY = 4
"""Updates between two steps of the average, which costs as much memory traffic as an update, unless its span is short."""

WINDOW = 0.2
"""Early on, the share of all updates so far that the average spans."""


class Average:
    """Follows tensors.

        mean <- mean + w (live - mean),    w = max(1 - (1 - 1 / span)^n, n / (window updates)) for n updates since the last step

    Args:
        live: tensors to follow, by name; they change in place.
        span: updates that the average spans at most.
    """

    def __init__(self, live: Mapping[str, Tensor], span: int) -> None:
        self.live = live
        self.span = span
        self.mean = {name: tensor.clone() for name, tensor in live.items()}
        self.updates = torch.zeros(2, dtype=torch.float64)

    def follow(self, share: float = 1.0) -> None:
        """Count an update, or a ``share`` of one, and step when it is due."""
        self.updates += share
        updates, since = (float(count) for count in self.updates)
        if since < min(FOLLOW_EVERY, self.span / 4, WINDOW * updates):
            return
        weight = min(1.0, max(1 - (1 - 1 / self.span) ** since, since / (WINDOW * updates)))
        for name, tensor in self.live.items():
            self.mean[name].lerp_(tensor, weight)
        self.updates[1] = 0

    def forget(self) -> None:
        """Begin anew: the next step goes all the way."""
        self.updates.zero_()

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the average depends on, by name; ``updates`` are those so far and those since the last step."""
        return {**self.mean, "updates": self.updates}
