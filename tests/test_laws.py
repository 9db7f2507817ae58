"""Every law, for everything that has to keep it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ffstream import (
    ADAM,
    PLAIN,
    UNSUPERVISED,
    UNSUPERVISED_READOUT,
    Field,
    FieldsConfig,
    Layer,
    LayerConfig,
    NetworkConfig,
    Schedule,
    Stream,
    checks,
)
from ffstream.activation import ACTIVATIONS
from ffstream.boxes import BoxConfig
from ffstream.checks.chain import (
    check_classify_changes_nothing,
    check_matches_network,
    check_memory_bounded,
    check_predicts_before_learning,
    check_replay_from_snapshot,
)
from ffstream.fast_weights import FastWeights
from ffstream.goodness import GOODNESS
from ffstream.negatives import NEGATIVES
from ffstream.stream.memory_journal import MemoryJournal
from ffstream.stream.sqlite_journal import SqliteJournal
from ffstream.wiring import wiring_of
from tests.networks import CLIPS, CONVOLUTIONAL, JOINT, LOCAL, NETWORK, RECURRENT, RECURRENT_LOCAL, SEQUENCE, TABLE

RULES = {
    **{name: LayerConfig(goodness=name) for name in GOODNESS},
    "plain": PLAIN,
    "adam": ADAM,
    "bfloat16": LayerConfig(precision="bfloat16"),
    "detectors_and_constraints": LayerConfig(goodness="detectors_and_constraints", blocks=2),
    "experts": LayerConfig(activation="student_t", goodness="negative_mean_of_activities", blocks=3),
    "bare": LayerConfig(momentum=0.0, peer=0.0, memory_weight=0.0, teach_above=0.0),
}
SHAPES = [(6, 90), (40, 25), (120, 30)]
SCHEDULE = Schedule(every=30, idle=None)


def parametrize(checks):
    return pytest.mark.parametrize("check", checks, ids=lambda check: check.__name__.removeprefix("check_"))


@parametrize(checks.LAYER_CHECKS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_layer(check, rule, shape):
    check(partial(Layer, config=RULES[rule]), *shape)


def of_fields(inputs: int, units: int, *, seed: int) -> Layer:
    """Wired like the first or the second layer of a network whose maps are of 6 x 6."""
    field = Field(6, units // 36, 3, tile=2)
    fields = FieldsConfig(6, inputs // 36, (field, field))
    network = NetworkConfig(inputs, 4, fields.units, negatives="uniform_labels", fields=fields)
    return Layer(units, units, seed=seed, wiring=wiring_of(network, 1))


def of_a_convolution(inputs: int, units: int, *, seed: int) -> Layer:
    """Wired like the second layer of a network whose maps are of 4 x 4."""
    field = Field(4, units // 16, 3, shared=True)
    fields = FieldsConfig(4, inputs // 16, (field, field))
    network = NetworkConfig(inputs, 4, fields.units, negatives="uniform_labels", fields=fields)
    return Layer(units, units, seed=seed, wiring=wiring_of(network, 1))


@parametrize(checks.LAYER_CHECKS)
def test_local_layer(check):
    check(of_fields, 144, 144)


@parametrize(checks.LAYER_CHECKS)
def test_convolutional_layer(check):
    check(of_a_convolution, 96, 96)


@parametrize(checks.GOODNESS_CHECKS)
@pytest.mark.parametrize("name", GOODNESS)
def test_goodness(check, name):
    check(lambda: GOODNESS[name])


@parametrize(checks.NEGATIVE_CHECKS)
@pytest.mark.parametrize("name", NEGATIVES)
def test_negatives(check, name):
    check(NEGATIVES[name])


@parametrize(checks.OBSERVED_CHECKS)
@pytest.mark.parametrize("name", [name for name, source in NEGATIVES.items() if not source.generates])
def test_observed(check, name):
    check(NEGATIVES[name])


@parametrize(checks.GENERATOR_CHECKS)
@pytest.mark.parametrize("name", [name for name, source in NEGATIVES.items() if source.generates])
def test_generators(check, name):
    check(NEGATIVES[name])


@parametrize(checks.WRONG_LABEL_CHECKS)
@pytest.mark.parametrize("name", [name for name, each in NEGATIVES.items() if each.wrong_labels and not each.generates])
def test_wrong_labels(check, name):
    check(NEGATIVES[name])


@parametrize(checks.CONFUSION_CHECKS)
@pytest.mark.parametrize("name", ["confused_labels", "two_confused_labels"])
def test_confusions(check, name):
    check(NEGATIVES[name])


TWO = replace(NETWORK, units=(40, 30))
GROWING = {
    **{name: replace(TWO, layer=RULES[name]) for name in ("opponent_squares", "mean_of_squares", "plain", "adam")},
    "one layer": replace(NETWORK, units=(30,)),
    "wide frames": replace(TWO, inputs=70),
    "a table": replace(TWO, standardize=True),
    "hybrid frames": replace(TWO, inputs=16, negatives="hybrid_frames", layer=UNSUPERVISED, readout=UNSUPERVISED_READOUT),
    "recurrent": RECURRENT,
    "recurrent, one layer": replace(RECURRENT, units=(20,)),
}


@parametrize(checks.GROWTH_CHECKS)
@pytest.mark.parametrize("kind", GROWING)
def test_growth(check, kind):
    check(GROWING[kind])


@parametrize(checks.JOURNAL_CHECKS)
@pytest.mark.parametrize("kind", ["sqlite", "power_safe", "memory"])
def test_journal(check, kind, tmp_path):
    made = iter(range(10))
    make = {
        "sqlite": lambda inputs: SqliteJournal(tmp_path / f"{next(made)}.sqlite", inputs),
        "power_safe": lambda inputs: SqliteJournal(tmp_path / f"{next(made)}.sqlite", inputs, power_safe=True),
        "memory": MemoryJournal,
    }
    check(make[kind])


@parametrize(checks.ACTIVATION_CHECKS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(check, name):
    check(ACTIVATIONS[name])


def in_folder(folder: Path) -> Stream:
    return Stream.in_process(NETWORK, SCHEDULE, folder=folder)


def in_memory(folder: Path) -> Stream:
    return Stream.in_process(NETWORK, SCHEDULE)


def few_credits(folder: Path) -> Stream:
    return Stream.in_process(NETWORK, SCHEDULE, folder=folder, credits=1, publish_every=1)


def growing(folder: Path) -> Stream:
    return Stream.in_process(replace(NETWORK, classes=2), SCHEDULE, folder=folder, max_classes=4)


def growing_recurrent(folder: Path) -> Stream:
    return Stream.in_process(replace(RECURRENT, classes=2), SCHEDULE, folder=folder, max_classes=4)


def replaying(folder: Path) -> Stream:
    return Stream.in_process(NETWORK, replace(SCHEDULE, cycle=2), folder=folder)


def impatient(folder: Path) -> Stream:
    return Stream.in_process(NETWORK, replace(SCHEDULE, cycle=1, enough=0.9), folder=folder)


def generating(folder: Path) -> Stream:
    return Stream.in_process(SEQUENCE, SCHEDULE, folder=folder)


def of_a_table(folder: Path) -> Stream:
    return Stream.in_process(TABLE, replace(SCHEDULE, cycle=2), folder=folder)


def of_fields_with_labels(folder: Path) -> Stream:
    return Stream.in_process(LOCAL, SCHEDULE, folder=folder)


def of_fields_recurrent(folder: Path) -> Stream:
    return Stream.in_process(RECURRENT_LOCAL, SCHEDULE, folder=folder)


def of_convolutions(folder: Path) -> Stream:
    return Stream.in_process(CONVOLUTIONAL, SCHEDULE, folder=folder)


def of_one_readout(folder: Path) -> Stream:
    return Stream.in_process(replace(JOINT, classes=2), SCHEDULE, folder=folder, max_classes=4)


BRIEF = [check for check in checks.CHAIN_CHECKS if check is not check_memory_bounded]
"""Checks of a chain but for the one that takes as long as all others."""


@parametrize(BRIEF)
@pytest.mark.parametrize("make", [of_fields_with_labels, of_fields_recurrent, of_convolutions])
def test_local_chain(check, make):
    check(make)


@parametrize([check_replay_from_snapshot])
@pytest.mark.parametrize("make", [of_fields_with_labels, of_convolutions])
def test_durable_local_chain(check, make):
    check(make)


@parametrize(BRIEF)
@pytest.mark.parametrize(
    "make", [in_folder, in_memory, few_credits, replaying, impatient, generating, growing, of_a_table, of_one_readout]
)
def test_chain(check, make):
    check(make)


@pytest.mark.parametrize("make", [in_folder, in_memory, replaying, generating, of_a_table])
def test_memory_of_a_chain(make):
    check_memory_bounded(make)


@parametrize(checks.NUMBER_CHECKS)
@pytest.mark.parametrize("make", [in_folder, in_memory, few_credits, replaying, impatient, of_a_table])
def test_chain_of_numbers(check, make):
    check(make)


EXACT = replace(NETWORK, units=(40, 40, 40))
ONE_STEP = {
    "in one step": EXACT,
    "squares": replace(EXACT, layer=RULES["mean_of_squares"]),
    "the plain rule": replace(EXACT, layer=replace(PLAIN, sharpness=10.0)),
    "a table": replace(EXACT, standardize=True),
}


@parametrize(checks.EXACT_CHECKS)
@pytest.mark.parametrize("kind", ONE_STEP)
def test_exact_steps(check, kind):
    check(lambda folder: Stream.in_process(ONE_STEP[kind], SCHEDULE))


@parametrize(checks.DURABLE_EXACT_CHECKS)
def test_durable_exact_steps(check):
    check(in_folder)


UNUSUAL = {
    "boxes": replace(NETWORK, box=BoxConfig("unknown", strength=0.3)),
    "boxes that learn": replace(NETWORK, box=BoxConfig("net", strength=0.1, rate=1e-4)),
    "hardware": replace(NETWORK, hardware=3),
    "soft labels": replace(NETWORK, soft_labels=True),
}


@parametrize(
    [check_matches_network, check_predicts_before_learning, check_classify_changes_nothing, check_replay_from_snapshot]
)
@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_chain(check, kind):
    check(lambda folder: Stream.in_process(UNUSUAL[kind], SCHEDULE, folder=folder))


@parametrize(checks.TABLE_CHECKS)
def test_chain_of_a_table(check):
    check(of_a_table)


@parametrize(checks.DURABLE_CHECKS)
@pytest.mark.parametrize(
    "make", [in_folder, few_credits, replaying, impatient, generating, growing, growing_recurrent, of_a_table]
)
def test_durable_chain(check, make):
    check(make)


@parametrize(BRIEF)
def test_recurrent_chain(check):
    check(lambda folder: Stream.in_process(RECURRENT, SCHEDULE, folder=folder))


@parametrize(checks.DURABLE_CHECKS)
def test_durable_recurrent_chain(check):
    check(lambda folder: Stream.in_process(RECURRENT, SCHEDULE, folder=folder))


OTHERWISE = LayerConfig(goodness="detectors_and_constraints", activation="student_t", blocks=2, rate=0.1, directions=8)
OTHERS = {
    "feed-forward units": replace(NETWORK, layer=OTHERWISE),
    "recurrent units": replace(RECURRENT, layer=OTHERWISE),
    "fast weights": replace(SEQUENCE, inputs=8, fast_weights=FastWeights(context=3, orders=(1, 2))),
}


@parametrize([check_matches_network, check_classify_changes_nothing, check_replay_from_snapshot])
@pytest.mark.parametrize("kind", OTHERS)
def test_chain_of_others(check, kind):
    check(lambda folder: Stream.in_process(OTHERS[kind], SCHEDULE, folder=folder))


@parametrize([check_matches_network, check_predicts_before_learning, check_memory_bounded])
def test_chain_of_clips(check):
    check(lambda folder: Stream.in_process(CLIPS, SCHEDULE, folder=folder))
