"""What each source of negatives is about; the laws that all keep are in ``test_laws``."""

import numpy as np
import pytest
import torch

from ffstream import Method, NetworkConfig, Polarity, Schedule, Stream
from ffstream.errors import ConfigError
from ffstream.masks import blobs
from ffstream.negatives import NEGATIVES, HybridFrames, TwoConfusedLabels, UniformLabels
from ffstream.outcome import Dreamt


def recall(ids):
    return torch.from_numpy(ids).float()[:, None].expand(-1, 100)


def observed(source, frames=60, classes=5):
    memory = source(frames, classes, 0)
    ids = torch.arange(1, frames + 1)
    memory.observe(ids, ids % classes, torch.randn(frames, classes, generator=torch.Generator().manual_seed(0)))
    return memory


@pytest.mark.parametrize("batch", [10, 7])
def test_two_labels_of_a_frame_differ_and_come_together(batch):
    for dream in observed(TwoConfusedLabels).draw(5, batch, 1, recall):
        pairs = batch // 2
        assert (dream.ids[: 2 * pairs : 2] == dream.ids[1 : 2 * pairs : 2]).all()
        assert (dream.labels[: 2 * pairs : 2] != dream.labels[1 : 2 * pairs : 2]).all()
        assert len(set(dream.ids.tolist())) == -(-batch // 2)


def test_uniform_labels_are_even():
    drawn = torch.cat([dream.labels for dream in observed(UniformLabels).draw(500, 60, 1, recall)])
    counts = drawn.bincount(minlength=5) / len(drawn)
    assert counts.tolist() == pytest.approx([0.2] * 5, abs=0.01)


def test_a_hybrid_shows_two_frames_in_large_regions():
    dreams = list(observed(HybridFrames).draw(20, 30, 1, recall))
    frames = torch.cat([dream.frames for dream in dreams])
    assert max(len(frame.unique()) for frame in frames) == 2
    both = [frame for frame in frames if len(frame.unique()) == 2]
    assert len(both) > 0.9 * len(frames)
    of = torch.cat([torch.from_numpy(dream.ids) for dream in dreams])
    share = (frames == of[:, None]).float().mean()
    assert 0.4 < share < 0.6


def test_a_mask_is_smooth():
    masks = blobs(200, 784, np.random.default_rng(0)).view(-1, 28, 28)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert 0.45 < masks.mean() < 0.55
    assert (masks[:, 1:] == masks[:, :-1]).float().mean() > 0.8


@pytest.mark.parametrize("name", [name for name, source in NEGATIVES.items() if not source.generates])
def test_layers_learn_to_tell_positives_from_negatives(name, digits):
    config = NetworkConfig(64, 10, (100, 100), batch=25, negatives=name)
    stream = Stream.in_process(config, Schedule(every=125, idle=None))
    for _ in range(4):
        stream.feed(digits.x, digits.y)
    reports = stream.progress.goodness
    for positive, negative in zip(reports[Polarity.POSITIVE], reports[Polarity.NEGATIVE], strict=True):
        assert positive.goodness > negative.goodness
    method = Method.GOODNESS if config.wrong_labels else Method.ONE_PASS
    assert (stream.classify(digits.x_held, method).labels.numpy() == digits.y_held).mean() > 0.88


def test_hybrids_need_no_labels(digits):
    config = NetworkConfig(64, 10, (40, 40), batch=25, negatives="hybrid_frames")
    stream = Stream.in_process(config, Schedule(every=100, idle=None))
    before = stream.chain.digests()
    stream.feed(digits.x[:500])
    assert stream.progress.sleeps == 5
    assert set(before) == {part for part, digest in stream.chain.digests().items() if digest != before[part]}
    stream.feed(digits.x[:100], digits.y[:100])
    with pytest.raises(ConfigError, match="expected one_pass"):
        stream.classify(digits.x_held, Method.GOODNESS)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"negatives": "none"}, "expected one of"),
        ({"negatives": "two_confused_labels", "classes": 2}, "wrong labels for a frame"),
        ({"negatives": "hybrid_frames", "inputs": 65}, "expected a square number"),
    ],
)
def test_a_source_that_cannot_work_is_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        NetworkConfig(**{"inputs": 64, "classes": 10, **wrong})


@pytest.mark.parametrize("name", ["confused_labels", "hybrid_frames"])
def test_a_cycle_replays_frames_with_their_own_labels_before_it_dreams_of_them(name, digits):
    config = NetworkConfig(64, 10, (20, 20), batch=10, negatives=name)
    stream = Stream.in_process(config, Schedule(every=50, idle=None, cycle=2))
    stream.accept(digits.x[:50], digits.y[:50])
    slept = [outcome for outcome in stream.settle() if isinstance(outcome, Dreamt)]
    turns = "".join("+" if outcome.polarity is Polarity.POSITIVE else "-" for outcome in slept)
    assert turns == "++--++--+-"
    assert stream.progress.dreams == 50
    assert stream.progress.labelled == 50
    for at, outcome in enumerate(slept):
        own = torch.from_numpy(digits.y[outcome.ids.numpy() - 1])
        if turns[at] == "+":
            assert torch.equal(outcome.labels, own)
            of = at + (2 if at < 8 else 1)
            assert torch.equal(slept[of].ids, outcome.ids)
        else:
            assert not (outcome.labels == own).any()
