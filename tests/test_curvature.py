import pytest
import torch

from ffstream.curvature import LEVERAGE, Curvature


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
    curvature, x = Curvature(12, directions=directions, damping=0.3), inputs(200)
    for _ in range(15):
        curvature.observe(x)
    assert torch.allclose(curvature.moment.matrix, x.t() @ x / 200, rtol=1e-4, atol=1e-5)
    few = x[:20] * 0.5
    expected = few.double() @ exact(x.t() @ x / 200, min(directions, 12), 0.3)
    assert torch.allclose(curvature.precondition(few).double(), expected, rtol=1e-2, atol=1e-2)


def test_a_row_far_beyond_the_others_is_scaled_down():
    curvature, x = Curvature(12, directions=4, damping=0.3), inputs(200)
    curvature.observe(x)
    far = inputs(1) * 1000
    steered = curvature.precondition(far)
    assert float((far * steered).sum()) == pytest.approx(LEVERAGE * float(curvature.expected), rel=1e-3)
    mean = (x * curvature.precondition(x)).sum(dim=1).mean()
    assert float(mean) == pytest.approx(float(curvature.expected), rel=0.1)
