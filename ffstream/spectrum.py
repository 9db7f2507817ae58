"""The spectrum of an update: its largest directions are cut down to the size of the others.

A layer's update ``v = sum_i s_i u_i w_i'`` has a few singular values far above the rest: all units moving alike. They decide
how large a step is safe, so that everything finer is learned slowly. Cutting them to a common level lets the rate rise by half
an order of magnitude, which is what one pass over a stream and long one-sided phases need. Replacing *all* singular values by
one (as orthogonalised momentum does) learns as much, but costs several products more and makes a step whose size says nothing
of how much there is to learn; here the level is the update's own, and a layer that is right stops.

    v <- v + U diag(min(1, level / s) - 1) U' v,    s_i = |u_i' v|,    level = min_i s_i

The ``r`` directions ``U`` are found anew at every second update, by half a step of subspace iteration from the inputs' side,
where they were last, to the units': the update is a running mean and turns slowly. In between only their lengths are.
"""

import torch
from torch import Tensor

SHARE = 8
"""At most one in so many of the singular values is cut: a small layer has few."""

STEEPEST = 50.0
"""Nothing is cut to less than this part of the largest: an update of fewer than ``r`` rows has no ``s_r``."""

TURN_ALL = 8
TURN_EVERY = 2
"""The directions are found anew at the first updates, then at every so many."""


class SpectrumClip:
    """Cuts the top ``r`` singular values of an update to the ``r``-th.

    Args:
        units: rows of the update.
        inputs: its columns.
        directions: ``r``; less where the layer is small.
        format: number format of the factors of large products.
        blocks: ``(n,)`` for updates [n, units, inputs] of n blocks, each cut by itself; ``()`` for one of [units, inputs].
    """

    def __init__(
        self,
        units: int,
        inputs: int,
        *,
        directions: int,
        format: torch.dtype = torch.float32,
        blocks: tuple[int, ...] = (),
    ) -> None:
        directions = max(1, min(directions, units // SHARE, inputs // SHARE))
        self.format = format
        self.basis = torch.randn(*blocks, inputs, directions, generator=torch.Generator().manual_seed(0))
        self.left = torch.zeros(*blocks, units, directions)
        self.clips = torch.zeros((), dtype=torch.int64)

    def cut(self, update: Tensor) -> Tensor:
        """What is to be added to ``update``; both [..., units, inputs], in ``format``."""
        self.clips += 1
        if self.clips <= TURN_ALL or self.clips % TURN_EVERY == 0:
            self._turn(update)
        right = self._seen(update)
        singular = right.norm(dim=-1).clamp(min=1e-30)
        level = torch.maximum(singular.amin(-1, keepdim=True), singular.amax(-1, keepdim=True) / STEEPEST)
        cut = (level / singular).clamp(max=1) - 1
        change: Tensor = (self.left * cut[..., None, :]).to(self.format) @ right.to(self.format)
        return change

    def _turn(self, update: Tensor) -> None:
        """``left`` [..., units, r] and ``basis`` [..., inputs, r]: the singular vectors of the update as it is now."""
        left, _ = torch.linalg.qr((update @ self.basis.to(self.format)).float())
        seen = (left.to(self.format).mT @ update).float()
        energies, rotation = torch.linalg.eigh((seen @ seen.mT).double())
        singular = energies.clamp(min=0).sqrt().float()
        self.left.copy_(left @ rotation.float())
        self.basis.copy_((rotation.float().mT @ seen / singular.clamp(min=1e-30)[..., None]).mT)

    def _seen(self, update: Tensor) -> Tensor:
        """``U' v`` [..., r, inputs]."""
        return (self.left.to(self.format).mT @ update).float()

    def state(self) -> dict[str, Tensor]:
        """The tensors themselves, by name."""
        return {"basis": self.basis, "left": self.left, "clips": self.clips}
