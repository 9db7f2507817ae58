import dataclasses
import json

import pytest

from ffstream import PLAIN, Field, FieldsConfig, LayerConfig, NetworkConfig, ReadoutConfig, VideoConfig
from ffstream.boxes import BoxConfig
from ffstream.errors import ConfigError
from ffstream.fast_weights import FastWeights

FULL = NetworkConfig(
    inputs=3,
    classes=2,
    units=(5, 4),
    batch=7,
    label_strength=0.3,
    memory=9,
    seed=11,
    layer=PLAIN,
    readout=ReadoutConfig(rate=1.0),
)
TABLE = dataclasses.replace(FULL, standardize=True)
SMOOTH = dataclasses.replace(FULL, readout=ReadoutConfig(smoothing=0.3, weight_cost=0.01, joint=True))
RECALLING = dataclasses.replace(FULL, encoding="symbols", fast_weights=FastWeights(context=2, orders=(1, 2)))


def test_a_network_of_numbers_does_not_mention_symbols():
    """Folders of before there were any go on as they are."""
    assert "encoding" not in FULL.to_dict()
    assert dataclasses.replace(FULL, encoding="symbols").to_dict()["encoding"] == "symbols"
    assert not {"standardize", "average_span", "certainty", "fields", "fast_weights"} & FULL.to_dict().keys()
    assert not {"activation", "blocks"} & FULL.to_dict()["layer"].keys()
    assert not {"smoothing", "weight_cost", "joint"} & FULL.to_dict()["readout"].keys()


@pytest.mark.parametrize(
    "config", [FULL, NetworkConfig(inputs=1, classes=2), NetworkConfig(3, 256, encoding="symbols"), TABLE, SMOOTH, RECALLING]
)
def test_round_trip_through_json(config):
    again = NetworkConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.digest() == config.digest()
    assert hash(again) == hash(config)


OTHER = {
    "inputs": 4,
    "classes": 3,
    "units": (5, 4, 3),
    "batch": 8,
    "label_strength": 0.4,
    "memory": 10,
    "seed": 12,
    "negatives": "uniform_labels",
    "encoding": "symbols",
    "standardize": True,
    "average_span": 4,
    "certainty": 0.9,
    "box": BoxConfig("net"),
    "hardware": 1,
    "soft_labels": True,
}
PLACE = FieldsConfig(1, FULL.inputs, tuple(Field(1, width, 1) for width in FULL.units))
OTHER |= {"layer": LayerConfig(), "readout": ReadoutConfig(), "video": VideoConfig(), "fields": PLACE}


def test_the_digest_sees_fast_weights():
    digests = {
        dataclasses.replace(RECALLING, fast_weights=fast).digest()
        for fast in (None, FastWeights(2, (1,)), FastWeights(1, (1,)))
    }
    assert len(digests) == 3


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(NetworkConfig) if field.name != "fast_weights"])
def test_the_digest_sees_every_field(name):
    other = dataclasses.replace(FULL, **{name: OTHER[name]})
    assert other.digest() != FULL.digest()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(LayerConfig) if field.name != "goodness"])
def test_the_digest_sees_every_constant_of_a_layer(name):
    value = getattr(PLAIN, name)
    match value:
        case None | float():
            other = (value or 0.0) / 2 + 1 / 4
        case int():
            other = value + 1
        case _:
            other = {"rule": "curvature", "precision": "bfloat16", "activation": "student_t"}[name]
    assert dataclasses.replace(FULL, layer=dataclasses.replace(PLAIN, **{name: other})).digest() != FULL.digest()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ReadoutConfig)])
