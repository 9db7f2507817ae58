"""How a layer's local directions become a change of its weights.

A rule is given the inputs ``x`` [batch, inputs + 1] (the last column is the constant 1 of the bias) and the direction
``delta`` [batch, units] in which the layer wants its activities to move, and changes the weights in place. The rules
see one layer only, and none stores an activity.

The blocks of a local layer (:mod:`ffstream.wiring`) are so many small layers to a rule, side by side along a first axis of all
that is written here: inputs ``[blocks, batch, width + 1]``, directions ``[blocks, batch, units]``, weights ``[blocks, units,
width + 1]``.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ffstream import sweep
from ffstream.curvature import Curvature
from ffstream.layer_config import LayerConfig
from ffstream.polarity import Polarity
from ffstream.sketch import Sketch
from ffstream.spectrum import SpectrumClip
from ffstream.wiring import Wiring

SHORTEST_SPAN, LONG_SPAN = 10, 100
"""Updates that the memory of the other phase spans at least, and at which a phase counts as long."""

LONG_DAMPING = 1.5
"""Times the damping of short phases is that of long ones: the further a layer goes before it is answered, the less it may trust
the finest directions (``benchmarks/README.md``)."""

ADAM_SQUARE = 0.999
"""Decay of the running mean of squared gradients in Adam."""


Blocks = tuple[int] | tuple[()]
"""How many blocks are side by side; none for a dense layer."""


class Rule(Protocol):
    """What a layer asks of its rule."""

    def step(self, weights: Tensor, x: Tensor, delta: Tensor, batch: int, polarity: Polarity, share: float) -> None:
        """Change ``weights`` [units, inputs + 1] in place.

        ``x`` and ``delta`` hold the rows that still teach; ``batch`` counts all rows, so that rows left out weigh 0.
        ``share`` is the part of a full update that the batch counts as: decays are taken to its power, rates multiplied by
        it.
        """
        ...

    def observe(self, x: Tensor, share: float) -> None:
        """See every input of the batch, taught or not."""
        ...

    def steer(self, x: Tensor) -> Tensor:
        """``x P`` [batch, inputs + 1], the rows in the metric in which a step is short (:mod:`ffstream.exact`)."""
        ...

    def forget(self) -> None:
        """Begin anew with what is known of the inputs: they have changed."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next step depends on, by name."""
        ...


class PlainRule:
    """Gradient ascent with momentum and weight cost.

        v <- mu v + (1 - mu) delta' x / batch
        W <- W + rate (v - weight_cost W)

    Reference: Hinton's released code; the bias is free of the weight cost.
    """

    def __init__(self, inputs: int, units: int, config: LayerConfig, blocks: Blocks = ()) -> None:
        self.config = config
        self.velocity = torch.zeros(*blocks, units, inputs + 1)

    def observe(self, x: Tensor, share: float) -> None:
        """The plain rule needs no statistics of its inputs."""

    def steer(self, x: Tensor) -> Tensor:
        """See :class:`Rule`: every direction is as long as it is."""
        return x

    def step(self, weights: Tensor, x: Tensor, delta: Tensor, batch: int, polarity: Polarity, share: float) -> None:
        """See :class:`Rule`."""
        momentum = self.config.momentum**share
        add = self.velocity.addmm_ if x.dim() == 2 else self.velocity.baddbmm_
        add(delta.mT, x, beta=momentum, alpha=(1 - momentum) / batch)
        _move(weights, self.velocity, self.config, share)

    def forget(self) -> None:
        """The plain rule knows nothing of its inputs."""

    def state(self) -> dict[str, Tensor]:
        """See :class:`Rule`."""
        return {"velocity": self.velocity}


