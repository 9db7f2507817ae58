import numpy as np
import pytest
import torch

from ffstream import Method, NetworkConfig, Reader
from ffstream.errors import FFStreamError, ShapeError
from ffstream.frames import to_tensor
from ffstream.stage import Stage, StageWeights

CONFIG = NetworkConfig(inputs=6, classes=4, units=(9, 8, 7), batch=5)


def reader(config=CONFIG, seq=1):
    generator = torch.Generator().manual_seed(0)
    stages = [
        StageWeights(
            torch.randn(units, config.layer_inputs(index) + 1, generator=generator) / 3,
            torch.randn(config.classes, units, generator=generator),
        )
        for index, units in enumerate(config.units)
    ]
    return Reader(config, stages, seq)


def frames(n=20, inputs=6):
    return torch.rand(n, inputs, generator=torch.Generator().manual_seed(1))


def unit(x):
    """One row, divided by its root mean square."""
    return x / (x.square().mean() + 1e-8).sqrt()


def halves(a):
    """Units that speak for a row, and units that speak against it."""
    return a[: (len(a) + 1) // 2], a[(len(a) + 1) // 2 :]


def rows_of_all_layers(reader, frame, label):
    """Activities and normalized activities of one frame with one label vector, layer by layer, from the equations."""
    strength = reader.config.label_strength * len(frame) ** 0.5
    x = unit(torch.cat([unit(frame), strength * label]))
    for weights in (stage.layer for stage in reader.stages):
        a = (weights[:, :-1] @ x + weights[:, -1]).clamp(min=0)
        x = torch.cat([unit(half) for half in halves(a)])
        yield a, x


def logits_of(reader, frame):
    neutral = torch.full((reader.config.classes,), 1 / reader.config.classes)
    passed = rows_of_all_layers(reader, frame, neutral)
    return sum(stage.readout @ x for stage, (_, x) in zip(reader.stages, passed, strict=True))


def goodness_of(reader, frame, label):
    """Mean over the layers but the first of the difference of squares."""
    one_hot = torch.eye(reader.config.classes)[label]
    by_layer = []
    for a, _ in rows_of_all_layers(reader, frame, one_hot):
        speaks_for, against = halves(a)
        by_layer.append(float(speaks_for.square().sum() - against.square().sum()) / len(a))
    counted = by_layer[1:] or by_layer
    return sum(counted) / len(counted)


@pytest.mark.parametrize("units", [(9, 8, 7), (9, 8), (9,)])
def test_goodness_tries_every_label(units):
    read = reader(NetworkConfig(inputs=6, classes=4, units=units))
    found = read.classify(frames(), Method.GOODNESS)
    expected = torch.tensor([[goodness_of(read, frame, label) for label in range(4)] for frame in frames()])
    assert torch.allclose(found.scores, (25 * expected).softmax(dim=1), atol=2e-3)
    assert torch.equal(found.labels, expected.argmax(dim=1))
    assert len(found.labels.unique()) > 1


def test_one_pass_reads_the_neutral_view():
    read = reader()
    found = read.classify(frames(), Method.ONE_PASS)
    expected = torch.stack([logits_of(read, frame) for frame in frames()])
    assert torch.allclose(found.scores, expected.softmax(dim=1), atol=1e-4)
    assert torch.equal(found.labels, expected.argmax(dim=1))
    assert len(found.labels.unique()) > 1


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_shortlist_lets_both_decide_between_the_likeliest(k):
    read = reader()
    found = read.classify(frames(), Method.SHORTLIST, shortlist=k)
    for frame, label, scores in zip(frames(), found.labels, found.scores, strict=True):
        logits, tried = logits_of(read, frame).topk(min(k, 4))
        expected = torch.zeros(4)
        expected[tried] = (25 * torch.tensor([goodness_of(read, frame, label) for label in tried]) + logits).softmax(dim=0)
        assert torch.allclose(scores, expected, atol=2e-3)
        assert label == expected.argmax()


@pytest.mark.parametrize("k", [0, -1])
def test_a_shortlist_needs_a_label(k):
    with pytest.raises(FFStreamError, match="shortlist"):
        reader().classify(frames(), Method.SHORTLIST, shortlist=k)


@pytest.mark.parametrize("method", Method)
def test_scores_sum_to_one(method):
    scores = reader().classify(frames(), method).scores
    assert torch.allclose(scores.sum(dim=1), torch.ones(20))
    assert bool((scores >= 0).all())


@pytest.mark.parametrize("method", Method)
def test_cold(method):
    """With or without first weights, nothing has been learned: no label is better than another."""
    first_weights = [Stage(CONFIG, index).weights() for index in range(CONFIG.depth)]
    for cold in (Reader(CONFIG, first_weights, seq=3), Reader(CONFIG, ())):
        assert cold.cold
        assert torch.equal(cold.classify(frames(3), method).scores, torch.full((3, 4), 0.25))
    assert not reader().cold


def test_the_methods_agree_where_it_matters(learned, digits):
    """After learning, most held-out digits are the same to all three methods."""
    x = to_tensor(digits.x_held)
    labels = [learned.reader.classify(x, method).labels for method in Method]
    for other in labels[1:]:
        assert (labels[0] == other).float().mean() > 0.93


def test_frames_are_checked(learned):
    before = learned.journal.last_seq
    with pytest.raises(ShapeError, match=r"expected \[n, 64\]"):
        learned.classify(np.zeros((1, 63)))
    with pytest.raises(ShapeError, match=r"expected \[n, 64\]"):
        learned.classify(np.zeros(64))
    assert learned.journal.last_seq == before


def test_bytes_and_numbers_are_the_same_frames(learned, digits):
    x = digits.x_held[:10]
    assert torch.equal(learned.classify(x).scores, learned.classify(x.astype(np.float32) / 255).scores)
