"""The driver's end of the chain of actors: it sends events in at the bottom and takes outcomes from the end.

It is never in the path: what a layer hands on goes straight to the next.
"""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
import torch

from ffstream.actors.dreamer_actor import DreamerActor
from ffstream.actors.layer_actor import LayerActor, Publication
from ffstream.actors.part import Pulse, actor
from ffstream.actors.wire import Packed, pack, unpack
from ffstream.config import NetworkConfig
from ffstream.errors import ChainError
from ffstream.message import Batch
from ffstream.outcome import Outcome, Published
from ffstream.stage import StageWeights
from ffstream.stream.events import Barrier, Recorded, Restore, Sleep
from ffstream.stream.snapshot import Manifest

POLL = 0.5
"""Seconds that the dreamer waits for an outcome before it answers that there is none."""

PULSE_EVERY = 1.0
HUNG_AFTER = 15.0
START_WITHIN = 120.0
FOLLOW_WITHIN = 30.0
"""Seconds: between signs of life, until an actor without one counts as hung, for an actor to start, and from one to the next:
they start together."""

log = logging.getLogger(__name__)


class RayChain:
    """A :class:`~ffstream.chain.Chain` of Ray actors. Ray must be running.

    ``pids`` are the process numbers of the actors on this machine, by name.

    Args:
        config: of the network.
        journal: file of the SQLite journal, which the dreamer reads.
        snapshots: folder for snapshots.
        start: snapshot to begin from; None for first weights.
        watch: called once a second; raises a :class:`ChainError` when Ray itself has failed.

    Raises:
        ChainError: when the actors do not start.
    """

    def __init__(
        self,
        config: NetworkConfig,
        journal: Path,
        snapshots: Path,
        start: Manifest | None = None,
        *,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self._watch = watch
        self._dreamer: Any = actor(DreamerActor).remote(config, journal, snapshots, start)
        layer = actor(LayerActor)
        above, layers = self._dreamer, []
        for index in reversed(range(config.depth)):
            above = layer.remote(config, index, above, self._dreamer, snapshots, start)
            layers.append(above)
        self._layers: list[Any] = layers[::-1]
        self._parts = {f"layer-{index}": actor for index, actor in enumerate(self._layers)} | {"dreamer": self._dreamer}
        self._pulses: dict[str, ray.ObjectRef[Pulse]] = {}
        self._pulse_at = time.monotonic()
        self._poll: ray.ObjectRef[list[Packed | Publication]] | None = None
        self.pids: dict[str, int] = {}
        self._connect()

    def _connect(self) -> None:
        """Wait for every actor, and show the dreamer where dreams go in."""
        try:
            pulses: list[Pulse] = self._started([part.pulse.remote() for part in self._parts.values()])
            self._started([self._dreamer.connect.remote(self._layers[0])])
        except (ray.exceptions.RayError, ChainError) as error:
            self.close()
            raise ChainError(f"the actors did not start: {error}") from error
        here = ray.get_runtime_context().get_node_id()
        named = zip(self._parts, pulses, strict=True)
        self.pids = {name: pulse.pid for name, pulse in named if pulse.node == here}
        log.info("the chain is up: %s", ", ".join(f"{name} is process {pid}" for name, pid in self.pids.items()))

    def _started(self, refs: list[Any]) -> list[Any]:
        """The first answers of actors."""
        missing, end = refs, time.monotonic() + START_WITHIN
        while missing:
            came, missing = ray.wait(missing, timeout=PULSE_EVERY)
            self._watch()
            if came:
                end = time.monotonic() + FOLLOW_WITHIN
            elif time.monotonic() > end:
                raise ChainError(f"{len(missing)} of {len(refs)} do not answer")
        return ray.get(refs)

    def wake(self, batch: Batch) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._layers[0].enter.remote(pack(batch))

    def sleep(self, recorded: Recorded, sleep: Sleep) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._layers[0].mark.remote(recorded)

    def barrier(self, recorded: Recorded, barrier: Barrier) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._layers[0].mark.remote(recorded)

    def restore(self, recorded: Recorded, restore: Restore) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._layers[0].mark.remote(recorded)

    def publish(self, seq: int) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._layers[0].publish.remote(Publication(seq))

    def outcomes(self, timeout: float) -> list[Outcome]:
        """See :class:`~ffstream.chain.Chain`."""
        try:
            self._feel_pulses()
            if self._poll is None:
                self._poll = self._dreamer.outcomes.remote(POLL)
            if not ray.wait([self._poll], timeout=timeout)[0]:
                return []
            waiting, self._poll = ray.get(self._poll), None
            return [self._unpack(outcome) for outcome in waiting]
        except ray.exceptions.RayError as error:
            raise ChainError(f"an actor has died: {str(error).splitlines()[0]}") from error

    def _unpack(self, outcome: Packed | Publication) -> Outcome:
        if isinstance(outcome, Packed):
            return unpack(outcome, Outcome)  # type: ignore[arg-type]
        arrays = ray.get(list(outcome.weights), timeout=HUNG_AFTER)
        stages = (StageWeights(torch.tensor(layer), torch.tensor(readout)) for layer, readout in arrays)
        return Published(outcome.seq, tuple(stages))

    def _feel_pulses(self) -> None:
        """Once a second ask every actor, and Ray, how they are.

        Raises:
            ChainError: when one reports a fault or does not answer any more.
        """
        waited = time.monotonic() - self._pulse_at
        if waited < PULSE_EVERY:
            return
        self._watch()
        for name, ref in list(self._pulses.items()):
            if ray.wait([ref], timeout=0)[0]:
                pulse: Pulse = ray.get(self._pulses.pop(name))
                if pulse.fault is not None:
                    raise ChainError(f"{name}: {pulse.fault}")
        if not self._pulses:
            self._pulses = {name: part.pulse.remote() for name, part in self._parts.items()}
            self._pulse_at = time.monotonic()
        elif waited > HUNG_AFTER:
            raise ChainError(f"no sign of life for {waited:.0f} s from {', '.join(sorted(self._pulses))}")

    def digests(self) -> dict[str, str]:
        """See :class:`~ffstream.chain.Chain`; meant for a chain at rest."""
        return dict(zip(self._parts, ray.get([part.digest.remote() for part in self._parts.values()]), strict=True))

    def close(self) -> None:
        """See :class:`~ffstream.chain.Chain`. Also ends actors that hang."""
        for part in self._parts.values():
            ray.kill(part)
        for pid in self.pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
