"""Laws of activation functions."""

from collections.abc import Callable

import torch
from torch import Tensor

from ffstream.activation import Activation
from ffstream.checks.law import require


def _sums() -> Tensor:
    """Sums [5, 12] of very different sizes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 12, generator=generator) * torch.tensor([0.01, 0.3, 1.0, 30.0, 1e6])[:, None]


def check_never_negative(activation: Activation) -> None:
    """Activities are finite and never negative; a unit whose sum is 0 is silent."""
    activities = activation.value(_sums())
    require(bool((activities.isfinite() & (activities >= 0)).all()), "an activity is finite and not negative")
    require(not bool(activation.value(torch.zeros(1, 3)).any()), "a unit whose sum is 0 is silent")


def check_steer(activation: Activation) -> None:
    """A direction of the activities becomes one of the sums by the slope: ``da/dz``, found here by two values close by."""
    z = _sums().double()
    step = 1e-6 * z.abs().clamp(min=0.1)
    slope = (activation.value(z + step) - activation.value(z - step)) / (2 * step)
    delta = activation.value(z.clone()).sign()
    found = activation.steer(delta.clone(), z.clone)
    require(torch.allclose(found, slope, rtol=1e-4, atol=1e-6), "a direction is steered by the slope")


ACTIVATION_CHECKS: tuple[Callable[[Activation], None], ...] = (check_never_negative, check_steer)
