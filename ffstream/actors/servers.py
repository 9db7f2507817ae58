"""The processes of a Ray that was started here: a control server, a raylet, and what the raylet starts."""

import ctypes
import signal
import subprocess
import threading
from collections.abc import Iterable
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


class StandIn:
    """Starts Ray's control server once more when it has died and nobody has closed this in time.

    A thread that asks a dead control server something waits for a minute, after which Ray ends the whole program. The new
    server knows nothing and refuses, so that the thread goes on and finds out what has happened.

    Args:
        server: the control server.
    """

    def __init__(self, server: psutil.Process) -> None:
        port = ray.get_runtime_context().gcs_address.rpartition(":")[2]
        self._server, self._environment = server, server.environ()
        self._command = [f"{PORT}={port}" if flag.startswith(f"{PORT}=") else flag for flag in server.cmdline()]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stand-in", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        gone = 0.0
        while not self._closed.wait(NOTICED_WITHIN / 4) and gone < NOTICED_WITHIN:
            gone = 0.0 if serves(self._server) else gone + NOTICED_WITHIN / 4
        if not self._closed.is_set():
            kill([self._server])
            with subprocess.Popen(self._command, env=self._environment, preexec_fn=_die_with_parent) as stand_in:
                self._closed.wait()
                stand_in.kill()

    def close(self) -> None:
        """Ray is being stopped."""
        self._closed.set()
        self._thread.join()


class Waker:
    """Lets a stopped raylet go on when nobody has closed this in time; ``woken`` tells that it had to.

    A thread that fetches published weights waits for a stopped raylet without end, whatever its timeout, and Ray ends the
    whole program when the raylet is killed meanwhile. Once it goes on so does the thread, and finds out what has happened.

    Args:
        raylet: the process.
    """

    def __init__(self, raylet: psutil.Process) -> None:
        self.woken = False
        self._raylet = raylet
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="waker", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        stood = 0.0
        while not self._closed.wait(NOTICED_WITHIN / 4):
            stood = 0.0 if serves(self._raylet) else stood + NOTICED_WITHIN / 4
            if stood >= NOTICED_WITHIN:
                self.woken = True
                with suppress(psutil.NoSuchProcess):
                    self._raylet.resume()

    def close(self) -> None:
        """Ray is being stopped."""
        self._closed.set()
        self._thread.join()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
