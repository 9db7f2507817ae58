"""ffstream itself: the library's stream, in this process."""

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.learners import Constants, Frames, Labels, Shape
from ffstream import (
    ADAM,
    PLAIN,
    Field,
    FieldsConfig,
    LayerConfig,
    Method,
    NetworkConfig,
    ReadoutConfig,
    Schedule,
    Stream,
    VideoConfig,
)
from ffstream.drift import DriftConfig
from ffstream.network import Network

OWN = (
    "phase",
    "rule",
    "awake",
    "shift",
    "cycle",
    "enough",
    "video",
    "label_strength",
    "negatives",
    "labels",
    "drift",
    "change",
    "standardize",
    "average_span",
    "stream",
    "exact",
    "fields",
    "window",
    "fast_weights",
    "centred",
    "held",
    "fit",
    "methods",
    "box",
    "hardware",
    "readout",
)
"""Constants of a run that are not fields of the layer's configuration."""

RULES = {"curvature": LayerConfig(), "plain": PLAIN, "adam": ADAM}
"""The rules by name, each with the library's constants for it."""

DIRECTIONS, NARROW = 4, 12
"""From which a fingerprint sees the weights of a layer, and units that there are in it."""


class ForwardForward:
    """A stream, predicted from its live weights while it learns and from its published (averaged) weights.

    Args:
        config: of the network.
        phase: micro-batches in a wake phase; the sleep after it is as long. None for no sleep.
        drift: how to watch for changes of the stream.
        chosen: fields of the :class:`Schedule` beside the phase.
    """

    def __init__(self, config: NetworkConfig, phase: int | None, drift: DriftConfig | None = None, **chosen: Any) -> None:
        every = phase * config.batch if phase is not None else None
        self.stream = Stream.in_process(config, Schedule(every=every, idle=None, **chosen), drift=drift)
        self._rested = 0

    def step(self, frames: Frames, labels: Labels) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`.

        ``live`` is the stream's own prequential prediction; ``averaged`` and ``shortlist`` are what ``/classify`` would have
        answered just before.
        """
        averaged, shortlist = self._classify(frames, Method.ONE_PASS), self._classify(frames, Method.SHORTLIST)
        learned = self.stream.feed(frames, labels)
        live = np.concatenate([outcome.logits.argmax(dim=1).numpy() for outcome in learned])
        return {"live": live, "averaged": averaged, "shortlist": shortlist}

    def rest(self) -> None:
        """Sleep for what is owed, unless the schedule knows no sleep, or a phase so long that another pass fits into it."""
        sequencer, frames = self.stream.sequencer, self.stream.progress.frames
        owed, every = sequencer.debt.frames, sequencer.schedule.every
        if every is not None and owed and owed + frames - self._rested > every:
            self.stream.sleep()
        self._rested = frames

    def read(self, frames: Frames) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`: one entry a method of classifying."""
        parts = np.array_split(frames, max(1, len(frames) // 1000))
        return {method.value: np.concatenate([self._classify(part, method) for part in parts]) for method in Method}

    def _classify(self, frames: Frames, method: Method) -> Labels:
        return self.stream.classify(frames, method).labels.numpy()


def make(shape: Shape, inputs: int, classes: int, updates: int) -> ForwardForward:
    """The library's network with its default constants, but for those that ``shape.constants`` names."""
    config = network_config(shape.constants, shape, inputs, classes)
    chosen = {name: shape.constants[name] for name in ("cycle", "enough") if name in shape.constants}
    reaction = shape.constants.get("drift")
    return ForwardForward(config, shape.constants["phase"], DriftConfig(reaction) if reaction else None, **chosen)


def network_config(constants: Constants, shape: Shape, inputs: int, classes: int) -> NetworkConfig:
    """Defaults of the library; ``constants`` may name a ``rule``, fields of its :class:`LayerConfig` that differ, a
    ``label_strength``, ``negatives``, an ``average_span``, and the settings of a ``readout``, a ``video`` and ``fields``.
    """
    layer = layer_config(constants)
    chosen = {name: constants[name] for name in ("label_strength", "negatives", "average_span") if name in constants}
    readout = ReadoutConfig(**constants.get("readout", {}))
    video, fields = video_config(constants), fields_config(constants)
    parts: dict[str, Any] = {"layer": layer, "readout": readout, "video": video, "fields": fields}
    return NetworkConfig(inputs, classes, shape.units, batch=shape.batch, seed=shape.seed, **parts, **chosen)


def video_config(constants: Constants) -> VideoConfig | None:
    """What makes the network recurrent, if anything does."""
    return VideoConfig.from_dict(constants["video"]) if "video" in constants else None


def fields_config(constants: Constants) -> FieldsConfig | None:
    """The local receptive fields, if there are any."""
    return FieldsConfig.from_dict(constants["fields"]) if "fields" in constants else None


def layer_config(constants: Constants) -> LayerConfig:
    """The constants of the rule that is named, with what is named beside it changed."""
    changed = {name: value for name, value in constants.items() if name not in OWN}
    return replace(RULES[constants.get("rule", "curvature")], **changed)


@functools.cache
def fingerprint(
    layer: LayerConfig,
    video: VideoConfig | None = None,
    standardize: bool = False,
    local: bool = False,
    shared: bool = False,
    steps: int = 60,
) -> tuple[float, ...]:
    """What the library does with these constants: a tiny network's weights after a fixed stream, seen from a few directions.

    It differs when a constant, a default or what the library learns differs, and only then, so that a benchmark knows which of
    its records still stand. Kinds of processor and builds of torch round differently: from one to another these numbers, which
    are of order 1, move by some 1e-5 (5e-4 behind the standardiser), so that they are to be compared within
    :data:`benchmarks.ledger.SAME`. For that they are of products in float32, whatever the precision of the constants. Recurrent
    networks magnify what is rounded: their records stand for one kind of processor only.

    Args:
        layer: constants of every layer; all others are the library's defaults.
        video: makes the network recurrent.
        standardize: as the network's configuration has it.
        local: whether the layers have local receptive fields.
        shared: whether any of these share their weights.
        steps: wake micro-batches of the fixed stream, more than any of the library's refresh intervals.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    exact = replace(layer, precision="float32", blocks=min(layer.blocks, NARROW))
    fields = None
    if shared:
        fields = FieldsConfig(4, 1, (Field(2, 4, 3, shared=True), Field(1, NARROW, 2, shared=True)))
    elif local:
        fields = FieldsConfig(4, 1, (Field(2, 3, 3, tile=2), Field(2, 3, 1)))
    units = (NARROW, NARROW) if fields is None else fields.units
    config = NetworkConfig(16, 3, units, batch=10, layer=exact, video=video, standardize=standardize, fields=fields)
    stream = Stream.in_process(config, Schedule(every=50, idle=None))
    for _ in range(steps):
        labels = rng.integers(3, size=10)
        stream.feed(rng.random((10, 16), dtype=np.float32) + np.eye(3, 16, dtype=np.float32)[labels], labels)
    assert isinstance(stream.chain, Network)
    weights = [stage.layer.weights.numpy().ravel() for stage in stream.chain.stages]
    seen = [rng.standard_normal((DIRECTIONS, len(each))) @ each / np.linalg.norm(each) for each in weights]
    return tuple(np.concatenate(seen).round(6).tolist())
