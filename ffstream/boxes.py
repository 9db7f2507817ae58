"""Black boxes between layers: what one layer hands on passes through one before the next layer sees it (paper section 6).

A layer learns from its own goodness, so it needs to know nothing of what stands between it and the layer below: any callable
will do, stochastic or not, differentiable or not. Backpropagation would need its derivative, or a model of it.

    seen = normalize(box(h, rng)),    h, seen: [rows, units]

A box belongs to the layer above it, in whose actor it runs: so one that learns needs no message back. Its random numbers are
keyed by the network's seed, the layer, and how many batches have come through, which is part of the layer's state: a replay
throws the same dice, and neither snapshots nor questions disturb them. Reading throws dice of its own, the same for the same
frames, several times where labels are compared. Readouts stand beside their layers and see what these hand on, not what a box
makes of it.

:data:`BOXES` names two; another is named by where it can be imported from, ``"package.module:maker"``, so that every actor
finds it: ``maker(units, config, rng)`` gives a callable of ``h`` and ``rng``. One that has a tensor ``weights`` has them saved
and published with the layer's, and one that has ``learn`` too is taught (see :class:`Net`).
"""

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from ffstream.errors import ConfigError
from ffstream.normalize import normalize
from ffstream.polarity import Polarity
from ffstream.seeds import keyed

NOISE = 0.1
"""Deviation of what is added to the inputs of a net's units to find out what they are good for; those are about 1."""


@dataclass(frozen=True)
class BoxConfig:
    """Which box stands between every two layers.

    Args:
        kind: name in :data:`BOXES`, or ``"package.module:maker"``.
        strength: of its noise, as a share of the signal.
        rate: of its learning, if it learns; 0 for never.
        looks: at a frame with a label when its goodness is read, to average over: chance differs from label to label.

    Raises:
        ConfigError: when a setting cannot work, or no such box can be imported.
    """

    kind: str = "unknown"
    strength: float = 1.0
    rate: float = 0.0
    looks: int = 8

    def __post_init__(self) -> None:
        for name in ("strength", "rate"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"box {name}: got {getattr(self, name)}, expected a number of at least 0")
        if self.looks < 1:
            raise ConfigError(f"box looks: got {self.looks}, expected at least 1")
        self.maker  # noqa: B018 - raises when there is none

    @property
    def maker(self) -> "MakeBox":
        """What makes such a box."""
        if self.kind in BOXES:
            return BOXES[self.kind]
        module, _, name = self.kind.partition(":")
        try:
            found: MakeBox = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            known = f"one of {sorted(BOXES)}, or package.module:maker"
            raise ConfigError(f"box kind: got {self.kind!r}, expected {known} ({error})") from error
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From its fields as plain data, as ``asdict`` gives them."""
        return cls(**data)


class Box(Protocol):
    """What a layer's output passes through."""

    def __call__(self, h: Tensor, rng: np.random.Generator) -> Tensor:
        """``[rows, units]`` to ``[rows, units]``, where ``h`` is (:mod:`ffstream.devices`); all that is random comes from
        ``rng``.
        """
        ...


MakeBox = Callable[[int, BoxConfig, np.random.Generator], Box]
Cost = Callable[[Tensor], Tensor]
"""What the layer above pays for a box's output: ``[rows, units]`` to ``[rows]``."""


class Learner(Protocol):
    """What makes the layer above known to a box; nothing of it is asked for but values."""

    def cost(self, x: Tensor, polarity: Polarity) -> Tensor:
        """What the layer pays for rows ``x`` [rows, inputs]: ``[rows]``."""
        ...


