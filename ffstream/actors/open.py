"""The front door: a stream whose layers run as Ray actors on this machine."""

from pathlib import Path
from typing import Any

from ffstream.actors.chain import RayChain
from ffstream.actors.crew import Crew
from ffstream.actors.local import LocalRay
from ffstream.config import NetworkConfig
from ffstream.schedule import Schedule
from ffstream.stream.snapshot import Manifest
from ffstream.stream.sqlite_journal import SqliteJournal
from ffstream.stream.stream import JOURNAL, SNAPSHOTS, Stream


def open_stream(
    config: NetworkConfig,
    schedule: Schedule | None = None,
    *,
    folder: Path,
    power_safe: bool = False,
    **options: Any,
) -> Stream:
    """A stream like :meth:`Stream.in_process`, every layer and the dreamer in a process of its own.

    Ray is started unless the program has started it, and stopped with the stream.

    Args:
        config: of the network.
        schedule: when to sleep.
        folder: where journal and snapshots live; a later stream on it goes on from there.
        power_safe: see :class:`~ffstream.stream.sqlite_journal.SqliteJournal`.
        options: see :class:`~ffstream.stream.stream.Stream`.
    """
    folder = folder.absolute()
    journal = SqliteJournal(folder / JOURNAL, config.inputs, power_safe=power_safe)
    snapshots = folder / SNAPSHOTS
    local = LocalRay()
    crew = Crew(config, journal.path, snapshots, local.check)

    def open_chain(start: Manifest | None) -> RayChain:
        if local.open():
            crew.forget()
        return RayChain(crew, start)

    def closing() -> None:
        crew.close()
        local.close()

    return Stream(config, open_chain, journal, schedule, snapshots=snapshots, closing=closing, **options)
