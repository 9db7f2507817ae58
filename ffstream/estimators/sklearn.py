"""A scikit-learn classifier."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ffstream.estimators.learner import BATCH, UNITS, Learner
from ffstream.layer_config import LayerConfig


class FFClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A Forward-Forward network as a classifier of scikit-learn.

    ``partial_fit`` learns every row once, as a stream would; labels that it has not met before may appear in any call. ``fit``
    begins anew and goes over all rows several times.

    Args:
        units: width of every layer, first to last.
        batch: rows in a micro-batch, and dreams in a batch of negatives.
        every: rows between two sleeps.
        passes: of ``fit`` over its rows, each in an order of its own.
        standardize: scale columns by what has been seen of them (:mod:`ffstream.scales`).
        layer: constants of learning; None for the library's.
        random_state: of the first weights, of every dream, and of the orders of ``fit``.

    Attributes:
        classes_: labels seen so far, sorted.
        n_features_in_: numbers in a row.
        learner_: the network, its memory and its sleep.

    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> FFClassifier(random_state=0).fit(x, y).score(x, y) > 0.9
    True
    """

    def __init__(
        self,
        *,
        units: tuple[int, ...] = UNITS,
        batch: int = BATCH,
        every: int = BATCH,
        passes: int = 10,
        standardize: bool = True,
        layer: LayerConfig | None = None,
        random_state: Any = None,
    ) -> None:
        self.units = units
        self.batch = batch
        self.every = every
        self.passes = passes
        self.standardize = standardize
        self.layer = layer
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Forget everything, then learn rows X [n, features] with labels y [n], ``passes`` times.

        Raises:
            ValueError: when rows or labels are not what scikit-learn lets a classifier learn.
        """
        rows, labels = self._checked(X, y, reset=True)
        rng = check_random_state(self.random_state)
        self._begin(np.unique(labels), rng)
        for _ in range(self.passes):
            order = rng.permutation(len(rows))
            self._learn(rows[order], labels[order])
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:  # noqa: N803
        """Learn rows X [n, features] with labels y [n], once and in order.

        Args:
            X: rows.
            y: their labels.
            classes: labels that are known to exist; they get columns in ``predict_proba`` before they are met.

        Raises:
            ValueError: as :meth:`fit`.
        """
        begun = hasattr(self, "learner_")
        rows, labels = self._checked(X, y, reset=not begun)
        named = labels if classes is None else np.concatenate([labels, np.asarray(classes)])
        if begun:
            self._meet(np.unique(named))
        else:
            self._begin(np.unique(named), check_random_state(self.random_state))
        self._learn(rows, labels)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """How probable every label of ``classes_`` is for rows X [n, features]: ``[n, classes]``.

        Rows are asked in an order of their own, for the last bits of an answer depend on a row's place among others.

        Raises:
            NotFittedError: before anything was learned.
        """
        check_is_fitted(self)
        rows, at = np.unique(validate_data(self, X, dtype=np.float32, reset=False), axis=0, return_inverse=True)
        scores = self.learner_.scores(rows)[:, self._slots]
        found: NDArray[np.float32] = scores / scores.sum(axis=1, keepdims=True)
        return found[at]

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """The most probable label of every row: ``[n]``; raises as :meth:`predict_proba`."""
        probable = self.predict_proba(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[probable]
        return found

    def _checked(self, x: ArrayLike, y: ArrayLike, reset: bool) -> tuple[NDArray[np.float32], NDArray[Any]]:
        rows, labels = validate_data(self, x, y, dtype=np.float32, reset=reset)
        check_classification_targets(labels)
        return rows, labels

    def _begin(self, classes: NDArray[Any], rng: np.random.RandomState) -> None:
        self.learner_ = Learner.of(self, self.n_features_in_, len(classes), seed=int(rng.randint(2**31)))
        self.classes_, self._slots = classes, np.arange(len(classes))

    def _meet(self, classes: NDArray[Any]) -> None:
        """Labels that are new get slots behind the others; ``classes_`` stays sorted."""
        new = np.setdiff1d(classes, self.classes_)
        self.learner_.grow(self.n_features_in_, len(self.classes_) + len(new))
        known, slots = np.concatenate([self.classes_, new]), np.append(self._slots, len(self.classes_) + np.arange(len(new)))
        order = np.argsort(known)
        self.classes_, self._slots = known[order], slots[order]

    def _learn(self, rows: NDArray[np.float32], labels: NDArray[Any]) -> None:
        self.learner_.learn(rows, self._slots[np.searchsorted(self.classes_, labels)].tolist())
