"""The recurrent network's layers, tick by tick: what comes from below meets what comes from above (paper section 3.4).

A layer has two sources and knows neither: the frame shows its states to the first layer as any layer would, and so does the
label to the last. :func:`run` is the specification, in one process; in the actors' chain the same :class:`TickStage` waits for
its neighbours' states of the last tick, and for nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ffstream.config import NetworkConfig
from ffstream.labels import UNLABELLED
from ffstream.layer import LayerReport, forward, rounded
from ffstream.message import Batch, Message, States
from ffstream.normalize import normalize
from ffstream.polarity import Polarity
from ffstream.stage import Stage


def join(below: Tensor, above: Tensor | int) -> Tensor:
    """A layer's input: its two sources, each normalized by itself, side by side.

    Args:
        below: ``[rows, width]``.
        above: ``[rows, width]``, or in the first pass, while all that is above is silent, the width alone.
    """
    silent = below.new_zeros(len(below), above) if isinstance(above, int) else above
    return torch.cat([below.float(), silent.float()], dim=1)


def damped(state: Tensor | None, activities: Tensor, kept: float) -> Tensor:
    """``kept s + (1 - kept) a``, and ``a`` where there is no state yet: ``[rows, units]``."""
    return activities if state is None else torch.lerp(activities, state, kept)


class Eye:
    """What is below the first layer: the frames of a micro-batch, lane by lane and tick by tick.

    Args:
        config: of the network.
        batch: still images ``[batch, pixels]``, or clips ``[batch, ticks * pixels]``.
    """

    def __init__(self, config: NetworkConfig, batch: Batch) -> None:
        assert config.video is not None
        self.video, self.batch = config.video, batch
        self.lanes = min(self.video.lanes, len(batch.labels))
        self._frames = batch.frames.view(len(batch.frames), self.video.clip, config.pixels).tensor_split(self.lanes)
        self._labels = batch.labels.tensor_split(self.lanes)
        self._still: dict[int, States] = {}

    def shows(self, tick: int, lane: int) -> States:
        """What the first layer sees of a lane when it makes its step after ``tick``."""
        if self.video.clip > 1:
            return self._look(tick, lane)
        if lane not in self._still:
            self._still[lane] = self._look(0, lane)
        return replace(self._still[lane], tick=tick)

    def _look(self, tick: int, lane: int) -> States:
        frames, labels = normalize(self._frames[lane][:, tick]), self._labels[lane]
        wake = self.batch.polarity is Polarity.POSITIVE
        return States(
            position=self.batch.position,
            polarity=self.batch.polarity,
            lane=lane,
            lanes=self.lanes,
            tick=tick,
            labels=labels,
            live=frames[labels != UNLABELLED],
            steady=frames if wake else frames[:0],
        )

    def question(self, classes: int) -> Message:
        """What follows the states: the message in which predictions and reports gather on their way up."""
        nothing = torch.zeros(len(self.batch.labels), classes)
        return Message(
            position=self.batch.position,
            polarity=self.batch.polarity,
            activity=nothing[:0],
            taught=0,
            labels=self.batch.labels,
            ids=self.batch.ids,
            logits=nothing,
            prediction=nothing,
        )


class Teller:
    """What is above the last layer: the label, as a vector whose length is a share of what is below.

    live: strength sqrt(width) onehot(label),    steady: strength sqrt(width) / classes, for every label
    """

    def __init__(self, config: NetworkConfig) -> None:
        below = config.sources(config.depth - 1)[0]
        self.classes, self.length = config.classes, config.label_strength * below**0.5

    def shows(self, states: States) -> States:
        """The label beside a layer's states."""
        labels = states.labels[states.labels != UNLABELLED]
        return replace(states, live=self.labelled(labels), steady=self.neutral(len(states.steady)))

    def labelled(self, labels: Tensor) -> Tensor:
        """Labels [rows] as ``[rows, classes]``."""
        told: Tensor = one_hot(labels, self.classes).float() * self.length
        return told

    def neutral(self, rows: int) -> Tensor:
        """Every label equally likely: ``[rows, classes]``."""
        return torch.full((rows, self.classes), self.length / self.classes)


@dataclass
class Lane:
    """What a layer keeps of a lane within one event: states before normalization, and the sum of those that are read."""

    live: Tensor | None = None
    steady: Tensor | None = None
    read: Tensor | None = None
    reports: list[LayerReport] = field(default_factory=list)
    taught: int = 0


