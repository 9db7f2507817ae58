import pytest
import torch

from ffstream.curvature import LEVERAGE, Curvature, due


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
    assert torch.allclose(curvature.moment, x.t() @ x / 200, rtol=1e-4, atol=1e-5)
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


@pytest.mark.parametrize("share", [1.0, 0.25, 0.04])
def test_shares_of_an_update_count_as_shares(share):
    """The moment after 40 updates is the same to a few percent, however they were cut."""
    x = inputs(4000)
    whole, cut = (Curvature(12, directions=4, damping=0.3) for _ in range(2))
    rows = round(100 * share)
    for start in range(0, 4000, 100):
        whole.observe(x[start : start + 100])
    for start in range(0, 4000, rows):
        cut.observe(x[start : start + rows], share)
    assert float(cut.updates) == pytest.approx(40)
    assert torch.allclose(whole.moment, cut.moment, rtol=0.15, atol=0.15)


def test_when_it_is_due():
    at, found = frozenset({2, 5}), []
    before = 0
    for now in (0, 0, 1, 1, 2, 3, 5, 5, 9, 10, 10, 21):
        found.append(due(before, now, at, every=10))
        before = now
    assert found == [True, True, True, False, True, False, True, False, False, True, False, False]
