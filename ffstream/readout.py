"""A softmax readout that fits a pipeline: each layer corrects the logits accumulated below it.

The paper feeds the normalized activities of all layers but the first to one softmax (section 3.3); here the first has its say
too, which makes the start of a stream faster. A joint softmax would make every
layer wait for the last. Here each layer owns a slice that learns on what the slices below leave wrong, so that only
``z`` [batch, classes] travels upwards and nothing comes back. The layer never sees a label; its slice does.
"""

import torch
from torch import Tensor

from ffstream.layer_config import ReadoutConfig
from ffstream.moment import Moment

REFRESH_AT = frozenset({1, 2, 3, 5, 8, 12, 17, 23, 30, 40})
REFRESH_EVERY = 50
"""Whole updates at which the inverse is found anew."""


class ReadoutSlice:
    """One layer's share of the readout.

        z_l = z_(l-1) + h R'
        R <- R + step ((1 - smoothing) told + smoothing / classes - softmax(z_l))' (h P) / batch
        P = (C + damping mean(diag C) I)^-1,    C = EMA(h' h / batch)

    with ``step = rate max(floor, 1 / (1 + updates / horizon))``. The curvature of the slice's own inputs makes the
    first hundred updates count, which is where a single pass over a stream is won.

    Args:
        units: length of a normalized activity ``h``.
        classes: number of labels.
        config: constants of learning.
        format: number format of the factors of large products.
    """

    def __init__(
        self, units: int, classes: int, config: ReadoutConfig | None = None, *, format: torch.dtype = torch.float32
    ) -> None:
        self.config = config or ReadoutConfig()
        self.classes = classes
        self.weights = torch.zeros(classes, units)
        self.moment = Moment(units, REFRESH_AT, REFRESH_EVERY, format)
        self.inverse = torch.eye(units)

    def correct(self, h: Tensor, logits: Tensor) -> Tensor:
        """``z_l``: ``h`` [batch, units] and the logits from below [batch, classes] to [batch, classes]."""
        return correct(self.weights, h, logits)

    def learn(self, h: Tensor, logits: Tensor, told: Tensor, share: float = 1.0) -> None:
        """One step on labelled rows: ``h`` [batch, units], ``logits`` as corrected, ``told`` [batch, classes]: one-of-classes,
        or how probable each label is.

        ``share`` is the part of a full update that the rows count as.
        """
        if self.moment.observe(h, share):
            self._refresh()
        updates = float(self.moment.updates)
        step = share * self.config.rate * max(self.config.floor, 1 / (1 + updates / self.config.horizon))
        smooth = told + self.config.smoothing * (1 / self.classes - told)
        wrong = smooth - logits.softmax(dim=1)
        self.weights.addmm_(wrong.t() @ h, self.inverse, alpha=step / len(h))

    def forget(self) -> None:
        """Begin anew: labels may mean something else, or belong to other activities."""
        self.weights.zero_()
        self.moment.forget()

    def _refresh(self) -> None:
        moment = self.moment.matrix
        damping = self.config.damping * moment.diagonal().mean().clamp(min=1e-12)
        damped = moment + damping * torch.eye(len(moment), device=moment.device)
        self.inverse.copy_(torch.cholesky_inverse(torch.linalg.cholesky(damped)))

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on, by name."""
        return {"weights": self.weights, "inverse": self.inverse} | self.moment.state()


def correct(weights: Tensor, h: Tensor, logits: Tensor) -> Tensor:
    """``logits + h R'``."""
    return torch.addmm(logits, h, weights.t())
