"""One Forward-Forward layer: rectified units with an objective of their own.

A layer knows no neighbour, no label and no transport. It is given normalized inputs and a polarity, raises or lowers
its goodness on them, and hands back activities. Nothing is stored between calls but what learning needs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ffstream.activation import ACTIVATIONS, Activation
from ffstream.blocks import by_block, dealt
from ffstream.goodness import GOODNESS
from ffstream.layer_config import LayerConfig
from ffstream.polarity import Polarity
from ffstream.rules import make_rule
from ffstream.wiring import Wiring

PEER_DECAY = 0.9
PEER_START = 0.5
"""Running mean activity of every unit: its decay and where it starts (Hinton's released code)."""


@dataclass(frozen=True)
class LayerReport:
    """What one learning step saw: means over the rows it was given."""

    polarity: Polarity
    goodness: float
    p_positive: float
    taught: float
    """Share of rows that were still on the wrong side, or near it, and so were learned from."""


class Layer:
    """Rectified layer, dense or with local receptive fields, that learns from its own goodness.

        a = f(x W' + b)                                 forward; f is the rectifier, or what the configuration names
        p = sigmoid(k (goodness(a) - threshold))        probability that the row is positive, equation 1
        delta = (1 - p) dg/da + peer (mean(m) - m)      wake, for positives
        delta = -p dg/da                                sleep, for negatives

    ``m`` is the running mean activity of each unit over positives; the peer term keeps units from falling silent or
    shouting (footnote 9) and is not gated by the rectifier. Of several blocks of units each has a ``p`` of its own
    (:mod:`ffstream.blocks`). How ``delta`` changes ``W`` is the rule's affair (:mod:`ffstream.rules`).

    Args:
        inputs: length of an input row.
        units: number of rectified units.
        config: constants of learning.
        seed: of the first weights, drawn from N(0, 1 / inputs); biases start at 0.
        wiring: what every unit is connected to; None for a dense layer.
        activation: of the units; None for what the configuration names.

    >>> layer = Layer(4, 8, seed=1)
    >>> x = torch.ones(2, 4)
    >>> before = layer.learn(x, layer.forward(x), Polarity.POSITIVE).goodness
    >>> after = layer.learn(x, layer.forward(x), Polarity.POSITIVE).goodness
    >>> after > before
    True

    Reference: Hinton 2022, sections 2 and 3.2.
    """

    def __init__(
        self,
        inputs: int,
        units: int,
        config: LayerConfig | None = None,
        *,
        seed: int = 0,
        activation: Activation | None = None,
        wiring: Wiring | None = None,
    ) -> None:
        self.inputs = inputs
        self.units = units
        self.config = config or LayerConfig()
        self.goodness = GOODNESS[self.config.goodness]
        self.activation = activation or ACTIVATIONS[self.config.activation]
        self.threshold = self.config.decides_at
        self.wiring = wiring
        self.rule = make_rule(inputs, units, self.config, wiring)
        generator = torch.Generator().manual_seed(seed)
        if wiring is None:
            self.weights = torch.randn(units, inputs + 1, generator=generator) * inputs**-0.5
            self.weights[:, -1] = 0
        else:
            self.weights = wiring.first_weights(generator)
        self.mean_activity = torch.full((units,), PEER_START)

    def forward(self, x: Tensor, factor: Tensor | None = None) -> Tensor:
        """Activities before normalization: ``[batch, inputs]`` to ``[batch, units]``. Changes nothing.

        ``factor`` is :func:`rounded` of the weights, where it is at hand.
        """
        return forward(self.weights, x, self.config.format, self.activation, self.wiring, factor)

    def cost(self, x: Tensor, polarity: Polarity) -> Tensor:
        """``-log p`` of rows ``x`` [batch, inputs] being what they are: ``[batch]``. Changes nothing."""
        evidence = self.config.sharpness * (by_block(self.goodness, self.forward(x), self.config.blocks) - self.threshold)
        return softplus(-evidence if polarity is Polarity.POSITIVE else evidence).sum(dim=1)

    def learn(self, x: Tensor, activities: Tensor, polarity: Polarity, share: float = 1.0) -> LayerReport:
        """One local step; the weights change in place.

        Args:
            x: ``[batch, inputs]``, normalized rows, in float32 or in the format of the layer's products.
            activities: ``[batch, units]``, what :meth:`forward` gave for ``x``.
            polarity: of every row; wake and sleep may be far apart in time.
            share: of a full update that the batch counts as, so that a stream that trickles in teaches as much a frame.

        Returns:
            Goodness and probability before the step.
        """
        goodness = by_block(self.goodness, activities, self.config.blocks)
        p = torch.sigmoid(self.config.sharpness * (goodness - self.threshold))
        factor = 1 - p if polarity is Polarity.POSITIVE else -p
        rows = (factor.abs() > self.config.teach_above).any(dim=1).nonzero().squeeze(1)
        x = torch.nn.functional.pad(x.float(), (0, 1), value=1.0)
        self.rule.observe(x, share)
        taught = x[rows]
        delta = self.goodness.direction(activities[rows]) * dealt(factor[rows], self.units)
        if polarity is Polarity.POSITIVE and self.config.peer:
            taught = torch.cat([taught, x.mean(dim=0, keepdim=True)])
            delta = torch.cat([delta, len(x) * self._peer(activities, share)])
        delta = self.activation.steer(delta, lambda: sums(self.weights, taught[:, :-1], self.config.format, self.wiring))
        self.rule.step(self.weights, taught, delta, len(x), polarity, share)
        return LayerReport(polarity, float(goodness.mean()), float(p.mean()), len(rows) / len(x))

    def _peer(self, activities: Tensor, share: float) -> Tensor:
        """``peer (mean(m) - m)`` [1, units]. It is the same for every row, so one mean row stands for all of them."""
        self.mean_activity.lerp_(activities.mean(dim=0), 1 - PEER_DECAY**share)
        return self.config.peer * (self.mean_activity.mean() - self.mean_activity)[None]

    def forget(self) -> None:
        """Begin anew with what the rule knows of the inputs; the weights stay."""
        self.rule.forget()

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on, by name (the tensors themselves, not copies)."""
        rule = {f"rule.{name}": tensor for name, tensor in self.rule.state().items()}
        return {"weights": self.weights, "mean_activity": self.mean_activity} | rule


def forward(
    weights: Tensor,
    x: Tensor,
    format: torch.dtype = torch.float32,
    activation: Activation = ACTIVATIONS["relu"],
    wiring: Wiring | None = None,
    factor: Tensor | None = None,
) -> Tensor:
    """``f(x W' + b)``: ``weights`` [units, inputs + 1] (the last column is ``b``), ``x`` [batch, inputs].

    Those of a local layer are ``[blocks, units, width + 1]``, by its ``wiring``. The factors of the product are rounded to
    ``format``; ``factor`` is :func:`rounded` of the weights, which who multiplies by them often need not do every time.
    """
    return activation.value(sums(weights, x, format, wiring, factor))


def sums(
    weights: Tensor,
    x: Tensor,
    format: torch.dtype = torch.float32,
    wiring: Wiring | None = None,
    factor: Tensor | None = None,
) -> Tensor:
    """``x W' + b``, as :func:`forward` has them: ``[batch, units]``. For no rows no weight is rounded."""
    if factor is None:
        factor = rounded(weights, format if len(x) else weights.dtype)
    x = x.to(factor.dtype)
    if wiring is not None:
        seen = wiring.gather(torch.nn.functional.pad(x, (0, 1)))[..., :-1]
        blocks = (seen @ factor.mT).float()
        return wiring.join(blocks.add_(weights[:, None, :, -1]))
    return (x @ factor.t()).float().add_(weights[:, -1])


def rounded(weights: Tensor, format: torch.dtype) -> Tensor:
    """What a product takes of ``weights`` [..., inputs + 1], in its format: all but the biases."""
    return weights[..., :-1].to(format)
