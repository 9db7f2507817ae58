"""How a layer and its readout learn, as data, and the settings that have names.

The learning constants live beside what they steer; the figures that chose them are in ``benchmarks/``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ffstream.activation import ACTIVATIONS
from ffstream.errors import ConfigError
from ffstream.goodness import GOODNESS
from ffstream.precision import AUTO, PRECISIONS, settled

RULES = ("curvature", "plain", "adam")
"""What a configuration can name as a rule."""

USUAL_OF_LAYERS: dict[str, Any] = {"activation": "relu", "blocks": 1}
USUAL_OF_READOUTS: dict[str, Any] = {"smoothing": 0.0, "weight_cost": 0.0, "joint": False}
"""Settings that came later than the first snapshots, as those were made: plain data does not mention them."""


def unusual(plain: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """``plain`` without the entries that are as in ``usual``: such a configuration has the digest that it had before there were
    others.
    """
    return {name: value for name, value in plain.items() if name not in usual or value != usual[name]}


@dataclass(frozen=True)
class LayerConfig:
    """Constants of one layer's learning (see ``layer`` and ``rules`` for the equations).

    Args:
        goodness: name in :data:`ffstream.goodness.GOODNESS`.
        activation: name in :data:`ffstream.activation.ACTIVATIONS`.
        blocks: of units, each of which decides for itself between positives and negatives (:mod:`ffstream.blocks`).
        threshold: goodness that separates positives from negatives, in the goodness's units; None for the goodness's own.
        sharpness: ``k`` in ``p = sigmoid(k (goodness - threshold))``.
        peer: weight of peer normalization (paper footnote 9).
        rule: ``"curvature"`` (default), ``"plain"`` (the constants of Hinton's released code are
            :data:`PLAIN`) or ``"adam"`` (:data:`ADAM`).
        rate: learning rate.
        momentum: decay of the running mean of update directions; 0 turns it off.
        weight_cost: share of the weights taken off with every unit of rate.
        damping: added to the curvature's spectrum, in units of its mean eigenvalue; more in long phases (see ``rules``).
        directions: eigenvectors of the input's second moment, and singular vectors of the update, that are treated one by one.
        memory_weight: how much of the other phase's mean update is added to every step; 0 turns it off.
        teach_above: rows whose teaching factor is at most this are left out of the update.
        precision: number format to which the factors of large products are rounded: ``"float32"``, or ``"bfloat16"``, which is
            several times as fast on processors that have it (AVX-512 BF16, AMX) and slow on others; ``"auto"`` becomes the
            faster of the two on the machine where the configuration is made. Weights and sums are kept in float32.
    """

    goodness: str = "opponent_squares"
    activation: str = "relu"
    blocks: int = 1
    threshold: float | None = None
    sharpness: float = 25.0
    peer: float = 0.003
    rule: str = "curvature"
    rate: float = 0.3
    momentum: float = 0.8
    weight_cost: float = 0.0
    damping: float = 0.2
    directions: int = 64
    memory_weight: float = 1.0
    teach_above: float = 0.02
    precision: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", settled(self.precision))
        for name, known in self._choices().items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name}: got {getattr(self, name)!r}, expected one of {list(known)}")
        for name in ("sharpness", "rate", "damping"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name}: got {getattr(self, name)}, expected a number above 0")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise ConfigError(f"threshold: got {self.threshold}, expected a finite number, or nothing for the goodness's own")
        for name in ("peer", "weight_cost", "memory_weight", "teach_above"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name}: got {getattr(self, name)}, expected a number of at least 0")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum: got {self.momentum}, expected 0 <= momentum < 1")
        if min(self.directions, self.blocks) < 1:
            raise ConfigError(f"directions, blocks: got {self.directions}, {self.blocks}, expected at least 1 of each")

    @staticmethod
    def _choices() -> dict[str, Sequence[str]]:
        """What a field may name."""
        return {
            "goodness": sorted(GOODNESS),
            "activation": sorted(ACTIVATIONS),
            "rule": RULES,
            "precision": [*PRECISIONS, AUTO],
        }

    @property
    def decides_at(self) -> float:
        """``threshold``, or the goodness's own when none is named."""
        return GOODNESS[self.goodness].threshold if self.threshold is None else self.threshold

    @property
    def format(self) -> torch.dtype:
        """``precision`` as torch names it."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without what is as in :data:`USUAL_OF_LAYERS`."""
        return unusual(asdict(self), USUAL_OF_LAYERS)


PLAIN = LayerConfig(
    goodness="mean_of_squares",
    rule="plain",
    sharpness=500.0,
    peer=0.03,
    rate=0.01,
    momentum=0.9,
    weight_cost=0.001,
    memory_weight=0.0,
    teach_above=0.0,
)
"""The plain rule with the published constants (``sharpness`` is the width in Hinton's code: here 500)."""

ADAM = LayerConfig(goodness="mean_of_squares", rule="adam", sharpness=10.0, rate=0.001, memory_weight=0.0, teach_above=0.0)
"""Adam as one would first try it: to compare with."""

UNSUPERVISED = LayerConfig(goodness="mean_of_squares", sharpness=30.0, rate=0.1)
"""For frames without labels (``negatives="hybrid_frames"``, section 3.2). No unit can speak against a frame there: opponent
goodness is worse than layers that do not learn (``benchmarks/README.md``)."""

RECURRENT = LayerConfig(directions=16, damping=0.3)
"""For the many small steps of a recurrent network: more directions buy nothing there."""


@dataclass(frozen=True)
class ReadoutConfig:
    """Constants of the readout slices (see ``readout``).

    The step is ``rate * max(floor, 1 / (1 + updates / horizon))``; ``smoothing`` is the share of what is told that goes to all
    labels alike, and ``weight_cost`` the share of the weights that every unit of a step takes off: both keep it from knowing
    frames by heart that it sees again and again. A ``joint`` readout is one softmax of all layers' activities, not a slice
    beside each.
    """

    rate: float = 2.0
    floor: float = 0.5
    horizon: float = 30.0
    damping: float = 1.0
    smoothing: float = 0.0
    weight_cost: float = 0.0
    joint: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise ConfigError(f"readout smoothing: got {self.smoothing}, expected a share, at least 0 and below 1")
        for name in ("rate", "floor", "horizon", "damping"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"readout {name}: got {getattr(self, name)}, expected a number above 0")
        if not 0 <= self.weight_cost < 1 / self.rate:
            raise ConfigError(f"readout weight_cost: got {self.weight_cost}, expected at least 0 and below {1 / self.rate:g}")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without what is as in :data:`USUAL_OF_READOUTS`."""
        return unusual(asdict(self), USUAL_OF_READOUTS)


UNSUPERVISED_READOUT = ReadoutConfig(smoothing=0.3)
"""For layers that labels teach nothing: only the readout learns them, and it soon knows by heart what it is told as certain."""