def _normal(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def _noise(rng: np.random.Generator, like: Tensor) -> Tensor:
    return _normal(rng, *like.shape).to(like.device)


class Unknown:
    """Mixes all units, bends every mixture in one of four ways, and multiplies it by noise.

        out = (1 + strength n) phi(h A),    n ~ N(0, 1)

    ``A`` is a rotation; ``phi`` of a unit is its size, its sign, a wave or a saturation. Who knows neither has no derivative.
    """

    def __init__(self, units: int, config: BoxConfig, rng: np.random.Generator) -> None:
        self.strength = config.strength
        self.mix = torch.linalg.qr(_normal(rng, units, units))[0].contiguous()
        self.ways = torch.from_numpy(rng.integers(4, size=units))

    def __call__(self, h: Tensor, rng: np.random.Generator) -> Tensor:
        """See :class:`Box`."""
        mixed = h @ self.mix
        bent = torch.stack([mixed.abs(), mixed.sign(), (2 * mixed).sin(), (3 * mixed).tanh()])
        out = bent.gather(0, self.ways.expand(1, len(h), -1))[0]
        return out * (1 + self.strength * _noise(rng, out))


class Net:
    """A second net, with one hidden layer, that may learn slowly from what its output costs the layer above.

        u = h V1',    out = relu(u) V2'
        V1 <- V1 - rate d1' h / rows,    d1 = (cost(out with noise) - cost(out)) n1 / NOISE

    where ``NOISE n1`` was added to ``u``; and ``V2`` so from noise on ``out``. ``d`` is a noisy but unbiased estimate of the
    derivative (Ren et al. 2022, as the paper has it). The paper takes the cost of positives; here it is that of a batch's own
    polarity: a box that only learned to please would raise every goodness alike.
    """

    def __init__(self, units: int, config: BoxConfig, rng: np.random.Generator) -> None:
        self.strength, self.rate = config.strength, config.rate
        self.weights = _normal(rng, 2, units, units) * (2 / units) ** 0.5

    def __call__(self, h: Tensor, rng: np.random.Generator) -> Tensor:
        """See :class:`Box`; ``strength`` is that of multiplicative noise."""
        out: Tensor = (h @ self.weights[0].t()).relu() @ self.weights[1].t()
        return out * (1 + self.strength * _noise(rng, out)) if self.strength else out

    def learn(self, h: Tensor, rng: np.random.Generator, cost: Cost) -> None:
        """One slow step on rows ``h`` [rows, units]."""
        if not self.rate:
            return
        first, second = self.weights
        inside = h @ first.t()
        noise = _normal(rng, 2, *h.shape).to(h.device)
        hidden = (inside + NOISE * noise[0]).relu()
        change = cost(hidden @ second.t() + NOISE * noise[1]) - cost(inside.relu() @ second.t())
        blame = (change / NOISE)[:, None] * noise
        step = self.rate / len(h)
        first.addmm_(blame[0].t(), h, alpha=-step)
        second.addmm_(blame[1].t(), hidden, alpha=-step)


BOXES: dict[str, MakeBox] = {"unknown": Unknown, "net": Net}
"""The boxes that a configuration can name."""


class Port:
    """The box below layer ``index``.

    Args:
        config: of the box.
        seed: of the network.
        index: of the layer above.
        units: of the layer below.
        weights: those that the box is to have, if it has any; None for its first.
    """

    def __init__(self, config: BoxConfig, seed: int, index: int, units: int, weights: Tensor | None = None) -> None:
        self.seed, self.purpose = seed, f"box {index}"
        made: Any = config.maker(units, config, keyed(seed, self.purpose))
        if weights is not None:
            made.weights = weights
        self.box = made
        self.batches = torch.zeros((), dtype=torch.int64)

    @property
    def weights(self) -> Tensor | None:
        """The box's, if it has any."""
        found: Tensor | None = getattr(self.box, "weights", None)
        return found

    def see(self, h: Tensor) -> Tensor:
        """What the layer above sees of a batch of the stream: ``[rows, units]``."""
        self.batches += 1
        return self._seen(h, keyed(self.seed, self.purpose, int(self.batches)))

    def read(self, h: Tensor, look: int) -> Tensor:
        """What it sees of rows that are asked about."""
        return self._seen(h, keyed(self.seed, f"{self.purpose} read", look))

    def _seen(self, h: Tensor, rng: np.random.Generator) -> Tensor:
        return normalize(self.box(h.float(), rng)).to(h.dtype)

    def learn(self, h: Tensor, layer: Learner, polarity: Polarity) -> None:
        """Let the box learn from what the layer above pays for it, if it does learn."""
        if hasattr(self.box, "learn"):
            rng = keyed(self.seed, f"{self.purpose} learn", int(self.batches))
            self.box.learn(h.float(), rng, lambda out: layer.cost(normalize(out).to(h.dtype), polarity))

    def state(self) -> dict[str, Tensor]:
        """Every tensor that what comes through depends on, by name."""
        return {"batches": self.batches} | ({} if self.weights is None else {"weights": self.weights})
