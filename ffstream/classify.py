"""Classification from one consistent copy of the weights. It never learns, and works before any learning.

Three methods (paper section 3.3): ``one_pass`` gives the neutral label and reads the softmax; ``goodness`` tries every
label and adds up the goodness of all layers but the first (of all in a recurrent network, whose first layer hears of the
label from above); ``shortlist`` lets one pass pick a few labels and both decide: the two err on different frames, and their
product is better than either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from ffstream.config import NetworkConfig
from ffstream.errors import ConfigError
from ffstream.goodness import GOODNESS
from ffstream.hardware import activation_of
from ffstream.layer import forward
from ffstream.readout import correct
from ffstream.stage import StageWeights, port_below, views_of
from ffstream.watching import Playing, Watching
from ffstream.wiring import wiring_of


class Method(Enum):
    """How a label is chosen."""

    ONE_PASS = "one_pass"
    GOODNESS = "goodness"
    SHORTLIST = "shortlist"


@dataclass(frozen=True)
class Classification:
    """Labels [batch], scores [batch, classes] and p_positive [batch].

    Scores sum to 1 over the labels that were tried: softmax of the logits for ``one_pass``, of ``sharpness * goodness`` for
    ``goodness``, of their sum for ``shortlist``; labels that were not tried have 0. ``p_positive`` is how probable it is that
    the frame is a positive, ``sigmoid(sharpness * (goodness - threshold))`` (equation 1): with its label, or with the neutral
    one for ``one_pass``. The less, the stranger the frame is to the network.
    """

    labels: Tensor
    scores: Tensor
    p_positive: Tensor


class Ascent:
    """What a feed-forward network makes of frames, bottom to top.

    Args:
        config: of the network.
        stages: weights of every stage, first to last.
    """

    def __init__(self, config: NetworkConfig, stages: Sequence[StageWeights]) -> None:
        self.stages = stages
        moments = stages[0].moments if stages else None
        self.views = views_of(config, moments)
        self._joint = config.readout.joint
        self._looks = 1 if config.box is None else config.box.looks
        self._ports = [port_below(config, index, stage.box) for index, stage in enumerate(stages)]
        self._goodness = GOODNESS[config.layer.goodness]
        self._kinds = [(activation_of(config, index), wiring_of(config, index)) for index in range(len(stages))]

    def neutral(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """With the neutral label: the readout's logits [batch, classes], and the goodness of every layer [batch, depth]."""
        logits, by_layer = torch.zeros(len(frames), self.views.classes), torch.zeros(len(frames), len(self.stages))
        carried = []
        for index, (goodness, h) in enumerate(self.passed(self.views.neutral(frames))):
            by_layer[:, index] = goodness
            if self._joint:
                carried.append(h)
            else:
                logits = correct(self.stages[index].readout, h, logits)
        if carried:
            logits = correct(self.stages[-1].readout, torch.cat(carried, dim=1), logits)
        return logits, by_layer

    def goodness(self, frames: Tensor, labels: Tensor) -> Tensor:
        """Goodness of every layer for frames [batch, inputs] with labels [batch]: ``[batch, depth]``."""
        rows = self.views.labelled(frames, labels)
        looks = [torch.stack([goodness for goodness, _ in self.passed(rows, look)], dim=1) for look in range(self._looks)]
        return torch.stack(looks).mean(dim=0)

    def passed(self, x: Tensor, look: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Goodness [batch] and normalized activities [batch, units] of one layer after another.

        Boxes throw other dice at every ``look``.
        """
        for stage, port, (activation, wiring) in zip(self.stages, self._ports, self._kinds, strict=True):
            seen = x if port is None else port.read(x, look)
            activities = forward(stage.layer, seen, activation=activation, wiring=wiring)
            x = self._goodness.normalize(activities)
            yield self._goodness.value(activities), x


class Reader:
    """Classifies with one version of a network's weights.

    Args:
        config: of the network.
        stages: weights of every stage, first to last; they are read, never written.
        seq: the event up to which the weights have learned.

    ``cold`` tells that no label has been learned yet; then every label scores the same.
    """

    def __init__(self, config: NetworkConfig, stages: Sequence[StageWeights], seq: int = 0) -> None:
        self.config = config
        self.stages = tuple(stages)
        self.seq = seq
        self.cold = not any(bool(stage.readout.any()) for stage in self.stages)
        self._passage = Ascent(config, self.stages) if config.video is None else Watching(config, self.stages)

    def classify(self, frames: Tensor, method: Method = Method.GOODNESS, shortlist: int = 3) -> Classification:
        """Classify frames [batch, inputs].

        Raises:
            ConfigError: when ``shortlist`` is below 1, or the network learns without labels and is not read by one pass.
        """
        if shortlist < 1:
            raise ConfigError(f"shortlist: got {shortlist}, expected at least 1 label")
        if method is not Method.ONE_PASS and not self.config.wrong_labels:
            raise ConfigError(f"method: got {method.value}, expected one_pass: this network's layers never see a label")
        if not self.stages:
            scores = torch.full((len(frames), self.config.classes), 1 / self.config.classes)
            return Classification(scores.argmax(dim=1), scores, torch.full((len(frames),), 0.5))
        if method is Method.ONE_PASS or self.cold:
            logits, by_layer = self._passage.neutral(frames)
            scores = logits.softmax(dim=1)
            return Classification(scores.argmax(dim=1), scores, self._p_positive(self._counted(by_layer)))
        if method is Method.GOODNESS:
            tried = torch.arange(self.config.classes).expand(len(frames), -1)
            return self._by_goodness(frames, tried)
        logits, tried = self.logits(frames).topk(min(shortlist, self.config.classes), dim=1)
        return self._by_goodness(frames, tried, logits)

    def play(self) -> Playing:
        """Begin a clip that is classified while it plays.

        Raises:
            ConfigError: when the network is not recurrent.
        """
        if self.config.video is None:
            raise ConfigError("video: got a feed-forward network, expected a recurrent one")
        return Playing(self.config, () if self.cold else self.stages)

    def logits(self, frames: Tensor) -> Tensor:
        """The readout's logits for the neutral label: ``[batch, classes]``."""
        return self.neutral(frames)[0]

    def neutral(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """With the neutral label: logits [batch, classes], and the goodness of every layer [batch, depth]."""
        return self._passage.neutral(frames)

    def goodness(self, frames: Tensor, labels: Tensor) -> Tensor:
        """Goodness of every layer for frames [batch, inputs] with labels [batch]: ``[batch, depth]``."""
        return self._passage.goodness(frames, labels)

    def _by_goodness(self, frames: Tensor, tried: Tensor, logits: Tensor | float = 0.0) -> Classification:
        """Try the labels ``tried`` [batch, k], whose ``logits`` [batch, k] count too."""
        batch, k = tried.shape
        by_layer = self.goodness(frames.repeat_interleave(k, dim=0), tried.reshape(-1))
        goodness = self._counted(by_layer).view(batch, k)
        shares = (self.config.layer.sharpness * goodness + logits).softmax(dim=1)
        scores = torch.zeros(batch, self.config.classes).scatter_(1, tried, shares)
        chosen = goodness.gather(1, shares.argmax(dim=1, keepdim=True))[:, 0]
        return Classification(scores.argmax(dim=1), scores, self._p_positive(chosen))

    def _counted(self, by_layer: Tensor) -> Tensor:
        """``[batch, depth]`` to ``[batch]``: mean over the layers, but for a first one that is shown the label."""
        told = self.config.video is None and self.config.wrong_labels and by_layer.shape[1] > 1
        return (by_layer[:, 1:] if told else by_layer).mean(dim=1)

    def _p_positive(self, goodness: Tensor) -> Tensor:
        layer = self.config.layer
        return torch.sigmoid(layer.sharpness * (goodness - layer.decides_at))
