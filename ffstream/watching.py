"""Reading a recurrent network: layers of fixed weights look at frames, tick by tick, with a label told from above."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ffstream.activation import ACTIVATIONS
from ffstream.config import NetworkConfig
from ffstream.goodness import GOODNESS
from ffstream.layer import forward, rounded
from ffstream.normalize import normalize
from ffstream.readout import correct
from ffstream.recurrent import Teller, damped, join, within
from ffstream.stage import StageWeights
from ffstream.wiring import wiring_of


class Gaze:
    """One look at rows of frames, from the bottom-up pass on; nothing is learned.

    Args:
        config: of the network.
        stages: weights of every stage, first to last.
        told: what is above the last layer, ``[rows, classes]``, as :class:`~ffstream.recurrent.Teller` has it.
    """

    def __init__(self, config: NetworkConfig, stages: Sequence[StageWeights], told: Tensor) -> None:
        assert config.video is not None
        self.kept, self.told = config.video.kept, told
        self.tick = 0
        self.states: list[Tensor] = []
        self._above = [config.sources(index)[1] for index in range(len(stages))]
        self._weights = [stage.layer for stage in stages]
        self._wirings = [wiring_of(config, index) for index in range(len(stages))]
        self._before: list[Tensor] = []
        self._goodness, self._format = GOODNESS[config.layer.goodness], config.layer.format
        self._activation = ACTIVATIONS[config.layer.activation]
        self._factors = [rounded(weights, self._format) for weights in self._weights]

    def see(self, frames: Tensor) -> Tensor:
        """One tick: frames ``[rows, pixels]`` to the goodness of every layer ``[rows, depth]``.

        ``states`` are then the normalized states of every layer, ``[rows, units]`` each. The first call makes the bottom-up
        pass too.
        """
        seen = normalize(frames)
        if not self.states:
            self._begin(seen)
        sources = [seen, *self.states, self.told]
        joined = [join(sources[at], sources[at + 2]) for at in range(len(self._weights))]
        activities = [self._forward(index, x) for index, x in enumerate(joined)]
        self._before = [damped(old, new, self.kept) for old, new in zip(self._before, activities, strict=True)]
        self.states = [self._goodness.normalize(state) for state in self._before]
        self.tick += 1
        return torch.stack([self._goodness.value(each) for each in activities], dim=1)

    def _begin(self, seen: Tensor) -> None:
        for index, above in enumerate(self._above):
            self._before.append(self._forward(index, join(seen, above)))
            seen = self._goodness.normalize(self._before[-1])
            self.states.append(seen)

    def _forward(self, index: int, x: Tensor) -> Tensor:
        weights, factor = self._weights[index], self._factors[index]
        return forward(weights, x, self._format, self._activation, self._wirings[index], factor)


class Watching:
    """What a recurrent network makes of whole frames or clips.

    Args:
        config: of the network.
        stages: weights of every stage, first to last.
    """

    def __init__(self, config: NetworkConfig, stages: Sequence[StageWeights]) -> None:
        assert config.video is not None
        self.config, self.video, self.stages = config, config.video, stages
        self.teller = Teller(config)

    def neutral(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """With the neutral label, over the ticks that are read: the readouts' logits from the mean states [batch, classes], and
        the mean goodness of every layer [batch, depth].
        """
        gaze = Gaze(self.config, self.stages, self.teller.neutral(len(frames)))
        sums = [torch.zeros(len(frames), units) for units in self.config.units]
        by_tick = []
        for goodness in self._read(gaze, frames):
            by_tick.append(goodness)
            sums = [total + state for total, state in zip(sums, gaze.states, strict=True)]
        logits = torch.zeros(len(frames), self.config.classes)
        ticks = self.video.read[1] - self.video.read[0] + 1
        for stage, total in zip(self.stages, sums, strict=True):
            logits = correct(stage.readout, total / ticks, logits)
        return logits, torch.stack(by_tick).mean(dim=0)

    def goodness(self, frames: Tensor, labels: Tensor) -> Tensor:
        """Mean goodness of every layer over the ticks that are read, for frames with labels [batch]: ``[batch, depth]``."""
        gaze = Gaze(self.config, self.stages, self.teller.labelled(labels))
        return torch.stack(list(self._read(gaze, frames))).mean(dim=0)

    def _read(self, gaze: Gaze, frames: Tensor) -> Iterator[Tensor]:
        """Goodness [batch, depth] at every tick that is read."""
        clips = frames.view(len(frames), self.video.clip, -1)
        for tick in range(self.video.read[1]):
            goodness = gaze.see(clips[:, min(tick, self.video.clip - 1)])
            if within(self.video.read, gaze.tick):
                yield goodness


class Playing:
    """A clip that is classified while it plays, one picture a tick.

    Every label is tried at once. ``scores`` [classes] are the softmax of ``sharpness * goodness``, the mean of all layers over
    those of the ticks to be read that have been seen; before the first of them, that of the last picture alone.

    Args:
        config: of the network.
        stages: weights of every stage, first to last; none while nothing is learned yet, when every label scores the same.
    """

    def __init__(self, config: NetworkConfig, stages: Sequence[StageWeights]) -> None:
        assert config.video is not None
        self.config, self.video, self.cold = config, config.video, not stages
        self.scores = torch.full((config.classes,), 1 / config.classes)
        told = Teller(config).labelled(torch.arange(config.classes))
        self._gaze = Gaze(config, stages, told)
        self._read: list[Tensor] = []

    @property
    def tick(self) -> int:
        """Pictures seen."""
        return self._gaze.tick

    def see(self, picture: Tensor) -> Tensor:
        """The scores after one more picture, ``[pixels]``."""
        if self.cold:
            return self.scores
        goodness = self._gaze.see(picture.expand(self.config.classes, -1)).mean(dim=1)
        if within(self.video.read, self.tick):
            self._read.append(goodness)
        if self._read:
            goodness = torch.stack(self._read).mean(dim=0)
        self.scores = (self.config.layer.sharpness * goodness).softmax(dim=0)
        return self.scores
