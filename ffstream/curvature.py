"""The second moment of a layer's own inputs, and its damped inverse in a few directions.

``C = EMA(x' x / batch)`` is the input-side factor of a Kronecker approximation to the layer's curvature, and needs
nothing that the layer does not already have. The mean input direction has by far its largest eigenvalue: a plain
gradient mostly turns the *gain* of the layer up in wake and down in sleep, for every input alike, and long one-sided
phases then destroy the layer. Multiplying an update by the damped inverse takes exactly that direction out.

Only the top ``r`` eigenpairs ``(U, e)`` are treated one by one; the rest counts as the next eigenvalue:

    P = I / (e_next + d) + U diag(1 / (e + d) - 1 / (e_next + d)) U',    d = damping * mean(diag C)

They are found by subspace iteration, started from the last ones (the first from a random basis: one along the
coordinates starts inside the dead pixels and stays there). It cannot fail to converge as a symmetric
eigensolver does on a rank-deficient ``C`` (dead pixels), and after a start it needs one or two products.

Reference: Benzing 2022, arXiv:2201.12250 (gradient descent on neurons).
"""

import torch
from torch import Tensor

from ffstream.moment import Moment

OVERSAMPLING = 8
"""Directions tracked beyond ``r``, so that the ``r`` kept are accurate and the next eigenvalue is known."""

REFRESH_AT = frozenset({1, 2, 3, 5, 8, 15, 30})
REFRESH_EVERY = 50
"""Whole updates at which the directions are found anew."""

LEVERAGE = 4.0
"""Times its mean that a row's leverage may have."""


class Curvature:
    """Tracks ``C`` and applies ``P``.

    Args:
        inputs: length of an input, the constant 1 for the bias included.
        directions: ``r``; cut to ``inputs`` when larger.
        format: number format of the factors of large products.
    """

    def __init__(self, inputs: int, *, directions: int, format: torch.dtype = torch.float32) -> None:
        self.directions = min(directions, inputs)
        self.moment = Moment(inputs, REFRESH_AT, REFRESH_EVERY, format)
        tracked = min(self.directions + OVERSAMPLING, inputs)
        start = torch.randn(inputs, tracked, generator=torch.Generator().manual_seed(0))
        self.basis = torch.linalg.qr(start)[0].contiguous()
        self.gains = torch.zeros(tracked)
        self.rest = torch.ones(())
        self.expected = torch.ones(())

    def observe(self, x: Tensor, damping: float, share: float = 1.0) -> None:
        """Fold a batch of inputs into ``C`` and refresh ``P`` when it is due.

        Args:
            x: ``[batch, inputs]``.
            damping: in units of the mean eigenvalue; counts when ``P`` is refreshed.
            share: of a full update that the batch counts as.
        """
        if self.moment.observe(x, share):
            self._refresh(damping, sweeps=4 if int(self.moment.updates) in REFRESH_AT else 2)

    def precondition(self, x: Tensor) -> Tensor:
        """``x P``: ``[batch, inputs]`` to ``[batch, inputs]``.

        A row's leverage ``x P x'`` is ``tr(P C)`` on average. A row far beyond it comes from a stream that has just
        changed, which ``P`` does not know yet: it is scaled down to :data:`LEVERAGE` times the average.
        """
        steered = self.steer(x)
        leverage = (x * steered).sum(dim=1, keepdim=True)
        return steered.mul_((LEVERAGE * self.expected / leverage.clamp(min=1e-12)).clamp(max=1))

    def steer(self, x: Tensor) -> Tensor:
        """``x P`` as it is, however far beyond the average."""
        return torch.addmm(x * self.rest, (x @ self.basis) * self.gains, self.basis.t())

    def _refresh(self, damping: float, sweeps: int) -> None:
        """Subspace iteration, then Rayleigh-Ritz; eigenvalues come out in ascending order."""
        moment, basis = self.moment.matrix, self.basis
        for _ in range(sweeps):
            basis, _ = torch.linalg.qr(moment @ basis)
        small = (basis.t() @ (moment @ basis)).double()
        eigenvalues, rotation = torch.linalg.eigh(small)
        self.basis.copy_(basis @ rotation.float())
        kept = self.directions
        eigenvalues = eigenvalues.clamp(min=0).float()
        floor = damping * moment.diagonal().mean().clamp(min=1e-12)
        has_rest = eigenvalues.shape[0] > kept
        rest = 1 / ((eigenvalues[-kept - 1] if has_rest else 0.0) + floor)
        self.rest.copy_(rest)
        self.gains.copy_(1 / (eigenvalues + floor) - rest)
        self.gains[: eigenvalues.shape[0] - kept] = 0
        self.expected.copy_(rest * moment.trace() + (self.gains * eigenvalues).sum())

    def forget(self) -> None:
        """Find ``C`` anew from the next batch on: what comes in has changed."""
        self.moment.forget()

    def state(self) -> dict[str, Tensor]:
        """The tensors themselves, by name; whoever keeps them copies."""
        names = ("basis", "gains", "rest", "expected")
        return {name: getattr(self, name) for name in names} | self.moment.state()
