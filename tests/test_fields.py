from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from ffstream import UNSUPERVISED, Field, FieldsConfig, LayerConfig, NetworkConfig, Polarity, VideoConfig
from ffstream.curvature import Curvature
from ffstream.errors import ConfigError
from ffstream.growth import check_growth
from ffstream.layer import forward
from ffstream.sketch import Sketch
from ffstream.spectrum import SpectrumClip
from ffstream.stage import Stage
from ffstream.wiring import wiring_of

FIELDS = FieldsConfig(6, 2, (Field(4, 3, 3, tile=2), Field(3, 2, 2), Field(2, 5, 2, tile=2)))
CONFIG = NetworkConfig(FIELDS.inputs, 4, FIELDS.units, fields=FIELDS)
KINDS = {
    "labels beside the frame": CONFIG,
    "no labels": replace(CONFIG, inputs=36, units=(48, 18, 20), negatives="hybrid_frames", fields=replace(FIELDS, channels=1)),
    "recurrent": replace(CONFIG, video=VideoConfig()),
}


def place(index: int, side: int) -> tuple[int, int, int]:
    """Channel, row and column of a number of a map."""
    return index // side**2, index // side % side, index % side


def sees(config: NetworkConfig, index: int, unit: int, column: int) -> bool:
    """Whether a unit is connected to a number of its input, by the words of the paper."""
    field, (side, _) = config.fields.layers[index], config.fields.map_below(index)
    sources = config.sources(index)
    here = place(unit, field.grid)[1:]

    def within(field, side, location, other):
        start = (side - (field.grid - 1) * field.stride - field.size) // 2
        return all(0 <= at - (start + where * field.stride) < field.size for at, where in zip(other, location, strict=True))

    if column < sources[0]:
        return within(field, side, here, place(column, side)[1:])
    if config.video is not None and index < config.depth - 1:
        upper = config.fields.layers[index + 1]
        return within(upper, field.grid, place(column - sources[0], upper.grid)[1:], here)
    return config.wrong_labels and (config.video is not None or index == 0)


@pytest.mark.parametrize(("kind", "index"), [*product(KINDS, range(3))])
def test_units_are_connected_to_their_fields_alone_and_stay_so(kind, index):
    config = KINDS[kind]
    layer = Stage(config, index).layer
    expected = [[sees(config, index, unit, column) for column in range(layer.inputs)] for unit in range(layer.units)]
    generator = torch.Generator().manual_seed(0)
    for step in range(12):
        x = torch.rand(10, layer.inputs, generator=generator)
        activities = layer.forward(x)
        layer.learn(x, activities, Polarity.NEGATIVE if step % 3 else Polarity.POSITIVE)
    dense = layer.wiring.as_dense(layer.weights)
    assert torch.equal(dense[:, :-1] != 0, torch.tensor(expected))
    assert torch.allclose(layer.forward(x), forward(dense, x), atol=1e-5)


@pytest.mark.parametrize("index", range(3))
def test_first_weights_suit_the_connections_that_a_unit_has(index):
    layer = Stage(CONFIG, index).layer
    dense = torch.stack(
        [wiring_of(CONFIG, index).as_dense(layer.wiring.first_weights(torch.Generator().manual_seed(s))) for s in range(50)]
    )
    assert torch.allclose(dense.square().mean(dim=0).sum(dim=1).mean(), torch.ones(()), atol=0.1)
    assert not dense[..., -1].any()


