import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ffstream import sweep

FORMATS = pytest.mark.parametrize("format", [torch.float32, torch.bfloat16])
PARTS = st.floats(0, 1, width=32)


def matrices(seed, count, size=(7, 33)):
    """Numbers of many magnitudes; some are too large, or none at all."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        matrix = torch.randn(size, generator=generator) * 10.0 ** torch.randint(-30, 30, size, generator=generator)
        matrix[0, :3] = torch.tensor([float("inf"), float("nan"), 0.0])
        yield matrix


def bits(tensor):
    return tensor.view(torch.int32 if tensor.dtype is torch.float32 else torch.int16).tolist()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_it_is_compiled_where_there_is_a_compiler():
    assert sweep.COMPILED


@FORMATS
@given(seed=st.integers(0, 2**32), turn=PARTS, weight=PARTS, keep=PARTS)
def test_folding_in_c_has_the_bits_of_torch(format, seed, turn, weight, keep):
    def folded():
        direction, *means = matrices(seed, 4)
        out = sweep.fold(direction.to(format), *means, turn=turn, weight=weight, learn=1 - keep, keep=keep)
        return [bits(tensor.nan_to_num(nan=0.25)) for tensor in (out, *means)]

    compiled = folded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "COMPILED", None)
        assert folded() == compiled


@FORMATS
@given(seed=st.integers(0, 2**32), rate=PARTS)
def test_moving_in_c_has_the_bits_of_torch(format, seed, rate):
    def moved():
        weights, velocity, change = matrices(seed, 3)
        sweep.move(weights, velocity, change.to(format), rate)
        return bits(weights.nan_to_num(nan=0.25))

    compiled = moved()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "COMPILED", None)
        assert moved() == compiled


def test_parts_of_larger_tensors_are_swept_too():
    weights, velocity, change = matrices(0, 3)
    whole, view = weights.clone(), torch.zeros(7, 66)[:, ::2].copy_(weights)
    sweep.move(whole, velocity, change, 0.1)
    sweep.move(view, velocity, change, 0.1)
    assert bits(whole.nan_to_num()) == bits(view.contiguous().nan_to_num())
