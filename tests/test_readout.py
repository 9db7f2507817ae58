import pytest
import torch

from ffstream import ReadoutConfig
from ffstream.readout import ReadoutSlice

TOLD = torch.eye(4)[torch.tensor([0, 2, 3, 2])]


def slice_of(smoothing: float) -> ReadoutSlice:
    return ReadoutSlice(6, 4, ReadoutConfig(smoothing=smoothing))


def test_smoothed_labels_are_learned_as_if_they_had_been_told_so():
    h = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    smooth, plain = slice_of(0.2), slice_of(0.0)
    for _ in range(5):
        smooth.learn(h, smooth.correct(h, torch.zeros(4, 4)), TOLD)
        plain.learn(h, plain.correct(h, torch.zeros(4, 4)), 0.8 * TOLD + 0.05)
    assert torch.allclose(smooth.weights, plain.weights, atol=1e-6)
    assert smooth.weights.any()


@pytest.mark.parametrize("smoothing", [0.1, 0.4])
def test_what_is_told_again_and_again_is_never_certain(smoothing):
    """One row a label, learned until nothing changes: each label is as probable as it was told."""
    h, readout = torch.eye(4, 6), slice_of(smoothing)
    for _ in range(400):
        readout.learn(h, readout.correct(h, torch.zeros(4, 4)), torch.eye(4))
    found = readout.correct(h, torch.zeros(4, 4)).softmax(dim=1)
    assert torch.allclose(found.diagonal(), torch.full((4,), 1 - smoothing + smoothing / 4), atol=1e-3)
