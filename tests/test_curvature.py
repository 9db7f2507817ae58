import pytest
import torch

from ffstream.curvature import LEVERAGE, Curvature
from ffstream.layer_config import LayerConfig
from ffstream.polarity import Polarity
from ffstream.rules import LONG_DAMPING, CurvatureRule


def inputs(n, length=12):
    """Inputs with one direction that dominates, two dead ones and the constant of the bias."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, length, generator=generator) * torch.linspace(0.2, 2, length) + 1
    x[:, 3:5] = 0
    x[:, -1] = 1
    return x


def exact(moment, directions, damping):
    """``P`` by the equation, from all eigenpairs."""
    values, vectors = torch.linalg.eigh(moment.double())
    values, vectors = values.flip(0), vectors.flip(1)
    d = damping * moment.diagonal().mean()
    rest = values[directions] if directions < len(values) else 0.0
    top, basis = values[:directions], vectors[:, :directions]
    identity = torch.eye(len(values), dtype=torch.float64)
    return identity / (rest + d) + basis @ torch.diag(1 / (top + d) - 1 / (rest + d)) @ basis.t()


@pytest.mark.parametrize("directions", [1, 3, 12, 64])
def test_the_damped_inverse_in_the_top_directions(directions):
    curvature, x = Curvature(12, directions=directions), inputs(200)
    for _ in range(15):
        curvature.observe(x, damping=0.3)
    assert torch.allclose(curvature.moment.matrix, x.t() @ x / 200, rtol=1e-4, atol=1e-5)
    few = x[:20] * 0.5
    expected = few.double() @ exact(x.t() @ x / 200, min(directions, 12), 0.3)
    assert torch.allclose(curvature.precondition(few).double(), expected, rtol=1e-2, atol=1e-2)


def test_a_row_far_beyond_the_others_is_scaled_down():
    curvature, x = Curvature(12, directions=4), inputs(200)
    curvature.observe(x, damping=0.3)
    far = inputs(1) * 1000
    steered = curvature.precondition(far)
    assert float((far * steered).sum()) == pytest.approx(LEVERAGE * float(curvature.expected), rel=1e-3)
    mean = (x * curvature.precondition(x)).sum(dim=1).mean()
    assert float(mean) == pytest.approx(float(curvature.expected), rel=0.1)


def test_long_phases_are_damped_more():
    def steepest(phase):
        rule, weights, x = CurvatureRule(11, 8, LayerConfig()), torch.zeros(8, 12), inputs(200)
        for update in range(300):
            rule.observe(x, 1.0)
            polarity = Polarity.NEGATIVE if update // phase % 2 else Polarity.POSITIVE
            rule.step(weights, x, torch.ones(200, 8), 200, polarity, 1.0)
        return float(rule.curvature.rest)

    assert steepest(1) == pytest.approx(steepest(10), rel=1e-3)
    assert steepest(10) > 1.05 * steepest(30) > 1.05 * 1.05 * steepest(100)
    assert steepest(10) == pytest.approx(LONG_DAMPING * steepest(100), rel=1e-3)
