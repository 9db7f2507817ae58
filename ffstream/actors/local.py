"""Ray on this machine, for one service, invisible from outside.

Ray's own defaults listen on every interface, write a token into the user's home, report usage and take 30 % of the memory.
Here it listens on loopback only, has a token of its own that no file holds (both set in the package's ``__init__``), and
keeps its files in a folder that goes when it goes. It hands out no GPUs, for nobody else is on it: its actors see all those
that this program sees.
"""

import ctypes
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import ray

from ffstream.actors.servers import GCS, RAYLET, Watch, descendants, kill, servers, serves, watch_gcs, watch_raylet
from ffstream.errors import ChainError

OBJECT_STORE = 256 << 20
INLINE_UP_TO = 1 << 20
"""Bytes: shared memory for published weights, and the size up to which a message travels in the call itself."""

PREFIX = "ffstream-ray-"
"""Of the folder's name; the number of the process that made it follows."""

LONGEST_PLACE = 16
"""Characters: Ray puts sockets into the folder, whose whole path the system limits to 107."""

GRACE = 1.0
"""Seconds that Ray's processes get to end by themselves."""


class LocalRay:
    """A Ray of this program's own, where it has none already."""

    def __init__(self) -> None:
        self._folder: str | None = None
        self._watches: list[Watch] = []
        self._family: set[psutil.Process] = set()

    def open(self) -> None:
        """Start Ray, after what is left of one before; a few seconds. It dies with the thread that calls this.

        Raises:
            ChainError: when it does not start.
        """
        self.close()
        place = tempfile.gettempdir() if len(tempfile.gettempdir()) <= LONGEST_PLACE else "/tmp"
        _sweep(Path(place))
        self._folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place)
        try:
            with same_answer_to_sigterm():
                self._init(self._folder)
            started = {server.name(): server for server in servers()}
            self._watches = [watch_gcs(started[GCS]), watch_raylet(started[RAYLET])]
        except Exception as error:
            self.close()
            raise ChainError(f"Ray does not start: {error}") from error

    def lost(self) -> bool:
        """Whether Ray does not run, or has lost a server."""
        return not ray.is_initialized() or bool(self._ailing())

    def _init(self, folder: str) -> None:
        ray.init(
            address="local",
            num_cpus=1,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
            _system_config={"max_direct_call_object_size": INLINE_UP_TO},
        )

    def check(self) -> None:
        """Make sure that the servers started here are well. Without them this program itself would be ended in a minute.

        Raises:
            ChainError: when one has died or was stopped.
        """
        if ailing := self._ailing():
            raise ChainError(f"Ray has failed: servers {ailing} do not run")
        if not self._family:
            self._family = descendants([watch.server for watch in self._watches])

    def _ailing(self) -> list[int]:
        """Process numbers of the servers that are gone, stand still, or had to be rescued."""
        return [watch.server.pid for watch in self._watches if watch.rescued or not serves(watch.server)]

    def close(self) -> None:
        """Stop Ray if it was started here."""
        if self._folder is None:
            return
        for watch in self._watches:
            watch.close()
        family = self._family | descendants(servers())
        if self._ailing():
            kill(family)
        ray.shutdown()
        kill(psutil.wait_procs(family, timeout=GRACE)[1])
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._watches, self._family = None, [], set()


def _sweep(place: Path) -> None:
    """Remove the folders of processes that were killed."""
    for folder in place.glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).split("-")[0]
        if folder.stat().st_uid == os.getuid() and owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def same_answer_to_sigterm() -> Iterator[None]:
    """Ray answers SIGTERM with a stack trace of its own first; this puts back what the program had."""
    get, put = ctypes.pythonapi.PyOS_getsig, ctypes.pythonapi.PyOS_setsig
    get.restype, put.argtypes, put.restype = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    before = get(signal.SIGTERM)
    try:
        yield
    finally:
        put(signal.SIGTERM, before)
