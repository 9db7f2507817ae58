"""A layer as a Ray actor: a shell around :class:`~ffstream.stage.Stage` that hands on by itself."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import ray
import torch
from numpy.typing import NDArray

from ffstream.actors.part import Blob, Guard, Pulse, Saver
from ffstream.actors.wire import Packed, lender, pack, unpack
from ffstream.change import changed_stage
from ffstream.config import NetworkConfig
from ffstream.devices import ON_THE_PROCESSOR, Devices, claim
from ffstream.message import Batch, Message, Position
from ffstream.stage import Stage, StageWeights, restore
from ffstream.stream.events import Barrier, Change, Recorded
from ffstream.stream.snapshot import Manifest

T = TypeVar("T", Batch, Message)
FETCHED_WITHIN = 15.0
"""Seconds for published weights to arrive."""


@dataclass(frozen=True)
class Publication:
    """A publish marker: every layer adds a reference to its weights as they are when the marker passes.

    A sleep takes one with it too, to the dreamer, where the network generates its negatives itself.
    """

    seq: int
    weights: tuple[ray.ObjectRef[dict[str, NDArray[np.floating[Any]]]], ...] = ()

    def with_weights_of(self, stage: Stage) -> "Publication":
        """One more layer passed."""
        arrays = {name: part.numpy() for name, part in stage.weights().tensors().items()}
        return replace(self, weights=(*self.weights, ray.put(arrays)))

    def stages(self) -> tuple[StageWeights, ...]:
        """The weights, in memory of torch's own."""
        arrays = ray.get(list(self.weights), timeout=FETCHED_WITHIN)
        return tuple(StageWeights(**{name: torch.tensor(part) for name, part in parts.items()}) for parts in arrays)


class LayerActor:
    """Layer ``index`` of a network, in a process of its own.

    Batches come and go in bundles, since a call costs as much as a step of a layer of 500 units does.
    Its state moves only in the concurrency group ``learn``, which has one thread and keeps the order of every caller. The
    first layer is called by the driver in wake and by the dreamer in sleep, never by both at once; every other layer by the
    one below. What does not come from the present epoch is dropped.

    Args:
        config: of the network.
        index: of the layer, from 0.
        snapshots: folder on the driver's disk.
        devices: where layers compute.
    """

    def __init__(self, config: NetworkConfig, index: int, snapshots: Path, devices: Devices = ON_THE_PROCESSOR) -> None:
        self.config, self.index = config, index
        self.guard = Guard(f"layer-{index}")
        self.saver = Saver(self.guard, snapshots)
        self.epoch = 0
        with suppress(Exception), self.guard():  # a sign of life tells
            self.device = claim(devices, self.guard.name)
            self.guard.gpu = lender(self.device)

    @ray.method(concurrency_group="learn")
    def open(
        self, epoch: int, above: Any, dreamer: Any, start: Manifest | None, away: bool = False, blob: Blob | None = None
    ) -> None:
        """Begin an epoch.

        Args:
            epoch: its number.
            above: the next layer's actor, or the dreamer's for the last.
            dreamer: who collects what snapshots consist of.
            start: snapshot to begin from.
            away: whether this is not where the snapshots are.
            blob: what is to be known of ``start``, when it is.
        """
        with self.guard():
            hand_over = functools.partial(dreamer.keep.remote, epoch) if away else None
            self.saver.report_to(functools.partial(dreamer.saved.remote, epoch), hand_over)
            self.epoch, self.above, self.lends = epoch, above, self.guard.lends(above)
            self.stage = Stage(self.config if start is None else start.network(self.config), self.index).to(self.device)
            if start is not None:
                restore(self.stage.state(), self.saver.saved(start, blob))

    @ray.method(concurrency_group="learn")
    def enter(self, epoch: int, *bundle: Packed) -> None:
        """Batches of frames enter the chain here, when this is the first layer."""
        with self.guard():
            self._hand_on(self._learn(self.stage.enter(batch)) for batch in self._new(epoch, bundle, Batch))

    @ray.method(concurrency_group="learn")
    def learn(self, epoch: int, *bundle: Packed) -> None:
        """What the layer below hands on."""
        with self.guard():
            self._hand_on(self._learn(message) for message in self._new(epoch, bundle, Message))

    def _new(self, epoch: int, bundle: Sequence[Packed], kind: type[T]) -> Iterator[T]:
        """What was not applied before, one after another; nothing when it comes from another epoch."""
        for packed in bundle if epoch == self.epoch else ():
            arrived = unpack(packed, kind)
            if self.stage.advance(arrived.position):
                yield arrived

    def _learn(self, message: Message) -> Packed:
        message = self.stage.learn(message)
        if self.index == self.config.depth - 1:
            message = replace(message, activity=message.activity[:0])  # the dreamer does not read it
        return pack(message, self.lends)

    def _hand_on(self, learned: Iterable[Packed]) -> None:
        if bundle := list(learned):
            self.above.learn.remote(self.epoch, *bundle)

    @ray.method(concurrency_group="learn")
    def mark(self, epoch: int, recorded: Recorded, asked: Publication | None = None) -> None:
        """What is no batch passes; what ``asked`` for weights takes them along."""
        with self.guard():
            if epoch == self.epoch and self.stage.advance(Position(recorded.seq), recorded.before):
                if isinstance(recorded.event, Barrier):
                    self.saver.save(recorded.seq, self.stage.state())
                elif isinstance(recorded.event, Change):
                    self.stage = changed_stage(self.stage, recorded.event)
                self.above.mark.remote(epoch, recorded, asked and asked.with_weights_of(self.stage))

    @ray.method(concurrency_group="learn")
    def publish(self, epoch: int, publication: Publication) -> None:
        """A publish marker passes."""
        with self.guard():
            if epoch != self.epoch:
                return
            self.above.publish.remote(epoch, publication.with_weights_of(self.stage))

    @ray.method(concurrency_group="learn")
    def digest(self) -> str:
        """A sha256 of what was learned."""
        return self.stage.digest()

    @ray.method(concurrency_group="ctl")
    def pulse(self) -> Pulse:
        """A sign of life."""
        return self.guard.pulse()
