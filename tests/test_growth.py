"""That a network grows while it lives: scikit-learn's digits, some labels first, then all."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ffstream import LayerConfig, NetworkConfig, VideoConfig
from ffstream.classify import Method, Reader
from ffstream.errors import ConfigError
from ffstream.frames import to_tensor
from ffstream.growth import LAYOUT, grown
from ffstream.message import Batch, Position
from ffstream.network import Network
from ffstream.polarity import Polarity
from ffstream.stage import Stage
from ffstream.stream.events import Recorded, Sleep

DIGITS = NetworkConfig(inputs=64, classes=10, units=(200, 200), batch=25, memory=2000)
MARGIN = {Method.ONE_PASS: 0.02, Method.SHORTLIST: 0.03, Method.GOODNESS: 0.03}
"""By how much a network that has grown may answer worse."""


class Learner:
    """A network fed with digits; it sleeps after every fifth micro-batch."""

    def __init__(self, config, digits):
        self.digits, self.fed, self.seq = digits, np.zeros(0, np.int64), 0
        self.network = Network(config, lambda ids: to_tensor(self.digits.x[self.fed[ids - 1]]))

    def learn(self, order):
        batch = self.network.config.batch
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            ids = torch.arange(len(part)) + len(self.fed) + 1
            self.fed = np.concatenate([self.fed, part])
            labels = torch.from_numpy(self.digits.y[part])
            self.seq += 1
            frames = to_tensor(self.digits.x[part])
            self.network.wake(Batch(Position(self.seq), Polarity.POSITIVE, frames, labels, ids))
            if start // batch % 5 == 4:
                self.seq += 1
                sleep = Sleep(5, batch, "test")
                self.network.sleep(Recorded(self.seq, sleep, 0.0), sleep)

    def right(self, method, labels):
        reader = Reader(self.network.config, [stage.weights() for stage in self.network.stages])
        held = np.isin(self.digits.y_held, labels)
        said = reader.classify(to_tensor(self.digits.x_held[held]), method).labels.numpy()
        return float((said == self.digits.y_held[held]).mean())


def test_five_labels_and_then_ten_end_as_well_as_ten(digits):
    """Five labels are learned, then all, by a network that grows and by one that had ten labels from the start."""
    order = digits.order(8, seed=0)
    five, all_ten = order[digits.y[order] < 5][:2500], order[:5000]
    growing, wide = Learner(replace(DIGITS, classes=5), digits), Learner(DIGITS, digits)
    growing.learn(five)
    before = {method: growing.right(method, range(5)) for method in Method}
    growing.network.grow(DIGITS)
    for method, right in before.items():
        assert right > 0.97
        assert growing.right(method, range(5)) > right - 0.01, method
    wide.learn(five)
    for learner in (growing, wide):
        learner.learn(all_ten)
    for method in Method:
        found, expected = growing.right(method, range(10)), wide.right(method, range(10))
        assert found > expected - MARGIN[method], (method, found, expected)
    assert growing.right(Method.ONE_PASS, range(10)) > 0.95


@pytest.mark.parametrize("rule", ["curvature", "plain", "adam"])
@pytest.mark.parametrize("inputs", [5, 63, 64, 300])
def test_every_tensor_that_grows_is_laid_out(rule, inputs):
    """Whatever the size of a layer against the directions that its rule follows."""
    config = NetworkConfig(inputs=inputs, classes=3, units=(24, 16), layer=LayerConfig(rule=rule))
    wider = replace(config, inputs=inputs + 40, classes=5)
    for index in range(config.depth):
        before, after = Stage(config, index).state(), grown(Stage(config, index), wider).state()
        assert {name: tensor.shape for name, tensor in after.items()} == {
            name: tensor.shape for name, tensor in Stage(wider, index).state().items()
        }
        moved = {name for name in before if before[name].shape != after[name].shape}
        assert {name for name in moved if "spectrum" not in name} <= LAYOUT.keys()


def test_the_curvature_knows_old_rows_as_before():
    """What multiplies an old row is the same in its old places, and as for all that is rare in new ones."""
    config = NetworkConfig(inputs=20, classes=3, units=(24,), batch=10)
    stage = Stage(config, 0)
    x = torch.rand(10, 23, generator=torch.Generator().manual_seed(0))
    stage.layer.learn(x, stage.layer.forward(x), Polarity.POSITIVE)
    wider = grown(stage, replace(config, inputs=22, classes=5))
    rule, wide = stage.layer.rule, wider.layer.rule
    row = torch.cat([x, torch.ones(10, 1)], dim=1)
    old = [*range(20), *range(22, 25), 27]
    placed = torch.zeros(10, 28)
    placed[:, old] = row
    was, now = rule.curvature.precondition(row), wide.curvature.precondition(placed)
    assert torch.allclose(now[:, old], was, rtol=1e-3, atol=1e-4)
    assert not now[:, [20, 21, 25, 26]].any()
    basis = wide.curvature.basis
    assert torch.allclose(basis.t() @ basis, torch.eye(basis.shape[1]), atol=1e-4)


SYMBOLS = replace(DIGITS, inputs=4, encoding="symbols", negatives="generated_symbols")
CLIP = replace(DIGITS, video=VideoConfig(ticks=2, read=(1, 2)))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (DIGITS, replace(DIGITS, classes=9), "classes: got 9, expected at least the 10 that there are"),
        (DIGITS, replace(DIGITS, inputs=60), "inputs: got 60, expected at least the 64 that there are"),
        (DIGITS, replace(DIGITS, classes=11, seed=1), "everything else has to stay"),
        (SYMBOLS, replace(SYMBOLS, classes=11), "a network of symbols does not grow"),
        (CLIP, replace(CLIP, inputs=128), "a recurrent network's frames do not grow"),
    ],
)
def test_what_is_no_growth_is_refused_and_changes_nothing(before, after, message):
    network = Network(before, lambda ids: torch.zeros(len(ids), before.inputs))
    was = network.digests()
    with pytest.raises(ConfigError, match=message):
        network.grow(after)
    assert network.config == before
    assert network.digests() == was
