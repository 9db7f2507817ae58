"""Learning in one step: the change of the weights that gives a frame exactly the goodness wanted, in every layer at once.

Length normalization hands on only the direction of a layer's activities, so a change that makes all activities of a row longer
by one factor leaves what the layers above see as it is, and all layers can jump at the same time (paper section 6):

    dw_j = 2 eps d log(p) / d(sum of squares) y_j x                            (3)
    eps = sqrt(S* / S) - 1, for inputs of length 1                             (4)

Here a frame jumps with its true label to the goodness at which a layer is as certain as the configuration asks for
(``S* = threshold + logit(certainty) / sharpness``), and with every wrong label to the one at which it denies as certainly:
with its true label alone a layer would learn the frame and not what it is. What is beyond its goal already stays. So a frame is
``classes`` rows ``X`` with wanted changes ``D`` of their activities, and equation 4 becomes

    dW = D' (X P X')^-1 X P

which gives every row its change exactly, and is the smallest that does, in the metric ``P`` of the layer's rule: with that of
the plain rule, and one row, it is equation 4. ``P`` of the curvature rule is the inverse of the second moment of the inputs, so
that the step is the one that disturbs the usual inputs least: this is what keeps former frames in mind.
Several frames at once could not be exact: the first layer's inputs are sums of a frame and a label, and ``n`` frames with each
of ``classes`` labels span no more than ``n + classes`` directions. So an exact frame is an event of its own.

Both networks make the step, the one that learns and the averaged one that is read, each with activities of its own. The slices
of the readout make one too, by equal parts of what their logits lack and in the plain metric: in that of their own inputs, none
but the very frame would be read anew. An exact frame owes no sleep: its wrong labels were denied with
it. Later steps may overwrite it, like any other memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ffstream.config import NetworkConfig
from ffstream.errors import ConfigError, ShapeError
from ffstream.frames import LabelArray
from ffstream.goodness import GOODNESS, Goodness
from ffstream.labels import UNLABELLED, LabelViews
from ffstream.layer import forward
from ffstream.message import Batch, Message
from ffstream.readout import correct

LEARN = ("gradient", "exact")
"""How a frame may be learned: in a step of the gradient beside others, or alone and at once."""

SAME = 1e-9
"""Rows are the same when their Gram matrix has eigenvalues below this part of its largest: labels that make no difference."""


def check_learn(learn: str, config: NetworkConfig, labels: LabelArray) -> bool:
    """Whether frames with ``labels`` [n] are to be learned in one step.

    Raises:
        ConfigError: for an unknown way to learn, or a network whose layers see no label beside the frame, or are of a kind that
            has no exact step: local ones, of other activations or of several blocks.
        ShapeError: when a label is not known.
    """
    if learn not in LEARN:
        raise ConfigError(f"learn: got {learn!r}, expected one of {list(LEARN)}")
    if learn == "gradient":
        return False
    if config.video is not None or not config.wrong_labels:
        raise ConfigError("learn: this network sees no label beside a frame, so that it cannot learn one in an exact step")
    if config.fields is not None or config.layer.activation != "relu" or config.layer.blocks > 1:
        raise ConfigError("learn: an exact step is for dense layers of rectified units that decide together")
    if config.box is not None or config.hardware is not None or config.soft_labels:
        raise ConfigError("learn: an exact step needs layers that see just what those below hand on, and one label")
    if config.readout.joint:
        raise ConfigError("learn: an exact step gives every layer a part of what a label's logit lacks, not a joint readout")
    if (labels == UNLABELLED).any():
        raise ShapeError(f"labels[{int((labels == UNLABELLED).argmax())}]: not known, but exact learning needs every label")
    return True


def enter(batch: Batch, views: LabelViews) -> Message:
    """The rows of an exact step: what the prediction is made from, and twice the frame with every label and the neutral one.

    ``activity`` [1 + 2 (classes + 1), inputs]: the neutral view, which passes unchanged layers, then those of the network that
    learns and of the averaged one. ``logits`` [2, classes]: of the two, as they become.
    """
    classes, frame = views.classes, batch.frames
    neutral = views.neutral(frame)
    rows = torch.cat([views.labelled(frame.expand(classes, -1), torch.arange(classes)), neutral])
    logits, prediction = torch.zeros(2, classes), torch.zeros(1, classes)
    activity = torch.cat([neutral, rows, rows])
    return Message(batch.position, batch.polarity, activity, 0, batch.labels, batch.ids, logits, prediction, exact=True)


def reach(goodness: Goodness, activities: Tensor, goals: Tensor) -> Tensor:
    """Activities [rows, units] (float64) that have the goodness ``goals`` [rows] and the direction of the given ones.

    Units that speak for a row are multiplied by ``t`` and those that speak against it by ``1 / t``, which is where equation 3
    leads when it is followed in small steps. Of a goodness of degree ``d``, of which ``U`` is the first ones' and ``-V`` the
    others' part,

        U t^d - V t^-d = goal,    t^d = (goal + sqrt(goal^2 + 4 U V)) / (2 U)

    A row that no factor brings there, as a silent one, stays.
    """
    sides = goodness.direction(activities).sign()
    speaking, against = activities * (sides > 0), activities * (sides < 0)
    for_it, opposed = goodness.value(speaking), -goodness.value(against)
    root = (goals.square() + 4 * for_it * opposed).sqrt()
    power = torch.where(goals > 0, (goals + root) / (2 * for_it), 2 * opposed / (root - goals))
    total = goodness.value(activities * sides.abs())
    degree = (goodness.value(2 * activities * sides.abs()) / total).log2().nan_to_num(nan=1.0)
    factor = power ** (1 / degree)
    reached = (factor > 0) & factor.isfinite()
    factor = torch.where(reached, factor, torch.ones_like(factor))[:, None]
    return torch.where(sides < 0, activities / factor, activities * factor)


def shift(weights: Tensor, x: Tensor, change: Tensor, steered: Tensor) -> None:
    """``W <- W + D' (X P X')^-1 X P``: the smallest change of ``weights`` [units, inputs] that changes ``x W'`` by ``change``.

    Args:
        weights: changed in place.
        x: ``X`` [rows, inputs].
        change: ``D`` [rows, units], float64.
        steered: ``X P`` [rows, inputs].
    """
    gram = x.double() @ steered.double().t()
    coefficients = torch.linalg.pinv((gram + gram.t()) / 2, rtol=SAME, hermitian=True) @ change
    weights.add_((coefficients.t() @ steered.double()).float())


class Part(NamedTuple):
    """What one of the two networks has in a stage: ``layer`` [units, inputs + 1] and ``readout`` [classes, units]."""

    layer: Tensor
    readout: Tensor


@dataclass(frozen=True)
class Step:
    """The exact step of one stage.

    Args:
        config: of the network.
        steer: ``x`` to ``x P``, by the layer's rule.
        left: stages from this one to the last.
    """

    config: NetworkConfig
    steer: Callable[[Tensor], Tensor]
    left: int

    def learn(self, live: Part, mean: Part, message: Message) -> Message:
        """Move both networks and hand on what they then make of the frame; the prediction is made before."""
        views = self.config.classes + 1
        asked, *rows = torch.split(message.activity, [1, views, views])
        asked = self._forward(live, asked)
        prediction = correct(mean.readout, asked.float(), message.prediction)
        taught = list(self._teach((live, mean), rows, message))
        activity = torch.cat([asked, *(h for h, _ in taught)])
        logits = torch.cat([z for _, z in taught])
        return replace(message, activity=activity, logits=logits, prediction=prediction)

    def _teach(self, parts: tuple[Part, ...], rows: list[Tensor], message: Message) -> Iterator[tuple[Tensor, Tensor]]:
        label = int(message.labels)
        for part, x, logits in zip(parts, rows, torch.split(message.logits, 1), strict=True):
            self._jump(part.layer, x[:-1], label)
            h = self._forward(part, x)
            yield h, self._tell(part.readout, h[-1:].float(), logits, label)

    def _forward(self, part: Part, x: Tensor) -> Tensor:
        layer = self.config.layer
        return GOODNESS[layer.goodness].normalize(forward(part.layer, x, layer.format)).to(layer.format)

    def _jump(self, weights: Tensor, x: Tensor, label: int) -> None:
        """Give the frame with every label ``x`` [classes, inputs] its goodness, in one layer."""
        layer = self.config.layer
        goodness = GOODNESS[layer.goodness]
        activities = forward(weights, x, layer.format).double()
        now = goodness.value(activities)
        margin = _logit(self.config.certainty) / layer.sharpness
        goals = torch.minimum(now, torch.full_like(now, layer.decides_at - margin))
        goals[label] = max(float(now[label]), layer.decides_at + margin)
        x = torch.nn.functional.pad(x.float(), (0, 1), value=1.0)
        shift(weights, x, reach(goodness, activities, goals) - activities, self.steer(x))

    def _tell(self, readout: Tensor, h: Tensor, logits: Tensor, label: int) -> Tensor:
        """Raise the label's logit by this slice's part of what it lacks for the certainty wanted."""
        logits = correct(readout, h, logits)
        others = torch.cat([logits[0, :label], logits[0, label + 1 :]])
        lacks = _logit(self.config.certainty) + float(others.logsumexp(dim=0)) - float(logits[0, label])
        change = readout.new_zeros(1, len(readout), dtype=torch.float64)
        change[0, label] = max(lacks, 0.0) / self.left
        shift(readout, h, change, h)
        return logits + change.float()


def _logit(probability: float) -> float:
    return float(torch.tensor(probability, dtype=torch.float64).logit())
