"""The curvature of many small blocks of inputs, each its own, without the matrices (see :mod:`ffstream.curvature`).

A local layer has a second moment for every block of inputs, and of none of them is more asked than its top directions. So
``C = EMA(x' x / batch)`` itself is never made: what is followed is its image of the directions of the moment,

    Z <- EMA(x' (x B) / batch),    of which C is about Z (B' Z)^+ Z'

which is exact on the span of ``B``. When the directions are due to be found anew, ``B`` becomes an orthonormal basis of ``Z``
turned to the eigenvectors of that estimate: a step of subspace iteration that the stream has paid for. Memory is
``blocks * inputs * (r + 8)`` twice, where the moments of section 4's first layer, in tiles of 8 x 8 locations, would take
240 MB and, in tiles of one, 2 GB.

``P`` is as in :class:`~ffstream.curvature.Curvature`, block by block.

Reference: Tropp et al. 2017, arXiv:1706.05736 (Nyström approximation of a stream's positive semidefinite matrix).
"""

import torch
from torch import Tensor

from ffstream.curvature import LEVERAGE, OVERSAMPLING, REFRESH_AT
from ffstream.moment import due, fed

REFRESH_EVERY = 20
"""Whole updates at which the directions are found anew: cheaper than from a moment, and one sweep each."""

RANK = 1e-6
"""Eigenvalues of ``B' Z`` below this part of the largest are rounding."""


class Sketch:
    """Follows the top of every block's second moment and applies ``P``.

    Args:
        blocks: how many.
        inputs: length of a block's input, the constant 1 for the bias included.
        directions: ``r``; cut to ``inputs`` when larger.
    """

    def __init__(self, blocks: int, inputs: int, *, directions: int) -> None:
        self.directions = min(directions, inputs)
        tracked = min(self.directions + OVERSAMPLING, inputs)
        self.start = torch.randn(inputs, tracked, generator=torch.Generator().manual_seed(0))
        self.basis = torch.linalg.qr(self.start)[0].repeat(blocks, 1, 1)
        self.image = torch.zeros(blocks, inputs, tracked)
        self.power = torch.zeros(blocks)
        self.gains = torch.zeros(blocks, 1, tracked)
        self.rest = torch.ones(blocks, 1, 1)
        self.expected = torch.ones(blocks, 1, 1)
        self.updates = torch.zeros((), dtype=torch.float64)

    def observe(self, x: Tensor, damping: float, share: float = 1.0) -> None:
        """Fold in ``x`` [blocks, batch, inputs] and refresh ``P`` when it is due; see ``Curvature.observe``."""
        before = int(self.updates)
        if weight := fed(self.updates, share):
            self.image.lerp_((x.mT @ (x @ self.basis)).div_(x.shape[1]), weight)
            self.power.lerp_(x.square().mean(dim=(1, 2)), weight)
        if due(before, int(self.updates), REFRESH_AT, REFRESH_EVERY):
            self._refresh(damping)

    def precondition(self, x: Tensor) -> Tensor:
        """``x P``, of rows whose leverage is bounded: ``[blocks, batch, inputs]``; see ``Curvature.precondition``."""
        steered = self.steer(x)
        leverage = (x * steered).sum(dim=2, keepdim=True)
        return steered.mul_((LEVERAGE * self.expected / leverage.clamp(min=1e-12)).clamp(max=1))

    def steer(self, x: Tensor) -> Tensor:
        """``x P`` as it is, however far beyond the average."""
        return torch.baddbmm(x * self.rest, (x @ self.basis) * self.gains, self.basis.mT)

    def _refresh(self, damping: float) -> None:
        """Eigenvalues come out in ascending order."""
        length = self.image.norm(dim=(1, 2), keepdim=True).clamp(min=1e-30)
        basis, _ = torch.linalg.qr(self.image / length + RANK * self.start)
        overlap, across = (self.basis.mT @ self.image).double(), (basis.mT @ self.image).double()
        values, vectors = torch.linalg.eigh((overlap + overlap.mT) / 2)
        inverse = torch.where(values > RANK * values[:, -1:], 1 / values.clamp(min=1e-30), 0.0)
        turned = across @ vectors
        eigenvalues, rotation = torch.linalg.eigh((turned * inverse[:, None]) @ turned.mT)
        eigenvalues = eigenvalues.clamp(min=0).float()[:, None]
        self.basis.copy_(basis @ rotation.float())
        self.image.copy_(self.basis * eigenvalues)
        self._weigh(eigenvalues, damping)

    def _weigh(self, eigenvalues: Tensor, damping: float) -> None:
        """``P`` from eigenvalues ``[blocks, 1, tracked]``."""
        spare = eigenvalues.shape[2] - self.directions
        floor = damping * self.power.clamp(min=1e-12)[:, None, None]
        following = eigenvalues[..., spare - 1 : spare] if spare else 0.0
        self.rest.copy_(1 / (following + floor))
        self.gains.copy_(1 / (eigenvalues + floor) - self.rest)
        self.gains[..., :spare] = 0
        trace = self.power[:, None, None] * self.basis.shape[1]
        self.expected.copy_(self.rest * trace + (self.gains * eigenvalues).sum(dim=2, keepdim=True))

    def forget(self) -> None:
        """Find what comes in anew from the next batch on: it has changed."""
        self.updates.zero_()

    def state(self) -> dict[str, Tensor]:
        """The tensors themselves, by name; whoever keeps them copies."""
        names = ("basis", "image", "power", "gains", "rest", "expected", "updates")
        return {name: getattr(self, name) for name in names}
