"""The processes of a Ray that was started here: a control server, a raylet, and what the raylet starts."""

import ctypes
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil
import ray

GCS, RAYLET = "gcs_server", "raylet"
PORT = "--gcs_server_port"
"""The processes of Ray's servers, and the control server's flag that says where it listens."""

NOTICED_WITHIN = 4.0
"""Seconds in which a dead control server or a stopped raylet is noticed, unless a call to it is waiting."""

PR_SET_PDEATHSIG = 1


def servers() -> list[psutil.Process]:
    """What Ray starts here itself; everything else is started by these."""
    return [child for child in psutil.Process().children() if child.name() in (RAYLET, GCS)]


def descendants(started: list[psutil.Process]) -> set[psutil.Process]:
    """The servers and what they have started. Two of their agents outlive them for a minute."""
    family = set(started)
    for server in started:
        with suppress(psutil.NoSuchProcess):
            family |= set(server.children(recursive=True))
    return family


def serves(server: psutil.Process) -> bool:
    """Whether it runs: it is neither dead nor stopped."""
    try:
        return server.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD, psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def kill(processes: Iterable[psutil.Process]) -> None:
    """End those that are still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


class Watch:
    """Comes to the rescue when a server has not run for a while and nobody has closed this in time: a thread that asks it
    something may wait for it, and find out nothing. ``rescued`` tells that it had to.

    Args:
        server: the process.
        rescue: called until the server runs again; it is given what tells that this is closed.
    """

    def __init__(self, server: psutil.Process, rescue: Callable[[psutil.Process, threading.Event], None]) -> None:
        self.server, self.rescued = server, False
        self._rescue, self._closed = rescue, threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watch {server.name()}", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        gone = 0.0
        while not self._closed.wait(NOTICED_WITHIN / 4):
            gone = 0.0 if serves(self.server) else gone + NOTICED_WITHIN / 4
            if gone >= NOTICED_WITHIN:
                self.rescued = True
                self._rescue(self.server, self._closed)

    def close(self) -> None:
        """Ray is being stopped."""
        self._closed.set()
        self._thread.join()


def watch_gcs(server: psutil.Process) -> Watch:
    """Start Ray's control server once more when it has died.

    A thread that asks a dead control server something waits for a minute, after which Ray ends the whole program. The new
    server knows nothing and refuses, so that the thread goes on and finds out what has happened.
    """
    port = ray.get_runtime_context().gcs_address.rpartition(":")[2]
    environment = server.environ()
    command = [f"{PORT}={port}" if flag.startswith(f"{PORT}=") else flag for flag in server.cmdline()]

    def stand_in(server: psutil.Process, closed: threading.Event) -> None:
        kill([server])
        with subprocess.Popen(command, env=environment, preexec_fn=_die_with_parent) as started:
            closed.wait()
            started.kill()

    return Watch(server, stand_in)


def watch_raylet(server: psutil.Process) -> Watch:
    """Let a stopped raylet go on.

    A thread that fetches published weights waits for a stopped raylet without end, whatever its timeout, and Ray ends the
    whole program when the raylet is killed meanwhile. Once it goes on so does the thread, and finds out what has happened.
    """

    def wake(server: psutil.Process, _: threading.Event) -> None:
        with suppress(psutil.NoSuchProcess):
            server.resume()

    return Watch(server, wake)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
