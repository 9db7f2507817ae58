"""A layer of a recurrent network as a Ray actor: states go both ways between neighbours, everything else goes up."""

from pathlib import Path
from typing import Any

import ray

from ffstream.actors.layer_actor import LayerActor, Publication
from ffstream.actors.part import Blob, Guard, Pulse, Saver
from ffstream.actors.wire import Packed, pack, unpack
from ffstream.change import changed_network
from ffstream.config import NetworkConfig
from ffstream.devices import ON_THE_PROCESSOR, Devices
from ffstream.message import Batch, Message, States
from ffstream.pacing import Pacer, Side
from ffstream.recurrent import Eye
from ffstream.stage import Stage
from ffstream.stream.events import Change, Recorded
from ffstream.stream.snapshot import Manifest


class Mail:
    """The neighbours of one epoch, each an actor: :class:`~ffstream.pacing.Neighbours` by Ray calls.

    Args:
        epoch: what is sent belongs to it.
        layer: the actor's shell, to which marks are given when it is their turn.
        below: the layer below; None for the first, below which is the frame.
        above: the layer above, or the dreamer.
        is_last: whether the label is above.
    """

    def __init__(self, epoch: int, layer: Any, below: Any, above: Any, is_last: bool) -> None:
        self.epoch, self.layer, self.below, self.above, self.is_last = epoch, layer, below, above, is_last
        shown = [each for each in (below, None if is_last else above) if each is not None]
        self.lends = layer.guard.lends(*shown)

    def show(self, states: States) -> None:
        """See :class:`~ffstream.pacing.Neighbours`."""
        packed = pack(states, self.lends)
        if not self.is_last:
            self.above.shows.remote(self.epoch, packed, Side.BELOW)
        if self.below is not None:
            self.below.shows.remote(self.epoch, packed, Side.ABOVE)

    def hand_on(self, message: Message) -> None:
        """See :class:`~ffstream.pacing.Neighbours`."""
        self.above.learn.remote(self.epoch, pack(message))

    def mark(self, thing: Any) -> Stage:
        """See :class:`~ffstream.pacing.Neighbours`."""
        if isinstance(thing, Publication):
            self.layer.publish(self.epoch, thing)
        else:
            self.layer.mark(self.epoch, thing)
        stage: Stage = self.layer.stage
        return stage


class TickActor:
    """Layer ``index`` of a recurrent network, in a process of its own.

    It is a :class:`~ffstream.actors.layer_actor.LayerActor` with patience: a :class:`~ffstream.pacing.Pacer` lets it do
    everything in its turn. ``entering`` is what the network is for the batches that arrive, of which some may still wait for
    theirs. What does not come from the present epoch is dropped.

    Args:
        config: of the network.
        index: of the layer, from 0.
        snapshots: folder on the driver's disk.
        devices: where layers compute.
    """

    def __init__(self, config: NetworkConfig, index: int, snapshots: Path, devices: Devices = ON_THE_PROCESSOR) -> None:
        self.config, self.index = config, index
        self.layer: Any = LayerActor(config, index, snapshots, devices)
        self.guard: Guard = self.layer.guard
        self.saver: Saver = self.layer.saver

    @ray.method(concurrency_group="learn")
    def open(
        self,
        epoch: int,
        below: Any,
        above: Any,
        dreamer: Any,
        start: Manifest | None,
        away: bool = False,
        blob: Blob | None = None,
    ) -> None:
        """Begin an epoch.

        Args:
            epoch: its number.
            below: the layer below; None for the first.
            above: the layer above, or the dreamer for the last.
            dreamer: who collects what snapshots consist of.
            start: snapshot to begin from.
            away: whether this is not where the snapshots are.
            blob: what is to be known of ``start``, when it is.
        """
        self.layer.open(epoch, above, dreamer, start, away, blob)
        mail = Mail(epoch, self.layer, below, above, is_last=self.index == self.config.depth - 1)
        self.entering: NetworkConfig = self.layer.stage.config
        self.pacer = Pacer(self.layer.stage, mail)

    @ray.method(concurrency_group="learn")
    def enter(self, epoch: int, *bundle: Packed) -> None:
        """Batches enter the chain here, when this is the first layer: all that it will see of them, and then the question."""
        with self.guard():
            for packed in bundle if epoch == self.layer.epoch else ():
                self._see(Eye(self.entering, unpack(packed, Batch)))

    def _see(self, eye: Eye) -> None:
        for tick in range(eye.video.ticks):
            for lane in range(eye.lanes):
                self.pacer.came(Side.BELOW, eye.shows(tick, lane))
        self.pacer.came(Side.BELOW, eye.question(self.entering.classes))

    @ray.method(concurrency_group="learn")
    def shows(self, epoch: int, packed: Packed, side: Side) -> None:
        """The states of a neighbour."""
        self._came(epoch, side, packed)

    @ray.method(concurrency_group="learn")
    def learn(self, epoch: int, *bundle: Packed) -> None:
        """What the layer below hands on at the end of an event."""
        for packed in bundle:
            self._came(epoch, Side.BELOW, packed)

    @ray.method(concurrency_group="learn")
    def mark(self, epoch: int, recorded: Recorded, asked: None = None) -> None:
        """What is no batch passes in its turn; a recurrent network's asks for no weights."""
        if isinstance(recorded.event, Change) and epoch == self.layer.epoch:
            self.entering = changed_network(self.entering, recorded.event)
        self._came(epoch, Side.BELOW, recorded)

    @ray.method(concurrency_group="learn")
    def publish(self, epoch: int, publication: Publication) -> None:
        """A publish marker, which passes in its turn."""
        self._came(epoch, Side.BELOW, publication)

    def _came(self, epoch: int, side: Side, thing: Any) -> None:
        with self.guard():
            if epoch == self.layer.epoch:
                self.pacer.came(side, unpack(thing, object) if isinstance(thing, Packed) else thing)

    @ray.method(concurrency_group="learn")
    def digest(self) -> str:
        """A sha256 of what was learned."""
        digest: str = self.layer.digest()
        return digest

    @ray.method(concurrency_group="ctl")
    def pulse(self) -> Pulse:
        """A sign of life."""
        return self.guard.pulse()