class TickStage:
    """A stage that steps with its two neighbours.

    At every tick of the window that is learned, the live view teaches as any layer is taught: goodness of ``a(t)``, one step of
    the rule on the joined input. A micro-batch counts as one update in all, a tick of a lane as its share of it. The steady
    view, through the averaged weights, goes to the readout: the mean of its normalized states over the ticks that are read.
    Both views' weights are rounded once for all ticks in which they stay as they are.

    Args:
        stage: layer, readout, average and place; its state is the whole state, for between two events nothing is kept.
    """

    def __init__(self, stage: Stage) -> None:
        config = stage.config
        assert config.video is not None
        self.stage, self.video = stage, config.video
        self.above = config.sources(stage.index)[1]
        first, last = self.video.learned
        self._share = 1 / (config.batch * (last - first + 1))
        self._lanes: dict[int, Lane] = {}
        self._live: Tensor | None = None
        self._steady: Tensor | None = None

    def first(self, below: States) -> States:
        """The bottom-up pass: states from what is below alone. Nothing is learned."""
        below = below.to(self.stage.device)
        self._live = self._steady = None
        lane = self._lanes[below.lane] = Lane(taught=len(below.live))
        return self._states(lane, below, join(below.live, self.above), join(below.steady, self.above), tick=0)

    def tick(self, below: States, above: States) -> States:
        """One step from the neighbours' states of the last tick.

        What is shown was computed before this step's learning, and is rounded to the precision of the layers: the neighbours'
        products would round it all the same. The live view ends with the last tick that is learned.
        """
        below, above = below.to(self.stage.device), above.to(self.stage.device)
        lane, tick = self._lanes[below.lane], below.tick + 1
        if tick > self.video.learned[1]:
            assert lane.live is not None
            lane.live = lane.live[:0]
            below, above = (replace(states, live=states.live[:0]) for states in (below, above))
        return self._states(lane, below, join(below.live, above.live), join(below.steady, above.steady), tick)

    def _states(self, lane: Lane, below: States, x: Tensor, neutral: Tensor, tick: int) -> States:
        layer, kept, mean = self.stage.layer, self.video.kept, self.stage.average.mean["layer"]
        format = layer.config.format
        if self._live is None and len(x):
            self._live = rounded(layer.weights, format)
        if self._steady is None and len(neutral):
            self._steady = rounded(mean, format)
        activities = layer.forward(x, self._live)
        lane.live = damped(lane.live, activities, kept)
        lane.steady = damped(lane.steady, forward(mean, neutral, format, layer.activation, layer.wiring, self._steady), kept)
        shown = layer.goodness.normalize(lane.steady)
        if lane.taught and within(self.video.learned, tick):
            lane.reports.append(layer.learn(x, activities, below.polarity, lane.taught * self._share))
            self._live = None
        if within(self.video.read, tick):
            lane.read = shown if lane.read is None else lane.read + shown
        live = layer.goodness.normalize(lane.live)
        return replace(below, tick=tick, live=live.to(layer.config.format), steady=shown.to(layer.config.format))

    def close(self, message: Message) -> Message:
        """After the last tick: correct the logits, report, and follow with the averaged weights."""
        message = message.to(self.stage.device)
        lanes = [self._lanes[lane] for lane in sorted(self._lanes)]
        self._lanes, self._live, self._steady = {}, None, None
        taught = sum(lane.taught for lane in lanes)
        if taught:
            message = replace(message, reports=(*message.reports, mean_report(lanes)))
        if message.polarity is Polarity.POSITIVE:
            first, last = self.video.read
            states = [lane.read / (last - first + 1) for lane in lanes if lane.read is not None]
            message = self.stage.read(torch.cat(states), message)
        if taught:
            self.stage.average.follow(taught / self.stage.config.batch)
        return message


def within(window: tuple[int, int], tick: int) -> bool:
    """Whether a tick is one of those from the first to the last."""
    return window[0] <= tick <= window[1]


def mean_report(lanes: Sequence[Lane]) -> LayerReport:
    """Means over all ticks of all lanes, a row as much as another."""
    rows = [lane.taught for lane in lanes for _ in lane.reports]
    reports = [report for lane in lanes for report in lane.reports]
    return LayerReport(
        reports[0].polarity,
        fmean((report.goodness for report in reports), rows),
        fmean((report.p_positive for report in reports), rows),
        fmean((report.taught for report in reports), rows),
    )


def run(config: NetworkConfig, stages: Sequence[TickStage], batch: Batch) -> Message:
    """One event: the bottom-up pass, then all layers step at every tick, lane after lane. What it returns, all have learned.

    ``stages`` go from the first to the last; the message is as the last layer hands it on.
    """
    eye, teller = Eye(config, batch), Teller(config)
    shown = [list(_first_pass(stages, eye.shows(0, lane))) for lane in range(eye.lanes)]
    for tick in range(stages[0].video.ticks):
        for lane, states in enumerate(shown):
            sources = [eye.shows(tick, lane), *states, teller.shows(states[-1])]
            shown[lane] = [stage.tick(sources[at], sources[at + 2]) for at, stage in enumerate(stages)]
    message = eye.question(config.classes)
    for stage in stages:
        message = stage.close(message)
    return message


def _first_pass(stages: Sequence[TickStage], states: States) -> Iterator[States]:
    for stage in stages:
        states = stage.first(states)
        yield states
