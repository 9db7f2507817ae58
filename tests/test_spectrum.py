import pytest
import torch

from ffstream.spectrum import STEEPEST, SpectrumClip


def update(singular, units=64, inputs=80, seed=0):
    """A matrix with these singular values."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.linalg.qr(torch.randn(units, len(singular), generator=generator))[0]
    right = torch.linalg.qr(torch.randn(inputs, len(singular), generator=generator))[0]
    return left @ torch.diag(torch.tensor(singular)) @ right.t()


def followed(clip, matrix, updates=10):
    """What comes out once the directions have been found."""
    for _ in range(updates):
        out = matrix + clip.cut(matrix)
    return out


def test_the_largest_are_cut_to_the_last_of_them_and_the_others_stay():
    out = followed(SpectrumClip(64, 80, directions=4), update([40.0, 20.0, 9.0, 3.0, 1.0, 0.5]))
    assert torch.linalg.svdvals(out)[:6].tolist() == pytest.approx([3.0, 3.0, 3.0, 3.0, 1.0, 0.5], rel=1e-3)


def test_directions_stay_and_the_update_is_not_changed_itself():
    matrix = update([40.0, 20.0, 9.0, 3.0, 1.0])
    before = matrix.clone()
    out = followed(SpectrumClip(64, 80, directions=4), matrix)
    assert torch.equal(matrix, before)
    singular = torch.linalg.svdvals(out)
    along = float((singular[:4] * torch.tensor([40.0, 20.0, 9.0, 3.0])).sum()) + 1
    assert float((out * before).sum()) == pytest.approx(along, rel=1e-3)


def test_twice_the_update_is_twice_the_step():
    matrix = update([40.0, 20.0, 9.0, 3.0, 1.0])
    once = followed(SpectrumClip(64, 80, directions=4), matrix)
    assert torch.allclose(followed(SpectrumClip(64, 80, directions=4), 2 * matrix), 2 * once, rtol=1e-3, atol=1e-4)


def test_an_update_of_few_rows_is_cut_but_not_to_nothing():
    out = followed(SpectrumClip(64, 80, directions=4), update([10.0, 5.0]))
    assert torch.linalg.svdvals(out)[:2].tolist() == pytest.approx([10 / STEEPEST] * 2, rel=1e-3)


def test_nothing_to_learn_is_no_step():
    out = followed(SpectrumClip(64, 80, directions=4), torch.zeros(64, 80))
    assert torch.equal(out, torch.zeros(64, 80))


def test_a_small_layer_has_at_least_one_direction():
    assert SpectrumClip(3, 5, directions=64).basis.shape == (5, 1)
    assert SpectrumClip(500, 75, directions=64).basis.shape == (75, 9)
