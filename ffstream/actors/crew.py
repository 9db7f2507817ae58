"""The actors of one stream, over all the chains that they form.

After a failure those that are well stay: the next chain is the same actors in a new epoch, with the lost ones replaced, so that
a recovery need not wait for every process to start. What was sent in an epoch counts in that epoch only.
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

from ffstream.actors.dreamer_actor import DreamerActor
from ffstream.actors.layer_actor import LayerActor
from ffstream.actors.part import Pulse, actor
from ffstream.actors.tick_actor import TickActor
from ffstream.config import NetworkConfig
from ffstream.errors import ChainError
from ffstream.stream.snapshot import Manifest

WELL_WITHIN = 2.0
START_WITHIN = 120.0
FOLLOW_WITHIN = 30.0
LOOK_EVERY = 1.0
"""Seconds: until an actor without a sign of life is replaced, for an actor to start, from one to the next (they start
together), and between two looks at Ray meanwhile."""

log = logging.getLogger(__name__)


class Crew:
    """Layers and dreamer by name, and the number of the epoch that they are in. Ray must be running.

    ``pids`` are the process numbers of the actors on this machine.

    Args:
        config: of the network.
        journal: file of the SQLite journal, which the dreamer reads.
        snapshots: folder for snapshots.
        watch: called while waiting; raises a :class:`ChainError` when Ray itself has failed.
    """

    def __init__(self, config: NetworkConfig, journal: Path, snapshots: Path, watch: Callable[[], None] = lambda: None) -> None:
        self.config, self.watch = config, watch
        self.parts: dict[str, Any] = {}
        self.pids: dict[str, int] = {}
        self.epoch = 0
        self._journal, self._snapshots = journal, snapshots

    def assemble(self, start: Manifest | None) -> None:
        """A new epoch, in which every part is as it was in snapshot ``start``, or as it was made.

        Raises:
            ChainError: when a part does not start.
        """
        try:
            self._dismiss_the_unwell()
            self._engage_the_missing()
            self._open(start)
        except ray.exceptions.RayError as error:
            raise ChainError(f"the actors did not start: {error}") from error
        log.info("the chain is up: %s", ", ".join(f"{name} is process {pid}" for name, pid in self.pids.items()))

    def layers(self) -> list[Any]:
        """From first to last."""
        return [self.parts[f"layer-{index}"] for index in range(self.config.depth)]

    def forget(self) -> None:
        """All are gone: the Ray that they were part of is."""
        self.parts.clear()
        self.pids.clear()

    def close(self) -> None:
        """End all, also those that hang."""
        for name in list(self.parts):
            self._dismiss(name)

    def _dismiss_the_unwell(self) -> None:
        pulses = {name: part.pulse.remote() for name, part in self.parts.items()}
        end = time.monotonic() + WELL_WITHIN
        for name, ref in pulses.items():
            if not self._is_well(ref, end - time.monotonic()):
                self._dismiss(name)

    def _is_well(self, ref: Any, patience: float) -> bool:
        try:
            return bool(ray.wait([ref], timeout=max(patience, 0.0))[0]) and ray.get(ref).fault is None
        except ray.exceptions.RayError:
            return False

    def _dismiss(self, name: str) -> None:
        ray.kill(self.parts.pop(name))
        if name in self.pids:
            with suppress(ProcessLookupError):
                os.kill(self.pids.pop(name), signal.SIGKILL)

    def _engage_the_missing(self) -> None:
        new = {}
        if "dreamer" not in self.parts:
            new["dreamer"] = actor(DreamerActor).remote(self.config, self._journal, self._snapshots)
        layer = actor(LayerActor if self.config.video is None else TickActor)
        for index in range(self.config.depth):
            if f"layer-{index}" not in self.parts:
                new[f"layer-{index}"] = layer.remote(self.config, index, self._snapshots)
        self.parts |= new
        pulses: list[Pulse] = self._answers([part.pulse.remote() for part in new.values()])
        here = ray.get_runtime_context().get_node_id()
        self.pids |= {name: pulse.pid for name, pulse in zip(new, pulses, strict=True) if pulse.node == here}

    def _open(self, start: Manifest | None) -> None:
        """Every part is told who its neighbours are in this epoch, and where to begin."""
        self.epoch += 1
        dreamer, layers = self.parts["dreamer"], self.layers()
        opened = [dreamer.open.remote(self.epoch, layers[0], start)]
        row = [None, *layers, dreamer]
        for below, layer, above in zip(row, layers, row[2:], strict=False):
            neighbours = (above,) if self.config.video is None else (below, above)
            opened.append(layer.open.remote(self.epoch, *neighbours, dreamer, start))
        self._answers(opened)

    def _answers(self, refs: list[Any]) -> list[Any]:
        missing, end = refs, time.monotonic() + START_WITHIN
        while missing:
            came, missing = ray.wait(missing, timeout=LOOK_EVERY)
            self.watch()
            if came:
                end = time.monotonic() + FOLLOW_WITHIN
            elif time.monotonic() > end:
                raise ChainError(f"{len(missing)} of {len(refs)} actors do not answer")
        return ray.get(refs)
