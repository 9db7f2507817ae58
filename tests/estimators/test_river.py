import pickle

import numpy as np
import pandas as pd
import pytest
from river import checks, datasets, evaluate, metrics

from ffstream import LayerConfig
from ffstream.errors import ShapeError
from ffstream.estimators.river import FFClassifier

ROWS = list(datasets.ImageSegments().take(400))
SMALL = {"units": (40, 30), "seed": 0}


def models():
    return [FFClassifier(**params) for params in FFClassifier._unit_test_params()]


@pytest.mark.parametrize(
    "check",
    [
        pytest.param((model, check), id=f"{check.__name__}-{number}")
        for model in models()
        for number, check in enumerate(checks.yield_checks(model))
        if check.__name__ not in model._unit_test_skips()
    ],
)
def test_rivers_own_checks(check):
    model, holds = check
    holds(model.clone())


def learned(rows, **params):
    model = FFClassifier(**SMALL | params)
    for x, y in rows:
        model.learn_one(x, y)
    return model


def accuracy_after(rows, first, **params):
    """Prequential, of the rows from ``first`` on."""
    model, right = FFClassifier(**SMALL | params), []
    for x, y in rows:
        right.append(model.predict_one(x) == y)
        model.learn_one(x, y)
    return np.mean(right[first:])


def test_a_stream_is_learned():
    score = evaluate.progressive_val_score(datasets.ImageSegments().take(1000), FFClassifier(seed=0), metrics.Accuracy())
    assert score.get() > 0.75


def test_labels_and_features_appear_while_it_learns():
    """The second half has four labels and six features that the first has never had."""
    late = {"hue-mean", "saturation-mean", "intensity-mean", "rawred-mean", "rawblue-mean", "rawgreen-mean"}
    old, new = ["brickface", "sky", "foliage"], ["cement", "window", "path", "grass"]
    rows = list(datasets.ImageSegments())
    first = [({name: x[name] for name in x if name not in late}, y) for x, y in rows if y in old][:300]
    assert accuracy_after([*first, *rows[:1200]], len(first) + 600) > 0.75
    model = learned(first)
    assert set(model.predict_proba_one(first[0][0])) == set(old)
    model.learn_one(*next((x, y) for x, y in rows if y in new))
    assert set(model.predict_proba_one(first[0][0])) > set(old)
    assert len(model._columns) == 18


def test_text_is_a_feature_a_value():
    """The label is in the text alone, of which a new value appears half-way."""
    rng = np.random.default_rng(0)
    drawn = [("red", "blue", "green")[value] for value in [*rng.integers(2, size=200), *rng.integers(3, size=300)]]
    rows = [({"colour": colour, "noise": rng.normal()}, colour != "blue") for colour in drawn]
    assert accuracy_after(rows, 300) > 0.95


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_what_is_no_number_is_refused_and_nothing_changes(value):
    model = learned(ROWS[:30])
    before = pickle.dumps(model)
    with pytest.raises(ShapeError, match="feature 'new': got"):
        model.learn_one({"new": value}, "unknown")
    with pytest.raises(ShapeError, match="feature 'new': got"):
        model.predict_proba_one({"new": value})
    assert pickle.dumps(model) == before


def test_a_pickle_goes_on_to_the_same_bits():
    model = learned(ROWS[:130])
    again = pickle.loads(pickle.dumps(model))
    for x, y in ROWS[130:260]:
        for each in (model, again):
            each.learn_one(x, y)
    for x, _ in ROWS[260:]:
        assert model.predict_proba_one(x) == again.predict_proba_one(x)


def test_another_seed_is_another_network():
    one, same, other = (learned(ROWS[:50], seed=seed).predict_proba_one(ROWS[60][0]) for seed in (0, 0, 1))
    assert one == same
    assert one != other


def test_it_sleeps_once_there_is_a_wrong_label():
    one_label = [(x, "one") for x, _ in ROWS[:60]]
    model = learned(one_label, every=20)
    assert int(model._learner.network.dreamer.sleeps) == 0
    for x, y in ROWS[:60]:
        model.learn_one(x, y)
    assert int(model._learner.network.dreamer.sleeps) == 3


def test_constants_of_learning_can_be_given():
    model = learned(ROWS[:30], layer=LayerConfig(rate=0.1), batch=10)
    assert (model._learner.config.layer.rate, model._learner.config.batch) == (0.1, 10)


def test_many_rows_at_once():
    """In micro-batches a table is learned too, and answered as row by row."""
    x, y = pd.DataFrame([x for x, _ in ROWS]), pd.Series([y for _, y in ROWS])
    model = FFClassifier(seed=0)
    assert model.predict_proba_many(x).shape == (400, 0)
    for _ in range(3):
        model.learn_many(x, y)
    found = model.predict_proba_many(x)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.idxmax(axis="columns") == y).mean() > 0.85
    one = model.predict_proba_one(ROWS[7][0])
    assert found.loc[7].to_dict() == pytest.approx(one, rel=1e-4, abs=1e-6)
