import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator

from ffstream.estimators.sklearn import FFClassifier

X, Y = load_wine(return_X_y=True)
NAMES = np.array(["barolo", "grignolino", "barbera"])[Y]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "check", [pytest.param(pair, id=pair[1].func.__name__) for pair in estimator_checks_generator(FFClassifier(units=(50, 50)))]
)
def test_scikit_learns_own_checks(check):
    estimator, holds = check
    holds(clone(estimator))


def test_columns_of_unequal_scale():
    plain, standardized = (
        cross_val_score(FFClassifier(standardize=standardize, random_state=0), X, NAMES, cv=3).mean()
        for standardize in (False, True)
    )
    assert standardized > 0.95
    assert standardized > plain + 0.05


def test_labels_appear_while_it_learns():
    """New ones sort before, between and behind the others, and answers keep to ``classes_``."""
    order = np.random.default_rng(0).permutation(len(X))
    x, names = X[order], NAMES[order]
    model = FFClassifier(random_state=0).partial_fit(x[names == "barolo"], names[names == "barolo"])
    assert model.predict_proba(x).shape == (len(x), 1)
    for _ in range(8):
        model.partial_fit(x, names)
    assert model.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    assert (model.classes_[model.predict_proba(x).argmax(axis=1)] == names).mean() > 0.95


def test_labels_that_are_known_beforehand_have_columns():
    model = FFClassifier(random_state=0).partial_fit(X[:30], NAMES[:30], classes=np.unique(NAMES))
    assert model.classes_.tolist() == sorted(set(NAMES))
    assert model.predict_proba(X).shape == (len(X), 3)


def test_partial_fit_goes_on_and_fit_begins_anew():
    model = FFClassifier(random_state=0).fit(X, NAMES)
    fresh = clone(model).fit(X, NAMES)
    model.partial_fit(X, NAMES)
    assert (model.predict_proba(X) != fresh.predict_proba(X)).any()
    assert (model.fit(X, NAMES).predict_proba(X) == fresh.predict_proba(X)).all()


def test_a_pickle_goes_on_to_the_same_bits():
    model = FFClassifier(random_state=0).partial_fit(X, NAMES)
    again = pickle.loads(pickle.dumps(model))
    for each in (model, again):
        each.partial_fit(X, NAMES)
    assert (model.predict_proba(X) == again.predict_proba(X)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_is_no_number_is_refused(value):
    x = X.copy()
    x[3, 2] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        FFClassifier().fit(x, NAMES)
