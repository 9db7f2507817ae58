"""The front door: a stream whose layers run as Ray actors, on this machine or on the cluster that RAY_ADDRESS names."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ffstream.actors.chain import RayChain
from ffstream.actors.crew import Crew
from ffstream.actors.joined import JoinedRay, address, namespace_of
from ffstream.actors.local import LocalRay
from ffstream.actors.placement import Placement, Seats
from ffstream.actors.shared import Runs, Share
from ffstream.config import NetworkConfig
from ffstream.devices import check_here
from ffstream.errors import ConfigError
from ffstream.schedule import Schedule
from ffstream.stream.snapshot import Manifest
from ffstream.stream.sqlite_journal import SqliteJournal
from ffstream.stream.stream import JOURNAL, SNAPSHOTS, Stream

PACKED = Placement()


def open_stream(
    config: NetworkConfig,
    schedule: Schedule | None = None,
    *,
    folder: Path,
    power_safe: bool = False,
    placement: Placement = PACKED,
    node_ip: str | None = None,
    starting: Callable[[], None] = lambda: None,
    **options: Any,
) -> Stream:
    """A stream like :meth:`Stream.in_process`, every layer and the dreamer in a process of its own.

    Ray is started unless the program has started it, and stopped with the last stream of the program. Where ``RAY_ADDRESS``
    names a cluster it is joined instead, and left then; journal and snapshots stay on this machine's disk all the same.

    Args:
        config: of the network.
        schedule: when to sleep.
        folder: where journal and snapshots live; a later stream on it goes on from there.
        power_safe: see :class:`~ffstream.stream.sqlite_journal.SqliteJournal`.
        placement: where the layers are on a cluster, and on which devices they compute.
        node_ip: address of the cluster's node to join at, where this machine has several.
        starting: called every second while the actors start; what it raises ends that.
        options: see :class:`~ffstream.stream.stream.Stream`.

    Raises:
        ConfigError: when another placement is given and there is no cluster, or it does not fit the network, or, where there is
            no cluster, this machine.
    """
    cluster = address()
    placement.check(config.depth)
    if cluster is None:
        if replace(placement, devices={}) != PACKED:
            raise ConfigError(f"placement: got {placement}, but RAY_ADDRESS names no cluster: all layers are on this machine")
        check_here(placement.devices, config.depth)
    folder = folder.absolute()
    journal = SqliteJournal(folder / JOURNAL, config.inputs, power_safe=power_safe)
    snapshots = folder / SNAPSHOTS
    runs: Callable[[], Runs] = LocalRay
    seats = None
    if cluster is not None:
        namespace = namespace_of(folder)
        seats, runs = Seats(placement, config.depth, namespace), partial(JoinedRay, cluster, namespace, node_ip)
    ray = Share(runs, lambda: crew.forget())
    crew = Crew(config, journal.path, snapshots, ray.check, seats, placement.devices, starting)

    def open_chain(start: Manifest | None) -> RayChain:
        ray.open()
        return RayChain(crew, start)

    def closing() -> None:
        crew.close()
        ray.close()

    return Stream(config, open_chain, journal, schedule, snapshots=snapshots, closing=closing, **options)
