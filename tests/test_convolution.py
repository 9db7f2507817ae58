"""Local receptive fields whose weights are the same everywhere."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch.nn.functional import conv2d

from ffstream import Field, FieldsConfig, Layer, LayerConfig, NetworkConfig, Polarity, Stream, VideoConfig
from ffstream.errors import ConfigError
from ffstream.layer import forward
from ffstream.stage import Stage

FIELDS = FieldsConfig(7, 2, (Field(4, 6, 5, 2, shared=True), Field(4, 4, 3, shared=True), Field(2, 5, 4)))
CONFIG = NetworkConfig(FIELDS.inputs, 4, FIELDS.units, fields=FIELDS)
UNTOLD = replace(CONFIG, inputs=49, negatives="hybrid_frames", fields=replace(FIELDS, channels=1))
PLAIN = LayerConfig(rule="plain", rate=1.0, momentum=0.0, teach_above=0.0)
SHARED = (0, 1)


def rows(layer: Layer, seed: int = 0) -> torch.Tensor:
    return torch.rand(10, layer.inputs, generator=torch.Generator().manual_seed(seed))


def lived(config: NetworkConfig, index: int) -> Layer:
    layer = Stage(config, index).layer
    for step in range(6):
        x = rows(layer, step)
        layer.learn(x, layer.forward(x), Polarity.NEGATIVE if step % 3 else Polarity.POSITIVE)
    return layer


@pytest.mark.parametrize(("config", "index"), [(CONFIG, 0), (CONFIG, 1), (UNTOLD, 0)])
def test_forward_is_a_convolution(config, index):
    """Zero over the edges, and the label told at every location, where layers are told of it."""
    (side, channels), field, layer = config.fields.map_below(index), config.fields.layers[index], lived(config, index)
    x = rows(layer)
    weights, bias = layer.weights[0, :, :-1], layer.weights[0, :, -1]
    kernel = weights[:, : channels * field.size**2].view(-1, channels, field.size, field.size)
    maps = conv2d(x[:, : channels * side**2].view(10, channels, side, side), kernel, bias, field.stride, field.size // 2)
    to_label = weights[:, channels * field.size**2 :]
    assert to_label.shape[1] == (4 if config is CONFIG and index == 0 else 0)
    told = x[:, channels * side**2 :][:, : to_label.shape[1]] @ to_label.t()
    assert bias.abs().max() > 0
    assert torch.allclose(layer.forward(x), (maps + told[:, :, None, None]).relu().flatten(1), atol=1e-5)


@pytest.mark.parametrize(("index", "polarity"), [*product(SHARED, Polarity)])
def test_it_learns_the_mean_of_what_a_dense_layer_with_copies_of_its_weights_learns(index, polarity):
    layer = lived(replace(CONFIG, layer=PLAIN), index)
    dense = Layer(layer.inputs, layer.units, PLAIN)
    dense.weights.copy_(layer.wiring.as_dense(layer.weights))
    dense.mean_activity.copy_(layer.mean_activity)
    before = [each.weights.clone() for each in (layer, dense)]
    x = rows(layer, seed=9)
    reports = [each.learn(x, each.forward(x), polarity) for each in (layer, dense)]
    moved, copies = layer.weights - before[0], dense.weights - before[1]
    field, places = FIELDS.layers[index], layer.wiring.places
    seen = layer.wiring.as_dense(torch.arange(1.0, moved.numel() + 1).view_as(moved)).long()
    mean = torch.zeros(moved.numel() + 1).index_add_(0, seen.flatten(), copies.flatten() / places)[1:].view_as(moved)
    assert reports[0].goodness == pytest.approx(reports[1].goodness, abs=1e-5)
    assert places == field.grid**2
    assert moved.abs().max() > 1e-4
    assert torch.allclose(moved, mean, atol=1e-6)


@pytest.mark.parametrize("index", SHARED)
def test_its_weights_as_those_of_a_dense_layer(index):
    layer = lived(CONFIG, index)
    dense = layer.wiring.as_dense(layer.weights)
    x, picked = rows(layer), layer.wiring.distinct()
    assert torch.allclose(layer.forward(x), forward(dense, x), atol=1e-5)
    assert torch.equal(layer.wiring.as_dense(layer.weights, picked), dense[picked])
    middle = dense[picked, : FIELDS.map_below(index)[0] ** 2].count_nonzero(dim=1)
    assert (middle == FIELDS.layers[index].size ** 2).all(), "a whole field is seen in the middle"
    assert len(picked) == FIELDS.layers[index].channels


def test_rows_and_maps_go_there_and_back():
    wiring = Stage(CONFIG, 0).layer.wiring
    units = rows(Stage(CONFIG, 1).layer)
    assert torch.equal(wiring.join(wiring.split(units)), units)


def test_it_has_the_weights_of_one_location():
    own = replace(CONFIG, fields=replace(FIELDS, layers=tuple(replace(field, shared=False) for field in FIELDS.layers)))
    states = [Stage(config, 0).layer.state() for config in (CONFIG, own)]
    assert states[0]["weights"].shape == (1, 6, 25 * 2 + 4 + 1)
    sizes = [sum(tensor.numel() for tensor in state.values()) for state in states]
    assert sizes[0] < 0.1 * sizes[1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Field(4, 2, 3, tile=2, shared=True), "one block anyway"),
        (lambda: replace(CONFIG, video=VideoConfig()), "recurrent"),
        (lambda: replace(CONFIG, layer=LayerConfig(goodness="detectors_and_constraints")), "against each other"),
        (lambda: NetworkConfig(36, 4, (27,), fields=FieldsConfig(6, 1, (Field(3, 3, 4, shared=True),))), "odd"),
    ],
)
def test_what_cannot_be_shared_is_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        wrong()


def test_an_exact_step_is_refused():
    with pytest.raises(ConfigError, match="dense layers"):
        Stream.in_process(CONFIG).feed(torch.zeros(1, CONFIG.inputs).numpy(), [0], learn="exact")


def test_it_is_written_where_weights_are_shared_and_nowhere_else():
    assert NetworkConfig.from_dict(CONFIG.to_dict()) == CONFIG
    written = CONFIG.to_dict()["fields"]["layers"]
    assert ["shared" in layer for layer in written] == [True, True, False]
