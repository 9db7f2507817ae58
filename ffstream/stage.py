"""A stage: one layer, its readout slice beside it, and the place in the stream that it has reached.

The in-process network and the Ray actors run this same class, so that they agree bit for bit. In the actors' chain each stage
is a process of its own; nothing in here knows.
"""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ffstream import exact
from ffstream.average import Average
from ffstream.boxes import Port
from ffstream.config import NetworkConfig
from ffstream.devices import CPU, moved
from ffstream.errors import GapError, SnapshotError
from ffstream.hardware import activation_of
from ffstream.labels import LabelViews
from ffstream.layer import Layer
from ffstream.message import Batch, Message, Position, enter
from ffstream.polarity import Polarity
from ffstream.readout import ReadoutSlice, correct
from ffstream.scales import Scales
from ffstream.seeds import keyed
from ffstream.stream.snapshot import digest
from ffstream.wiring import wiring_of


class StageWeights(NamedTuple):
    """What classifying needs of a stage, in host memory: ``layer`` [units, inputs + 1] (of local receptive fields [blocks,
    units, width + 1], see :mod:`ffstream.wiring`) and ``readout`` [classes, units]:
    [classes, 0] below one that is joint, which has the units of all layers.

    ``moments`` [2, inputs] are those of the frames, in the first stage of a network that standardizes them; ``box`` the
    weights that a box below the layer has.
    """

    layer: Tensor
    readout: Tensor
    moments: Tensor | None = None
    box: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Those that there are, by name."""
        return {name: part for name, part in self._asdict().items() if part is not None}


def port_below(config: NetworkConfig, index: int, weights: Tensor | None = None) -> Port | None:
    """The box below layer ``index``, with ``weights`` if it has any; None where there is none."""
    if config.box is None or index == 0:
        return None
    return Port(config.box, config.seed, index, config.units[index - 1], weights)


def views_of(config: NetworkConfig, moments: Tensor | None = None) -> LabelViews:
    """The views of a network's frames."""
    return LabelViews(config.classes, config.label_strength, config.symbols, moments, config.fast_weights, config.soft_labels)


