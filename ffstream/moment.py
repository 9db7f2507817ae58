"""The second moment of a part's own inputs, followed along the stream.

``C = EMA(x' x / batch)`` is what a layer and a readout slice know of the curvature of what they learn (see
:mod:`ffstream.curvature`). What they derive from it is found anew now and then: often at first, rarely later.
"""

import torch
from torch import Tensor

DECAY = 0.99
"""Of the running mean, per update; bias-corrected at the start."""

FEED_ALL = 20
FEED_EVERY = 4
"""Every batch feeds ``C`` at first, later every fourth: ``C`` moves slowly and a feed costs as much as a forward pass."""


class Moment:
    """Tracks ``C``.

    Args:
        inputs: length of a row.
        refresh_at: whole updates after which what is derived from ``C`` is due to be found anew.
        refresh_every: and every so many.
        format: number format of the product's factors.
    """

    def __init__(
        self, inputs: int, refresh_at: frozenset[int], refresh_every: int, format: torch.dtype = torch.float32
    ) -> None:
        self.refresh_at = refresh_at
        self.refresh_every = refresh_every
        self.format = format
        self.matrix = torch.zeros(inputs, inputs)
        self.updates = torch.zeros((), dtype=torch.float64)

    def observe(self, x: Tensor, share: float = 1.0) -> bool:
        """Fold in a batch.

        Args:
            x: ``[batch, inputs]``.
            share: of a full update that the batch counts as.

        Returns:
            Whether what is derived from ``C`` is due to be found anew.
        """
        before = int(self.updates)
        if weight := fed(self.updates, share):
            rounded = x.to(self.format)
            self.matrix.lerp_((rounded.t() @ rounded).float().div_(len(x)), weight)
        return due(before, int(self.updates), self.refresh_at, self.refresh_every)

    def forget(self) -> None:
        """Begin anew with the next batch, as at the start."""
        self.updates.zero_()

    def state(self) -> dict[str, Tensor]:
        """The tensors themselves, by name."""
        return {"moment": self.matrix, "updates": self.updates}


def fed(updates: Tensor, share: float) -> float:
    """Count a ``share`` of an update, in place; the weight of its batch in the running mean, 0 when it is left out."""
    updates += share
    count = int(updates)
    feed = 1 if count <= FEED_ALL else FEED_EVERY
    return 0.0 if count % feed else max(1 - DECAY ** (feed * share), share / float(updates))


def due(before: int, now: int, at: frozenset[int], every: int) -> bool:
    """Whether something is due, once ``before`` whole updates have become ``now``.

    Always within the first update; then at the counts ``at`` and at every multiple of ``every``.
    """
    return before == 0 or (now > before and (now in at or now % every == 0))
