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

import numpy as np
import psutil
import ray

from ffstream.actors.dreamer_actor import DreamerActor
from ffstream.actors.layer_actor import LayerActor
from ffstream.actors.part import BUILD, Pulse, actor
from ffstream.actors.placement import DREAMER, Seats, free
from ffstream.actors.servers import kill
from ffstream.actors.tick_actor import TickActor
from ffstream.config import NetworkConfig
from ffstream.devices import ON_THE_PROCESSOR, Devices
from ffstream.errors import ChainError
from ffstream.stream.snapshot import Manifest, read_blob

WELL_WITHIN = 2.0
START_WITHIN = 120.0
FOLLOW_WITHIN = 30.0
LOOK_EVERY = 1.0
NAMED_WITHIN = 60.0
LEAVE_WITHIN = 1.0
"""Seconds: until an actor without a sign of life is replaced, for an actor to start, from one to the next (they start
together), between two looks at Ray meanwhile, for the cluster to give out a name that another service had, and for actors to
end by themselves."""

log = logging.getLogger(__name__)


class Crew:
    """Layers and dreamer by name, and the number of the epoch that they are in. Ray must be running.

    ``pids`` are the process numbers of the actors on the driver's node; ``away`` are those on others.

    Args:
        config: of the network.
        journal: file of the SQLite journal, which the dreamer reads.
        snapshots: folder for snapshots.
        watch: called while waiting; raises a :class:`ChainError` when Ray itself has failed.
        seats: places on a cluster; None when all are on this machine, and nothing is kept free for them.
        devices: where layers compute.
        starting: called while actors start; what it raises ends that.
    """

    def __init__(
        self,
        config: NetworkConfig,
        journal: Path,
        snapshots: Path,
        watch: Callable[[], None] = lambda: None,
        seats: Seats | None = None,
        devices: Devices = ON_THE_PROCESSOR,
        starting: Callable[[], None] = lambda: None,
    ) -> None:
        self.config, self.watch, self.seats, self.devices, self.starting = config, watch, seats, dict(devices), starting
        self.parts: dict[str, Any] = {}
        self.pids: dict[str, int] = {}
        self.away: dict[str, str] = {}
        self._found: set[str] = set()
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
        here = [f"{name} is process {pid}" for name, pid in self.pids.items()]
        log.info("the chain is up: %s", ", ".join(here + [f"{name} is on node {node}" for name, node in self.away.items()]))

    def layers(self) -> list[Any]:
        """From first to last."""
        return [self.parts[f"layer-{index}"] for index in range(self.config.depth)]

    def forget(self) -> None:
        """All are gone, or the Ray that they were part of is."""
        for known in (self.parts, self.pids, self.away, self._found):
            known.clear()
        if self.seats is not None:
            self.seats.forget()

    def close(self) -> None:
        """End all, also those that hang. Ray is asked first: it tells the terminal of workers that die on their own."""
        for part in self.parts.values():
            ray.kill(part)
        pids = set(self.pids.values())
        here = [each for each in psutil.process_iter() if each.pid in pids]
        kill(psutil.wait_procs(here, timeout=LEAVE_WITHIN)[1])
        if self.seats is not None:
            self.seats.free()
        self.forget()

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
        self.away.pop(name, None)
        self._found.discard(name)
        if name in self.pids:
            with suppress(ProcessLookupError):
                os.kill(self.pids.pop(name), signal.SIGKILL)

    def _engage_the_missing(self) -> None:
        layer = LayerActor if self.config.video is None else TickActor
        missing: dict[str, tuple[Any, ...]] = {DREAMER: (DreamerActor, self.config, self._journal, self._snapshots)}
        for index in range(self.config.depth):
            missing[f"layer-{index}"] = (layer, self.config, index, self._snapshots, self.devices)
        if self.seats is not None and missing.keys() - self.parts.keys():
            self.seats.reserve(self._look)
        self.parts |= {name: self._engage(name, *what) for name, what in missing.items() if name not in self.parts}
        new = [name for name in self.parts if name not in self._found]
        pulses: list[Pulse] = self._answers({name: self.parts[name].pulse.remote() for name in new})
        for name, pulse in zip(new, pulses, strict=True):
            self._find(name, pulse)

    def _find(self, name: str, pulse: Pulse) -> None:
        """Note where a new part is, if it can be one."""
        if pulse.fault is not None:
            self._dismiss(name)
            raise ChainError(f"{name} on node {pulse.node}: {pulse.fault}")
        if pulse.build != BUILD:
            self._dismiss(name)
            raise ChainError(f"{name}: got {pulse.build} on node {pulse.node}, expected {BUILD}, on which bits depend")
        self._found.add(name)
        if pulse.node == ray.get_runtime_context().get_node_id():
            self.pids[name] = pulse.pid
        elif self.seats is not None:
            self.away[name] = pulse.node

    def _engage(self, name: str, kind: type, *arguments: Any) -> Any:
        """A new actor, under its name as soon as nobody else has that."""
        if self.seats is None:
            return actor(kind).remote(*arguments)
        placed, end = actor(kind, **self.seats.options(name)), time.monotonic() + NAMED_WITHIN
        while True:
            try:
                return placed.remote(*arguments)
            except ray.exceptions.ActorAlreadyExistsError as error:
                if time.monotonic() > end:
                    reason = f"the cluster has a {name} of {self.seats.namespace}: another service uses this folder, or a copy"
                    raise ChainError(reason) from error
            self._look()
            time.sleep(LOOK_EVERY / 10)

    def _look(self) -> None:
        """While actors start."""
        self.watch()
        self.starting()

    def _open(self, start: Manifest | None) -> None:
        """Every part is told who its neighbours are in this epoch, and where to begin."""
        self.epoch += 1
        dreamer, layers = self.parts[DREAMER], self.layers()
        opened = {DREAMER: dreamer.open.remote(self.epoch, layers[0], start)}
        row = [None, *layers, dreamer]
        for index, (below, layer, above) in enumerate(zip(row, layers, row[2:], strict=False)):
            name = f"layer-{index}"
            neighbours = (above,) if self.config.video is None else (below, above)
            opened[name] = layer.open.remote(self.epoch, *neighbours, dreamer, start, *self._sent(name, start))
        self._answers(opened)

    def _sent(self, name: str, start: Manifest | None) -> tuple[Any, ...]:
        """What a layer is told that cannot read a snapshot's files."""
        if name not in self.away:
            return ()
        if start is None:
            return (True,)
        return True, ray.put(np.frombuffer(read_blob(self._snapshots, start, name), np.uint8))

    def _answers(self, refs: dict[str, Any]) -> list[Any]:
        missing, end = list(refs.values()), time.monotonic() + START_WITHIN
        while missing:
            came, missing = ray.wait(missing, timeout=LOOK_EVERY)
            self._look()
            if came:
                end = time.monotonic() + FOLLOW_WITHIN
            elif time.monotonic() > end:
                silent = ", ".join(name for name, ref in refs.items() if ref in missing)
                wanted = "" if self.seats is None else f"; wanted are {self.seats.wanted()}, free is {free()}"
                raise ChainError(f"{len(missing)} of {len(refs)} actors do not answer: {silent}{wanted}")
        return ray.get(list(refs.values()))