class AdamRule:
    """Adam on the local direction: every weight has a step of its own, near ``rate`` whatever the gradient's size.

        g = delta' x / batch
        v <- mu v + (1 - mu) g
        s <- b s + (1 - b) g^2
        W <- W + rate v / (1 - mu^t) / (sqrt(s / (1 - b^t)) + 1e-8),    b = 0.999

    It is here to be compared with. A step that does not shrink with the gradient goes on moving a layer that is right, and
    separated phases then run away.

    Reference: Kingma and Ba 2015, arXiv:1412.6980.
    """

    def __init__(self, inputs: int, units: int, config: LayerConfig, blocks: Blocks = ()) -> None:
        self.config = config
        self.velocity = torch.zeros(*blocks, units, inputs + 1)
        self.square = torch.zeros(*blocks, units, inputs + 1)
        self.updates = torch.zeros((), dtype=torch.float64)

    def observe(self, x: Tensor, share: float) -> None:
        """Adam needs no statistics of the inputs."""

    def steer(self, x: Tensor) -> Tensor:
        """See :class:`Rule`: every direction is as long as it is."""
        return x

    def step(self, weights: Tensor, x: Tensor, delta: Tensor, batch: int, polarity: Polarity, share: float) -> None:
        """See :class:`Rule`."""
        self.updates += share
        updates, momentum = float(self.updates), self.config.momentum
        gradient = delta.mT @ x / batch
        self.velocity.lerp_(gradient, 1 - momentum**share)
        self.square.lerp_(gradient.square_(), 1 - ADAM_SQUARE**share)
        scale = (self.square / (1 - ADAM_SQUARE**updates)).sqrt_().add_(1e-8)
        _move(weights, self.velocity / scale.mul_(1 - momentum**updates), self.config, share)

    def forget(self) -> None:
        """See :class:`Rule`: the running means begin anew."""
        for mean in (self.velocity, self.square, self.updates):
            mean.zero_()

    def state(self) -> dict[str, Tensor]:
        """See :class:`Rule`."""
        return {"velocity": self.velocity, "square": self.square, "updates": self.updates}


class CurvatureRule:
    """Gradient ascent in the metric of the layer's own inputs, remembering the other phase.

        G <- delta' (x P) / batch
        v <- mu v + (1 - mu) (G + r m[other polarity])
        W <- W + rate clip(v)
        m[polarity] <- c m[polarity] + (1 - c) G
        m[other polarity] <- c m[other polarity],      c = 1 - 1 / span

    ``P`` is :class:`~ffstream.curvature.Curvature`'s, or, block by block, :class:`~ffstream.sketch.Sketch`'s; ``clip`` is
    :class:`~ffstream.spectrum.SpectrumClip`'s. ``m`` is the paper's footnote 15: while awake a layer still feels the mean of
    what its last sleep taught, and asleep what the day taught, so that long one-sided phases do not run away. It fades while it
    is used. ``span`` is the longer of the last whole phase and this one, at least :data:`SHORTEST_SPAN`, in updates; the
    damping of ``P`` grows with it from the configured one to :data:`LONG_DAMPING` times as much.

    Cost, beside the plain rule's one product of ``units * inputs * batch``: two thin ones of ``batch * inputs * r`` to apply
    ``P``, three of ``units * inputs * r`` to cut the spectrum, a few sweeps over the weights for ``m``; and memory for four
    matrices of the weights' size (and one of ``inputs * inputs``) where the plain rule has two. It assumes that the inputs'
    second moment changes slowly against its running mean of a hundred updates. The plain rule is the better choice where
    memory or time an update are short and phases are too, 1:1 over many passes, and to read beside the paper.
    """

    def __init__(self, inputs: int, units: int, config: LayerConfig, blocks: Blocks = ()) -> None:
        self.config = config
        directions, format = config.directions, config.format
        self.curvature: Curvature | Sketch
        if blocks:
            self.curvature = Sketch(*blocks, inputs + 1, directions=directions)
        else:
            self.curvature = Curvature(inputs + 1, directions=directions, format=format)
        self.spectrum = SpectrumClip(units, inputs + 1, directions=directions, format=format, blocks=blocks)
        self.velocity = torch.zeros(*blocks, units, inputs + 1)
        self.memory = {polarity: torch.zeros(*blocks, units, inputs + 1) for polarity in Polarity}
        self.phase = torch.zeros(3, dtype=torch.float64)

    def observe(self, x: Tensor, share: float) -> None:
        """See :class:`Rule`."""
        self.curvature.observe(x, self._damping(), share)

    def steer(self, x: Tensor) -> Tensor:
        """See :class:`Rule`: what most inputs have in common is to be moved least."""
        return self.curvature.steer(x)

    def step(self, weights: Tensor, x: Tensor, delta: Tensor, batch: int, polarity: Polarity, share: float) -> None:
        """See :class:`Rule`."""
        config = self.config
        steered, format = self.curvature.precondition(x), config.format
        direction = (delta / batch).to(format).mT @ steered.to(format)
        turn, span = 1 - config.momentum**share, self._span(polarity, share)
        keep = (1 - 1 / span) ** share
        velocity = sweep.fold(
            direction,
            self.velocity,
            self.memory[polarity],
            self.memory[polarity.other],
            turn=turn,
            weight=config.memory_weight * turn,
            learn=1 - keep,
            keep=keep,
        )
        _shrink(weights, config, share)
        sweep.move(weights, self.velocity, self.spectrum.cut(velocity), config.rate * share)

    def forget(self) -> None:
        """See :class:`Rule`."""
        self.curvature.forget()

    def _damping(self) -> float:
        """Before a phase has ended, nothing says that they are short."""
        so_far, before = (float(value) for value in self.phase[1:])
        span = max(so_far, before) if before else LONG_SPAN
        length = (span - SHORTEST_SPAN) / (LONG_SPAN - SHORTEST_SPAN)
        return self.config.damping * (1 + (LONG_DAMPING - 1) * min(max(length, 0.0), 1.0))

    def _span(self, polarity: Polarity, share: float) -> float:
        """Count this update. ``phase`` holds the polarity (0 before any), its updates so far, and those of the phase before."""
        sign = 1.0 if polarity is Polarity.POSITIVE else -1.0
        now, so_far, before = (float(value) for value in self.phase)
        if sign != now:
            so_far, before = 0.0, so_far
        self.phase[0], self.phase[1], self.phase[2] = sign, so_far + share, before
        return max(so_far + share, before, SHORTEST_SPAN)

    def state(self) -> dict[str, Tensor]:
        """See :class:`Rule`."""
        tensors = {"velocity": self.velocity, "phase": self.phase}
        tensors |= {f"memory.{polarity.value}": memory for polarity, memory in self.memory.items()}
        tensors |= {f"spectrum.{name}": tensor for name, tensor in self.spectrum.state().items()}
        tensors |= {f"curvature.{name}": tensor for name, tensor in self.curvature.state().items()}
        return tensors


