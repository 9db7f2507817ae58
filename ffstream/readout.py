"""A softmax readout that fits a pipeline: each layer corrects the logits accumulated below it.

The paper feeds the normalized activities of all layers but the first to one softmax (section 3.3); here the first has its say
too, which makes the start of a stream faster. One softmax in parts, each beside its layer, would have every layer wait for the
last. Here each layer owns a slice that learns on what the slices below leave wrong, so that only ``z`` [batch, classes] travels
upwards and nothing comes back. The layer never sees a label; its slice does.

A slice that has learned what it can leaves the next one little to learn, though the next one's activities may say it better:
it tells where the same frames come many times. A ``joint`` readout is the paper's one softmax: it lies beside the last layer,
and the activities that it reads travel upwards too. That is as much work, all of it in one place, and messages as long as the
network is wide.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ffstream.layer_config import ReadoutConfig
from ffstream.moment import Moment

REFRESH_AT = frozenset({1, 2, 3, 5, 8, 12, 17, 23, 30, 40})
REFRESH_EVERY = 50
"""Whole updates at which the inverse is found anew."""


class Metric:
    """The curvature of one layer's activities, in which a slice takes its steps.

        P = (C + damping mean(diag C) I)^-1,    C = EMA(h' h / batch)

    Args:
        units: length of a normalized activity ``h``.
        damping: in units of the mean eigenvalue.
        format: number format of the factors of large products.
    """

    def __init__(self, units: int, damping: float, format: torch.dtype) -> None:
        self.damping = damping
        self.moment = Moment(units, REFRESH_AT, REFRESH_EVERY, format)
        self.inverse = torch.eye(units)

    def observe(self, h: Tensor, share: float) -> None:
        """Fold in a batch of activities [batch, units], which counts as a ``share`` of an update."""
        if self.moment.observe(h, share):
            self._refresh()

    def _refresh(self) -> None:
        moment = self.moment.matrix
        damping = self.damping * moment.diagonal().mean().clamp(min=1e-12)
        damped = moment + damping * torch.eye(len(moment), device=moment.device)
        self.inverse.copy_(torch.cholesky_inverse(torch.linalg.cholesky(damped)))

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on, by name."""
        return {"inverse": self.inverse} | self.moment.state()


class ReadoutSlice:
    """One layer's share of the readout, or the whole of one that is joint.

        z_l = z_(l-1) + h R'
        R <- R + step (((1 - smoothing) told + smoothing / classes - softmax(z_l))' (h P) / batch - weight_cost R)

    with ``step = rate max(floor, 1 / (1 + updates / horizon))``. The curvature of the slice's own inputs makes the
    first hundred updates count, which is where a single pass over a stream is won. One that reads several layers has a ``P``
    for each, which knows nothing of the others: its steps are divided by their number.

    Args:
        widths: of the activities that it reads, of one layer or of several, in ``h`` one after another; none where another
            slice reads them all.
        classes: number of labels.
        config: constants of learning.
        format: number format of the factors of large products.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        classes: int,
        config: ReadoutConfig | None = None,
        *,
        format: torch.dtype = torch.float32,
    ) -> None:
        self.config = config or ReadoutConfig()
        self.widths, self.classes = widths, classes
        self.weights = torch.zeros(classes, sum(widths))
        self.metrics = [Metric(width, self.config.damping, format) for width in widths]

    def correct(self, h: Tensor, logits: Tensor) -> Tensor:
        """``z_l``: ``h`` [batch, units] and the logits from below [batch, classes] to [batch, classes]."""
        return correct(self.weights, h, logits)

    def learn(self, h: Tensor, logits: Tensor, told: Tensor, share: float = 1.0) -> None:
        """One step on labelled rows: ``h`` [batch, units], ``logits`` as corrected, ``told`` [batch, classes]: one-of-classes,
        or how probable each label is.

        ``share`` is the part of a full update that the rows count as.
        """
        smooth = told + self.config.smoothing * (1 / self.classes - told)
        wrong = smooth - logits.softmax(dim=1)
        for metric, seen, weights in self._by_layer(h):
            metric.observe(seen, share)
            updates = float(metric.moment.updates)
            step = share * self.config.rate * max(self.config.floor, 1 / (1 + updates / self.config.horizon)) / len(self.widths)
            kept = 1 - step * self.config.weight_cost
            weights.addmm_(wrong.t() @ seen, metric.inverse, beta=kept, alpha=step / len(h))

    def _by_layer(self, h: Tensor) -> Iterator[tuple[Metric, Tensor, Tensor]]:
        """The metric, the activities and the weights of every layer that it reads."""
        widths = list(self.widths)
        return zip(self.metrics, torch.split(h, widths, dim=1), torch.split(self.weights, widths, dim=1), strict=True)

    def forget(self) -> None:
        """Begin anew: labels may mean something else, or belong to other activities."""
        self.weights.zero_()
        for metric in self.metrics:
            metric.moment.forget()

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on, by name."""
        found = {"weights": self.weights}
        for index, metric in enumerate(self.metrics):
            place = f"{index}." if len(self.metrics) > 1 else ""
            found |= {f"{place}{name}": tensor for name, tensor in metric.state().items()}
        return found


def correct(weights: Tensor, h: Tensor, logits: Tensor) -> Tensor:
    """``logits + h R'``."""
    return torch.addmm(logits, h, weights.t())