def test_footnote_8_and_table_1():
    digits = FieldsConfig(28, 1, (Field(4, 128, 10, 6), Field(3, 220, 2), Field(2, 512, 2)))
    assert digits.units == (2048, 1980, 2048)
    first, second, third = (field.seen(digits.map_below(at)[0]) for at, field in enumerate(digits.layers))
    assert (first[0].min(), first[-1].max(), first[5][0]) == (0, 783, 6 * 28 + 6)
    assert second.tolist()[:2] == [[0, 1, 4, 5], [1, 2, 5, 6]]
    assert third.tolist() == [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
    pictures = Field(32, 3, 11).seen(32)
    assert (pictures >= 0).sum(axis=1).reshape(32, 32)[[0, 5, 16, 31], [0, 0, 16, 31]].tolist() == [36, 66, 121, 36]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Field(4, 1, 3, tile=3), "divisor"),
        (lambda: Field(0, 1, 3), "grid"),
        (lambda: FieldsConfig(4, 1, (Field(9, 1, 1),)), "see nothing"),
        (lambda: replace(CONFIG, units=(48, 18, 21)), "units"),
        (lambda: replace(CONFIG, inputs=71), "inputs"),
        (lambda: replace(CONFIG, standardize=True), "pictures"),
    ],
)
def test_fields_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        wrong()


def test_a_network_of_fields_does_not_grow():
    with pytest.raises(ConfigError, match="does not grow"):
        check_growth(CONFIG, replace(CONFIG, classes=5))


def test_fields_are_part_of_what_is_written():
    assert NetworkConfig.from_dict(CONFIG.to_dict()) == CONFIG
    assert "fields" not in replace(CONFIG, fields=None).to_dict()


@pytest.mark.parametrize("inputs", [20, 70])
def test_the_sketch_does_what_the_moment_does(inputs):
    """To a stream of few large directions and many small ones, two blocks of it at once."""
    rng = np.random.default_rng(0)
    scales = np.array([2.0, 1.0]) * (0.9 ** np.arange(inputs))[:, None]
    turn = np.linalg.qr(rng.standard_normal((inputs, inputs)))[0]
    moments = [Curvature(inputs, directions=12) for _ in range(2)]
    sketch = Sketch(2, inputs, directions=12)
    for _ in range(200):
        x = torch.from_numpy((rng.standard_normal((2, 50, inputs)) * scales.T[:, None] + 0.5) @ turn).float()
        sketch.observe(x, damping=0.2)
        for moment, part in zip(moments, x, strict=True):
            moment.observe(part, damping=0.2)
    expected = torch.stack([moment.precondition(part) for moment, part in zip(moments, x, strict=True)])
    assert float((sketch.precondition(x) - expected).norm() / expected.norm()) < 0.03


def test_blocks_are_cut_each_by_itself():
    generator = torch.Generator().manual_seed(0)
    together = SpectrumClip(40, 30, directions=3, blocks=(2,))
    alone = [SpectrumClip(40, 30, directions=3) for _ in range(2)]
    for each, basis in zip(alone, together.basis, strict=True):
        each.basis.copy_(basis)
    for _ in range(12):
        updates = torch.randn(2, 40, 30, generator=generator) + 3
        cut = together.cut(updates)
        for each, part, update in zip(alone, cut, updates, strict=True):
            assert torch.allclose(part, each.cut(update), atol=1e-4)


def test_sparse_layers_take_less_memory_than_dense_ones():
    fields = FieldsConfig(28, 1, (Field(4, 128, 10, 6), Field(3, 220, 2), Field(2, 512, 2)))
    local = NetworkConfig(784, 10, fields.units, layer=UNSUPERVISED, negatives="hybrid_frames", fields=fields)
    for index in range(3):
        sizes = [
            sum(tensor.numel() for tensor in Stage(config, index).layer.state().values())
            for config in (local, replace(local, fields=None))
        ]
        assert sizes[0] < 0.6 * sizes[1]


def test_learning_rules_other_than_the_default_learn_fields_too():
    for rule, rate in (("plain", 0.1), ("adam", 0.001)):
        layer = Stage(replace(CONFIG, layer=LayerConfig(rule=rule, rate=rate)), 0).layer
        x = torch.rand(10, layer.inputs, generator=torch.Generator().manual_seed(0))
        before = layer.learn(x, layer.forward(x), Polarity.POSITIVE).goodness
        for _ in range(20):
            after = layer.learn(x, layer.forward(x), Polarity.POSITIVE).goodness
        assert after > before
