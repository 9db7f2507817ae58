from dataclasses import replace

import pytest
import torch

from ffstream import Method, ReadoutConfig, Schedule, Stream
from ffstream.checks.script import sample
from ffstream.classify import Ascent
from ffstream.errors import ConfigError
from ffstream.frames import to_tensor
from ffstream.readout import ReadoutSlice
from tests.networks import JOINT

TOLD = torch.eye(4)[torch.tensor([0, 2, 3, 2])]


def slice_of(smoothing: float) -> ReadoutSlice:
    return ReadoutSlice((6,), 4, ReadoutConfig(smoothing=smoothing))


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


def test_every_step_takes_its_share_off_the_weights():
    """In a step of 1, half of them, before the rest of the step is added."""
    h, config = torch.eye(4, 6), ReadoutConfig(rate=1.0, floor=1.0)
    plain, costly = (ReadoutSlice((6,), 4, replace(config, weight_cost=cost)) for cost in (0.0, 0.5))
    start = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    for readout in (plain, costly):
        readout.weights.copy_(start)
        readout.learn(h, readout.correct(h, torch.zeros(4, 4)), TOLD)
    assert torch.allclose(plain.weights - costly.weights, start / 2, atol=1e-6)


def test_one_readout_steps_in_every_layer_by_what_all_leave_wrong():
    """A step for each layer in its own metric, as a slice makes whose logits are those of all; half as long for the two."""
    generator = torch.Generator().manual_seed(0)
    whole = ReadoutSlice((6, 5), 4, ReadoutConfig(rate=2.0))
    parts = [ReadoutSlice((width,), 4, ReadoutConfig(rate=1.0)) for width in (6, 5)]
    for _ in range(4):
        h = torch.randn(4, 11, generator=generator)
        logits = whole.correct(h, torch.zeros(4, 4))
        whole.learn(h, logits, TOLD)
        for part, seen in zip(parts, torch.split(h, [6, 5], dim=1), strict=True):
            part.learn(seen, logits, TOLD)
    assert torch.allclose(whole.weights, torch.cat([part.weights for part in parts], dim=1), atol=1e-6)
    assert all(part.weights.any() for part in parts)


def test_one_readout_reads_all_layers():
    """What the reader adds up is the product of all layers' activities with the last stage's weights; the others have none."""
    stream = Stream.in_process(JOINT, Schedule(every=30, idle=None))
    x, y = sample(stream, 0, 120)
    stream.feed(x, y)
    *below, last = stream.reader.stages
    assert [stage.readout.shape for stage in below] == [(4, 0), (4, 0)]
    assert last.readout.shape == (4, 60)
    ascent = Ascent(JOINT, stream.reader.stages)
    activities = [h for _, h in ascent.passed(ascent.views.neutral(to_tensor(x[:9])))]
    found = stream.reader.logits(to_tensor(x[:9]))
    assert torch.allclose(found, torch.cat(activities, dim=1) @ last.readout.t(), atol=1e-5)
    assert (stream.classify(x, Method.ONE_PASS).labels.numpy() == y).mean() > 0.9


def test_one_readout_learns_in_no_exact_step():
    stream = Stream.in_process(JOINT)
    with pytest.raises(ConfigError, match="joint readout"):
        stream.feed(*sample(stream, 0, 1), learn="exact")
    assert stream.progress.frames == 0
