"""Other libraries that learn from a stream: scikit-learn, Vowpal Wabbit, River."""

import warnings
from typing import Any

import numpy as np

from benchmarks.learners import Frames, Labels, Shape


class PartialFit:
    """A scikit-learn classifier, fitted to one micro-batch after another.

    Args:
        model: has ``partial_fit`` and ``predict``.
        classes: number of labels.
    """

    def __init__(self, model: Any, classes: int) -> None:
        self.model = model
        self.classes = np.arange(classes)
        self.cold = True

    def step(self, frames: Frames, labels: Labels) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`; label 0 before anything was learned."""
        predicted = self.read(frames)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.partial_fit(_unit(frames), labels, classes=self.classes if self.cold else None)
        self.cold = False
        return predicted

    def rest(self) -> None:
        """See :class:`~benchmarks.learners.Learner`; there is no sleep."""

    def read(self, frames: Frames) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`."""
        return {"live": np.zeros(len(frames), np.int64) if self.cold else self.model.predict(_unit(frames))}


def make_mlp(shape: Shape, inputs: int, classes: int, updates: int) -> PartialFit:
    """``MLPClassifier`` of the same shape; its own Adam."""
    from sklearn.neural_network import MLPClassifier

    rate = shape.constants["rate"]
    return PartialFit(MLPClassifier(shape.units, learning_rate_init=rate, random_state=shape.seed), classes)


def make_sgd_classifier(shape: Shape, inputs: int, classes: int, updates: int) -> PartialFit:
    """``SGDClassifier``: logistic regression, one class against the rest."""
    from sklearn.linear_model import SGDClassifier

    constants = shape.constants
    model = SGDClassifier(
        loss="log_loss",
        learning_rate="constant",
        eta0=constants["rate"],
        average=constants["average"],
        random_state=shape.seed,
    )
    return PartialFit(model, classes)


class VowpalWabbit:
    """``--oaa``: a linear model, one class against all, with VW's own adaptive rates; it learns frame by frame."""

    def __init__(self, shape: Shape, inputs: int, classes: int, updates: int) -> None:
        from vowpalwabbit import Workspace

        self.model = Workspace(f"--oaa {classes} --quiet -l {shape.constants['rate']}")

    def step(self, frames: Frames, labels: Labels) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`; every frame is predicted just before it is learned."""
        predicted = np.zeros(len(labels), np.int64)
        for row, (line, label) in enumerate(zip(_lines(frames), labels, strict=True)):
            predicted[row] = self.model.predict(line) - 1
            self.model.learn(f"{label + 1} {line}")
        return {"live": predicted}

    def rest(self) -> None:
        """See :class:`~benchmarks.learners.Learner`; there is no sleep."""

    def read(self, frames: Frames) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`."""
        return {"live": np.array([self.model.predict(line) - 1 for line in _lines(frames)], np.int64)}


class River:
    """A classifier of River's; it learns frame by frame.

    Args:
        model: has ``predict_one`` and ``learn_one``.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def step(self, frames: Frames, labels: Labels) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`; every frame is predicted just before it is learned."""
        predicted = np.zeros(len(labels), np.int64)
        for row, (x, label) in enumerate(zip(_sparse(frames), labels, strict=True)):
            predicted[row] = self.model.predict_one(x) or 0
            self.model.learn_one(x, int(label))
        return {"live": predicted}

    def rest(self) -> None:
        """See :class:`~benchmarks.learners.Learner`; there is no sleep."""

    def read(self, frames: Frames) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`."""
        return {"live": np.array([self.model.predict_one(x) or 0 for x in _sparse(frames)], np.int64)}


def make_river_softmax(shape: Shape, inputs: int, classes: int, updates: int) -> River:
    """``SoftmaxRegression`` stepped by ``optim.SGD``."""
    from river import linear_model, optim

    return River(linear_model.SoftmaxRegression(optimizer=optim.SGD(shape.constants["rate"])))


def _unit(frames: Frames) -> Any:
    return np.asarray(frames, dtype=np.float32) / 255


def _sparse(frames: Frames) -> list[dict[int, float]]:
    """Pixels that are not 0, scaled to 1, by their place."""
    x = _unit(frames)
    return [dict(zip((found := row.nonzero()[0]).tolist(), row[found].tolist(), strict=True)) for row in x]


def _lines(frames: Frames) -> list[str]:
    """The same as lines of VW's text format, without a label."""
    return ["| " + " ".join(f"{place}:{value:.4f}" for place, value in x.items()) for x in _sparse(frames)]
