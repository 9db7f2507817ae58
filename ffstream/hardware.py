"""Emulated analog hardware, of which no two instances are alike (paper sections 7 and 8).

An instance has fixed properties that nobody knows: every unit has a gain and an offset of its own, one of four ways to bend its
input, and what is read from it passes a 4-bit converter.

    a_j = convert(phi_j(max(gain_j u_j + offset_j, 0))),    u = x W' + b

A layer on it learns in place, from what it measures: its rule takes the measured activities for those of rectified units, and
needs no model of the instance. The weights it finds are good on that instance only: they are mortal.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ffstream.activation import ACTIVATIONS, Activation
from ffstream.config import NetworkConfig
from ffstream.seeds import keyed

GAINS = 0.4
OFFSETS = 0.4
"""Deviations of the logarithms of the gains, and of the offsets."""

LEVELS, FULL_SCALE = 15, 4.5
"""Steps of a converter above 0, and the activity at which it is full."""


class Instance:
    """The units of one layer on one instance: an :class:`~ffstream.activation.Activation`.

    Args:
        number: of the instance.
        index: of the layer.
        units: of the layer.
    """

    def __init__(self, number: int, index: int, units: int) -> None:
        rng = keyed(number, "instance", index)
        self.gain = torch.from_numpy(rng.lognormal(0.0, GAINS, units)).float()
        self.offset = torch.from_numpy(rng.normal(0.0, OFFSETS, units)).float()
        self.ways = torch.from_numpy(rng.integers(4, size=units))

    def value(self, sums: Tensor) -> Tensor:
        """What is measured of units whose inputs sum up to ``sums`` [batch, units]: ``[batch, units]``."""
        driven = torch.addcmul(self.offset, sums, self.gain).relu_()
        bent = torch.stack([driven, driven.sqrt(), 2 * driven.tanh(), driven.square() / 2])
        out = bent.gather(0, self.ways.expand(1, len(sums), -1))[0]
        step = FULL_SCALE / LEVELS
        return (out / step).round_().clamp_(max=LEVELS).mul_(step)

    def steer(self, delta: Tensor, sums: Callable[[], Tensor]) -> Tensor:
        """As of rectified units: nobody knows the slopes of these."""
        return delta


def activation_of(config: NetworkConfig, index: int) -> Activation:
    """Of layer ``index``: what the configuration names, or an instance's own."""
    if config.hardware is None:
        return ACTIVATIONS[config.layer.activation]
    return Instance(config.hardware, index, config.units[index])