def _move(weights: Tensor, velocity: Tensor, config: LayerConfig, share: float) -> None:
    """``W <- W + rate (v - weight_cost W)``, the bias free of the cost."""
    _shrink(weights, config, share)
    weights.add_(velocity, alpha=config.rate * share)


def _shrink(weights: Tensor, config: LayerConfig, share: float) -> None:
    """The weight cost's part of a move."""
    if config.weight_cost:
        weights[..., :-1].mul_(1 - config.rate * share * config.weight_cost)


class FieldRule:
    """Another rule for every block of a local layer, whose rows and directions are those of the whole layer here.

    Where places share their weights, each of them is a row to the rule, and a step the mean over all of these.

    Args:
        wiring: of the layer.
        config: names the rule.
    """

    def __init__(self, wiring: Wiring, config: LayerConfig) -> None:
        self.wiring = wiring
        self.rule = RULES[config.rule](wiring.width, wiring.units, config, (wiring.blocks,))

    def observe(self, x: Tensor, share: float) -> None:
        """See :class:`Rule`."""
        self.rule.observe(self.wiring.gather(x), share)

    def steer(self, x: Tensor) -> Tensor:
        """See :class:`Rule`: ``[blocks, batch, width + 1]``, every block's rows in its own metric."""
        return self.rule.steer(self.wiring.gather(x))

    def step(self, weights: Tensor, x: Tensor, delta: Tensor, batch: int, polarity: Polarity, share: float) -> None:
        """See :class:`Rule`."""
        rows = batch * self.wiring.places
        self.rule.step(weights, self.wiring.gather(x), self.wiring.split(delta), rows, polarity, share)
        self.wiring.disconnect(weights)

    def forget(self) -> None:
        """See :class:`Rule`."""
        self.rule.forget()

    def state(self) -> dict[str, Tensor]:
        """See :class:`Rule`."""
        return self.rule.state()


RULES: dict[str, Callable[[int, int, LayerConfig, Blocks], Rule]] = {
    "curvature": CurvatureRule,
    "plain": PlainRule,
    "adam": AdamRule,
}


def make_rule(inputs: int, units: int, config: LayerConfig, wiring: Wiring | None = None) -> Rule:
    """The rule that ``config.rule`` names, for a dense layer or one with a ``wiring``."""
    return RULES[config.rule](inputs, units, config, ()) if wiring is None else FieldRule(wiring, config)