class Stage:
    """Layer ``index`` of a network. It computes on the processor until it is taken elsewhere (:meth:`to`)."""

    def __init__(self, config: NetworkConfig, index: int) -> None:
        self.config = config
        self.index = index
        self.device = CPU
        seed = int(keyed(config.seed, "layer", index).integers(2**62))
        inputs, units = config.layer_inputs(index), config.units[index]
        activation, wiring = activation_of(config, index), wiring_of(config, index)
        self.layer = Layer(inputs, units, config.layer, seed=seed, activation=activation, wiring=wiring)
        self.port = port_below(config, index)
        self.readout = ReadoutSlice(config.read_beside(index), config.classes, config.readout, format=config.layer.format)
        self.average = Average({"layer": self.layer.weights, "readout": self.readout.weights}, config.average_span)
        sees_labels = index == 0 and config.video is None
        self.scales = Scales(config.inputs) if config.standardize and index == 0 else None
        moments = None if self.scales is None else self.scales.moments
        self.views = views_of(config, moments) if sees_labels else None
        self.place = torch.zeros(2, dtype=torch.int64)

    def to(self, device: torch.device) -> "Stage":
        """The same stage on another device (:mod:`ffstream.devices`); itself where it is there already."""
        if device == self.device:
            return self
        stage = moved(self, device)
        stage.device, stage.place = device, self.place.clone()
        return stage

    @property
    def position(self) -> Position:
        """The last place in the stream that this stage has applied."""
        return Position(*self.place.tolist())

    def advance(self, position: Position, before: int | None = None) -> bool:
        """Move to ``position``; False when it was applied before and is to be dropped.

        Args:
            position: the new place.
            before: the event that has to come before it; None for the one before, or an earlier step of the same.

        Raises:
            GapError: when something between was never seen.
        """
        last = self.position
        if position <= last:
            return False
        if not (position.follows(last) if before is None else last.seq == before):
            raise GapError(f"layer {self.index}: got {position} after {last}: a message in between is missing")
        self.place[0], self.place[1] = position
        return True

    def enter(self, batch: Batch) -> Message:
        """Label views of a batch, in host memory; only the first stage has them. Frames that wake brings are measured first.

        One that is learned in one step is no sample of the stream: it changes no average.
        """
        assert self.views is not None, f"layer {self.index} is not the first"
        if self.scales is not None and not (batch.position.step or batch.exact):
            self.scales.observe(batch.frames)
        return exact.enter(batch, self.views) if batch.exact else enter(batch, self.views, self.config.wrong_labels)

    def learn(self, message: Message) -> Message:
        """Forward, learn, hand on.

        What is handed on was computed before this step's learning, in the layer as in the readout, and is rounded to the
        precision of the layers: the next one's products would round it all the same. What an exact step hands on has learned
        already (:mod:`ffstream.exact`).
        """
        message = message.to(self.device)
        if message.exact:
            return self._learn_exactly(message)
        below, taught = message.activity, message.taught
        x = below if self.port is None else self.port.see(below)
        activities = self.layer.forward(x)
        handed_on = self.layer.goodness.normalize(activities).to(self.layer.config.format)
        reports = message.reports
        if taught and self.port is not None:
            self.port.learn(below[:taught], self.layer, message.polarity)
        if taught:
            reports += (self.layer.learn(x[:taught], activities[:taught], message.polarity, taught / self.config.batch),)
        message = replace(message, activity=handed_on, reports=reports)
        if message.polarity is Polarity.POSITIVE:
            message = self.read(handed_on[-len(message.labels) :], message)
        if taught:
            self.average.follow(taught / self.config.batch)
        return message

    def read(self, neutral: Tensor, message: Message) -> Message:
        """Correct the logits, which the slice learns from, and the prediction, which the averaged slices make; or let the
        activities ``neutral`` [batch, units] travel on to a joint readout.
        """
        if self.config.readout.joint:
            neutral = neutral if message.carried is None else torch.cat([message.carried, neutral], dim=1)
            if not self.readout.widths:
                return replace(message, carried=neutral)
            message = replace(message, carried=None)
        neutral = neutral.float()
        logits = self.readout.correct(neutral, message.logits)
        prediction = correct(self.average.mean["readout"], neutral, message.prediction)
        known = message.known
        if known.any():
            share = int(known.sum()) / self.config.batch
            told = message.told if message.told is not None else one_hot(message.labels.clamp(min=0), self.config.classes)
            self.readout.learn(neutral[known], logits[known], told[known].float().to(logits.device), share)
        return replace(message, logits=logits, prediction=prediction)

    def _learn_exactly(self, message: Message) -> Message:
        live = exact.Part(self.layer.weights, self.readout.weights)
        mean = exact.Part(self.average.mean["layer"], self.average.mean["readout"])
        step = exact.Step(self.config, self.layer.rule.steer, self.config.depth - self.index)
        return step.learn(live, mean, message)

    def forget(self) -> None:
        """The stream has changed: keep the layer's weights, begin anew with what was fitted to the stream around them."""
        self.layer.forget()
        self.readout.forget()
        self.average.forget()
        if self.scales is not None:
            self.scales.forget()

    def weights(self) -> StageWeights:
        """A copy of what classifying needs: the averaged weights."""
        moments = None if self.scales is None else self.scales.moments
        box = None if self.port is None else self.port.weights
        found = StageWeights(self.average.mean["layer"], self.average.mean["readout"], moments, box)
        return StageWeights(**{name: part.to(CPU, copy=True) for name, part in found.tensors().items()})

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the future depends on, by name (the tensors themselves)."""
        layer = {f"layer.{name}": tensor for name, tensor in self.layer.state().items()}
        readout = {f"readout.{name}": tensor for name, tensor in self.readout.state().items()}
        average = {f"average.{name}": tensor for name, tensor in self.average.state().items()}
        scales = {} if self.scales is None else {f"scales.{name}": tensor for name, tensor in self.scales.state().items()}
        box = {} if self.port is None else {f"box.{name}": tensor for name, tensor in self.port.state().items()}
        return layer | readout | average | scales | box | {"place": self.place}

    def digest(self) -> str:
        """A sha256 of what was learned; the place, which barriers move too, does not count."""
        return digest({name: tensor for name, tensor in self.state().items() if name != "place"})


def restore(into: dict[str, Tensor], saved: dict[str, Tensor]) -> None:
    """Copy saved tensors into live ones.

    Raises:
        SnapshotError: when names or shapes differ; nothing is changed then.
    """
    if into.keys() != saved.keys():
        raise SnapshotError(f"state names differ: {sorted(into.keys() ^ saved.keys())}")
    for name, tensor in saved.items():
        if into[name].shape != tensor.shape or into[name].dtype != tensor.dtype:
            raise SnapshotError(
                f"{name}: got {tensor.dtype} {list(tensor.shape)}, expected {into[name].dtype} {list(into[name].shape)}"
            )
    for name, tensor in saved.items():
        into[name].copy_(tensor)