def test_the_digest_sees_every_constant_of_a_readout(name):
    other = getattr(FULL.readout, name) / 2 + 1 / 3
    assert dataclasses.replace(FULL, readout=dataclasses.replace(FULL.readout, **{name: other})).digest() != FULL.digest()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"inputs": 0}, "inputs: got 0"),
        ({"classes": 1}, "at least 2"),
        ({"units": ()}, "units"),
        ({"units": (5, 0)}, "units"),
        ({"batch": 0}, "batch: got 0"),
        ({"memory": 0}, "memory: got 0"),
        ({"encoding": "runes"}, "encoding: got 'runes'"),
        ({"encoding": "symbols", "classes": 257}, "at most 256 kinds"),
        ({"encoding": "symbols", "standardize": True}, "standardize: numbers have a scale"),
        ({"video": VideoConfig(), "standardize": True}, "standardize: got True, which a recurrent network"),
        ({"video": VideoConfig(), "readout": ReadoutConfig(joint=True)}, "readout joint: a recurrent network"),
        ({"layer": LayerConfig(blocks=5)}, "blocks: got 5, but a layer has 4 units"),
        ({"fast_weights": FastWeights(1, (1,))}, "fast_weights: got 3 numbers"),
        ({"encoding": "symbols", "fast_weights": FastWeights(4)}, "fast_weights: got 3 symbols, expected at least 4 symbols"),
        ({"encoding": "symbols", "fast_weights": FastWeights(1, (3,))}, "expected at least 4 symbols"),
        ({"negatives": "generated_symbols"}, "made of symbols: got encoding 'numbers'"),
    ],
)
def test_networks_that_cannot_work(wrong, said):
    with pytest.raises(ConfigError, match=said):
        dataclasses.replace(FULL, **wrong)


@pytest.mark.parametrize("ability", ["avx512_bf16", "amx_bf16", "bf16", None])
def test_auto_becomes_the_precision_that_the_processor_multiplies_fastest(monkeypatch, ability):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx2": True, "amx_bf16": False} | {ability: True})
    config = LayerConfig(precision="auto")
    assert config.precision == ("bfloat16" if ability else "float32")
    assert config == LayerConfig(precision=config.precision)


@pytest.mark.parametrize(
    "wrong",
    [
        {"goodness": "charm"},
        {"rule": "luck"},
        {"precision": "float8"},
        {"sharpness": 0.0},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"damping": 0.0},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"directions": 0},
        {"activation": "step"},
    ],
)
def test_layers_that_cannot_work(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        LayerConfig(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0.0}, {"damping": float("inf")}, {"smoothing": 1.0}, {"smoothing": -0.1}]
    + [{"weight_cost": cost} for cost in (-0.1, 0.5, float("nan"))],
)
def test_readouts_that_cannot_work(wrong):
    with pytest.raises(ConfigError, match=f"readout {next(iter(wrong))}"):
        ReadoutConfig(**wrong)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data | {"colour": "red"}, "colour"),
        (lambda data: data | {"layer": data["layer"] | {"colour": "red"}}, "colour"),
        (lambda data: {name: value for name, value in data.items() if name != "units"}, "units"),
        (lambda data: {name: value for name, value in data.items() if name != "layer"}, "layer"),
        (lambda data: {name: value for name, value in data.items() if name != "inputs"}, "inputs"),
        (lambda data: data | {"layer": None}, "configuration"),
        (lambda data: data | {"units": None}, "configuration"),
        (lambda data: data | {"classes": 1}, "classes"),
    ],
)
def test_data_that_is_no_network(change, said):
    with pytest.raises(ConfigError, match=said):
        NetworkConfig.from_dict(change(FULL.to_dict()))


def test_the_first_layer_sees_frame_and_label():
    assert [FULL.layer_inputs(index) for index in range(FULL.depth)] == [5, 5]
    assert [dataclasses.replace(FULL, units=(9, 8, 7)).layer_inputs(index) for index in range(3)] == [5, 9, 8]
    assert dataclasses.replace(FULL, encoding="symbols").layer_inputs(0) == 3 * 2 + 2
    assert TABLE.layer_inputs(0) == 1 + 6 * 3 + 2
    assert RECALLING.layer_inputs(0) == 2 * 2 + 2 * 2 + 2
