"""Learners of tables, row after row, as River has them: ffstream, River's own, and backpropagation."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol

import torch
from river import forest, linear_model, neighbors, optim, preprocessing, tree
from torch import Tensor, nn

from benchmarks.learners import Constants
from benchmarks.learners.backprop import forward
from ffstream.average import Average
from ffstream.estimators.river import FFClassifier
from ffstream.scales import Scales, of_z, spread, width

Row = dict[int, float]


class Online(Protocol):
    """What is asked of a learner: what River asks of a classifier."""

    def predict_proba_one(self, x: Row) -> dict[int, float]:
        """How probable labels are."""
        ...

    def learn_one(self, x: Row, y: int) -> None:
        """Learn one row."""
        ...


class Perceptron:
    """Backpropagation: rectified layers, cross-entropy, a step of Adam a row, read from the running average of its weights.

    Constants: ``rate``; ``span`` of the average, in rows; ``rows``, ``"z"`` (standardized as ffstream does it) or ``"spread"``
    (with all that ffstream makes of them).

    Args:
        inputs: numbers in a row.
        classes: number of labels.
        units: widths of the hidden layers.
        constants: see above.
        seed: of the first weights.
    """

    def __init__(self, inputs: int, classes: int, units: tuple[int, ...], constants: Constants, seed: int) -> None:
        torch.manual_seed(seed)
        self.scales, self.spread = Scales(inputs), constants["rows"] == "spread"
        widths = (width(inputs) if self.spread else inputs, *units, classes)
        layers = [nn.Linear(below, above) for below, above in pairwise(widths)]
        self.live = [parameter for layer in layers for parameter in layer.parameters()]
        self.average = Average({str(place): parameter.detach() for place, parameter in enumerate(self.live)}, constants["span"])
        self.adam = torch.optim.Adam(self.live, lr=constants["rate"])

    @torch.no_grad()
    def predict_proba_one(self, x: Row) -> dict[int, float]:
        """See :class:`Online`."""
        logits = forward(list(self.average.mean.values()), self._row(x))
        return dict(enumerate(logits.softmax(dim=1)[0].tolist()))

    def learn_one(self, x: Row, y: int) -> None:
        """See :class:`Online`."""
        self.scales.observe(torch.tensor([list(x.values())]))
        loss = nn.functional.cross_entropy(forward(self.live, self._row(x)), torch.tensor([y]))
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        self.average.follow()

    def _row(self, x: Row) -> Tensor:
        row = spread(torch.tensor([list(x.values())]), self.scales.moments)
        return row if self.spread else of_z(row, len(x)) / 2


def make_online(name: str, constants: Constants, units: tuple[int, ...], seed: int, inputs: int, classes: int) -> Any:
    """The learner called ``name``: see :data:`LEARNERS`."""
    if name == "backpropagation":
        return Perceptron(inputs, classes, units, constants, seed)
    return LEARNERS[name](constants, seed)


def _scaled(model: Any) -> Any:
    return preprocessing.StandardScaler() | model


LEARNERS: dict[str, Callable[[Constants, int], Any]] = {
    "ffstream": lambda constants, seed: FFClassifier(seed=seed),
    "adaptive random forest": lambda constants, seed: forest.ARFClassifier(seed=seed),
    "aggregated Mondrian forest": lambda constants, seed: forest.AMFClassifier(seed=seed),
    "Hoeffding adaptive tree": lambda constants, seed: tree.HoeffdingAdaptiveTreeClassifier(seed=seed),
    "k nearest neighbours": lambda constants, seed: _scaled(neighbors.KNNClassifier(engine=neighbors.SWINN(seed=seed))),
    "softmax regression": lambda constants, seed: _scaled(linear_model.SoftmaxRegression(optim.SGD(constants["rate"]))),
}
