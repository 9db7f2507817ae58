"""The spectrum of an update: its largest directions are cut down to the size of the others.

A layer's update ``v = sum_i s_i u_i w_i'`` has a few singular values far above the rest: all units moving alike. They decide
how large a step is safe, so that everything finer is learned slowly. Cutting them to a common level lets the rate rise by half
an order of magnitude, which is what one pass over a stream and long one-sided phases need. Replacing *all* singular values by
one (as orthogonalised momentum does) learns as much, but costs several products more and makes a step whose size says nothing
of how much there is to learn; here the level is the update's own, and a layer that is right stops.

    v <- v + U diag(min(1, level / s) - 1) U' v,    level = s_r

The ``r`` directions ``U`` are followed by one step of subspace iteration an update: the update is a running mean and turns
slowly.
"""

import torch
from torch import Tensor

SHARE = 8
"""At most one in so many of the singular values is cut: a small layer has few."""

STEEPEST = 50.0
"""Nothing is cut to less than this part of the largest: an update of fewer than ``r`` rows has no ``s_r``."""


class SpectrumClip:
    """Cuts the top ``r`` singular values of an update to the ``r``-th.

    Args:
        units: rows of the update.
        inputs: its columns.
        directions: ``r``; less where the layer is small.
    """

    def __init__(self, units: int, inputs: int, *, directions: int) -> None:
        directions = max(1, min(directions, units // SHARE, inputs // SHARE))
        start = torch.randn(units, directions, generator=torch.Generator().manual_seed(0))
        self.basis = torch.linalg.qr(start)[0].contiguous()

    def clip(self, update: Tensor) -> Tensor:
        """A copy of ``update`` [units, inputs], clipped; the directions move on."""
        turned, _ = torch.linalg.qr(update @ (update.t() @ self.basis))
        seen = turned.t() @ update
        energies, rotation = torch.linalg.eigh((seen @ seen.t()).double())
        singular = energies.clamp(min=0).sqrt().float()
        level = torch.maximum(singular[0], singular[-1] / STEEPEST)
        self.basis.copy_(turned @ rotation.float())
        cut = (level / singular.clamp(min=1e-30)).clamp(max=1) - 1
        return torch.addmm(update, self.basis * cut, rotation.float().t() @ seen)

    def state(self) -> dict[str, Tensor]:
        """The tensors themselves, by name."""
        return {"basis": self.basis}
