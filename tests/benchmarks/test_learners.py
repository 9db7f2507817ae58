import numpy as np
import pytest

from benchmarks.learners import make_learner
from benchmarks.learners.forward_forward import fingerprint
from benchmarks.runs import Run, execute, part_of
from ffstream import LayerConfig

FIRST = {"inputs": "unit", "start": "torch", "decay": "linear"}
LEARNERS = {
    "ffstream": {"phase": 4},
    "adam": {"rate": 1e-3, **FIRST},
    "sgd": {"rate": 0.1, **FIRST, "inputs": "standard", "start": "he"},
    "muon": {"rate": 0.02, "adam_rate": 2e-3, "weight_decay": 0.0, **FIRST, "inputs": "rms", "decay": "constant"},
    "sklearn MLPClassifier": {"rate": 1e-3},
    "sklearn SGDClassifier": {"rate": 0.01, "average": True},
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_learns(name):
    run = Run(name, LEARNERS[name], units=(100, 100), batch=25, passes=2)
    figures = execute(run, "digits")
    assert min(figures.prequential.values()) < 0.6
    assert min(figures.held_out[1].values()) < 0.3
    assert len(figures.held_out) == 2


@pytest.mark.parametrize("name", LEARNERS)
def test_reading_does_not_learn(name, digits):
    learner = make_learner(name, Run(name, LEARNERS[name], units=(20,), batch=25), 64, 10, updates=3)
    learner.step(digits.x[:25], digits.y[:25])
    before = learner.read(digits.x_held)
    after = learner.read(digits.x_held)
    assert all((before[reading] == after[reading]).all() for reading in before)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_frame_is_predicted_before_its_label_is_learned(name, digits):
    """Labels that no learner can know yet are predicted the same, whatever they are."""
    predicted = []
    for labels in (digits.y[:25], np.roll(digits.y[:25], 1)):
        learner = make_learner(name, Run(name, LEARNERS[name], units=(20,), batch=25), 64, 10, updates=3)
        predicted.append(learner.step(digits.x[:25], labels))
    first, second = predicted
    assert all((first[reading] == second[reading]).all() for reading in first)


def test_validation_never_shows_the_test_set(digits):
    part = part_of("digits", "validation")
    assert len(part.x) + len(part.x_held) == len(digits.x)
    assert (np.concatenate([part.x, part.x_held]) == digits.x).all()


def test_the_fingerprint_tells_a_changed_constant():
    assert fingerprint(LayerConfig()) != fingerprint(LayerConfig(rate=0.04))
    assert fingerprint(LayerConfig()) == fingerprint.__wrapped__(LayerConfig())
    assert fingerprint(LayerConfig()) != fingerprint(LayerConfig(), local=True)
