"""A River classifier."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from river import base

from ffstream.errors import ShapeError
from ffstream.estimators.learner import BATCH, UNITS, Learner
from ffstream.layer_config import LayerConfig

if TYPE_CHECKING:
    import pandas as pd


LARGEST = float(np.finfo(np.float32).max)


class FFClassifier(base.MiniBatchClassifier):  # type: ignore[misc]
    """A Forward-Forward network as a classifier of River.

    Every row is learned at once, and the network sleeps when a micro-batch of them has been learned. Features and labels may
    appear at any time: the network grows. A feature that a row does not have counts as 0; text counts as one feature a value,
    which is 1.

    Args:
        units: width of every layer, first to last.
        batch: rows that make a whole update, and dreams in a batch of negatives.
        every: rows between two sleeps.
        standardize: scale features by what has been seen of them (:mod:`ffstream.scales`).
        layer: constants of learning; None for the library's.
        seed: of the first weights and of every dream; None for one of its own.

    >>> from river import datasets, evaluate, metrics
    >>> evaluate.progressive_val_score(datasets.Phishing().take(400), FFClassifier(seed=0), metrics.Accuracy()).get() > 0.8
    True
    """

    def __init__(
        self,
        units: tuple[int, ...] = UNITS,
        batch: int = BATCH,
        every: int = BATCH,
        standardize: bool = True,
        layer: LayerConfig | None = None,
        seed: int | None = None,
    ) -> None:
        self.units = units
        self.batch = batch
        self.every = every
        self.standardize = standardize
        self.layer = layer
        self.seed = seed
        self._learner: Learner | None = None
        self._columns: dict[Hashable, int] = {}
        self._labels: dict[base.typing.ClfTarget, int] = {}

    @property
    def _multiclass(self) -> bool:
        return True

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"units": (30, 20)}

    def _unit_test_skips(self) -> set[str]:
        """A micro-batch is one step where its rows, one by one, are many."""
        return {"check_learn_many_matches_learn_one"}

    def learn_one(self, x: dict[base.typing.FeatureName, Any], y: base.typing.ClfTarget) -> None:
        """Learn one row, with the sleep that falls due after it.

        Raises:
            ShapeError: when a number is not finite; nothing was learned then.
        """
        self._learn([_named(x)], [y])

    def learn_many(self, X: "pd.DataFrame", y: "pd.Series") -> None:  # noqa: N803
        """Learn rows in micro-batches, which is several times as fast; raises as :meth:`learn_one`."""
        self._learn([_named(x) for x in X.to_dict("records")], y.tolist())

    def predict_proba_one(self, x: dict[base.typing.FeatureName, Any], **kwargs: Any) -> dict[base.typing.ClfTarget, float]:
        """How probable every label met so far is; none before the first."""
        return dict(zip(self._labels, self._scores([_named(x)])[0], strict=True)) if self._learner else {}

    def predict_proba_many(self, X: "pd.DataFrame") -> "pd.DataFrame":  # noqa: N803
        """How probable every label met so far is, one column a label."""
        import pandas as pd

        scores = self._scores([_named(x) for x in X.to_dict("records")]) if self._learner else None
        return pd.DataFrame(scores, columns=list(self._labels), index=X.index)

    def _learn(self, rows: list[dict[Hashable, float]], labels: Iterable[base.typing.ClfTarget]) -> None:
        for row in rows:
            for name in sorted(row.keys() - self._columns.keys(), key=repr):
                self._columns[name] = len(self._columns)
        slots = [self._labels.setdefault(label, len(self._labels)) for label in labels]
        if self._learner is None:
            seed = int(np.random.default_rng(self.seed).integers(2**31))
            self._learner = Learner.of(self, len(self._columns), len(self._labels), seed)
        self._learner.grow(len(self._columns), len(self._labels))
        self._learner.learn(self._matrix(rows), slots)

    def _scores(self, rows: list[dict[Hashable, float]]) -> NDArray[np.float64]:
        """Of the labels met so far, in their order: ``[rows, labels]``."""
        assert self._learner is not None
        scores = self._learner.scores(self._matrix(rows))[:, : len(self._labels)].astype(np.float64)
        found: NDArray[np.float64] = scores / scores.sum(axis=1, keepdims=True)
        return found

    def _matrix(self, rows: list[dict[Hashable, float]]) -> NDArray[np.float32]:
        """``[rows, columns]``; features that have no column are left out."""
        assert self._learner is not None
        matrix = np.zeros((len(rows), self._learner.config.inputs), np.float32)
        for at, row in enumerate(rows):
            for name in row.keys() & self._columns.keys():
                matrix[at, self._columns[name]] = row[name]
        return matrix


def _named(x: Mapping[base.typing.FeatureName, Any]) -> dict[Hashable, float]:
    """Features as numbers: text becomes a feature of name and value."""
    return {(name, value): 1.0 for name, value in x.items() if isinstance(value, str)} | {
        name: _number(name, value) for name, value in x.items() if not isinstance(value, str)
    }


def _number(name: base.typing.FeatureName, value: Any) -> float:
    if not abs(value) <= LARGEST:
        raise ShapeError(f"feature {name!r}: got {value}, expected a finite number of float32 range, or text")
    return float(value)
