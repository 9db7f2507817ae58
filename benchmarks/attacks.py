"""A service under load whose processes are killed and stopped, and the proof that its weights do not show it.

After an attack the service takes a snapshot. In the end a network in this process learns the whole journal in one go, and
every snapshot must be, file by file, what that network was at the same event.
"""

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from benchmarks.connection import free_port
from benchmarks.proof import FLAGS, KEEP_ALL, BrokenPromiseError, Remains, marked, require
from ffstream.client import Client, ClientError
from ffstream.stream.snapshot import MANIFEST, folder_of
from ffstream.stream.stream import SNAPSHOTS
from ffstream_gateway.child import Child, ChildError
from ffstream_gateway.feeding import Background

CHUNK = 20
"""Frames in a request."""

WITHIN = 150.0
FROZEN = 3.0
"""Seconds: for a service to recover, and that a stopped gateway stands still."""


@dataclass(frozen=True)
class Attack:
    """What is done to which processes, one after the other, and at what moment (one of :data:`MOMENTS`).

    Targets are parts of the chain (``layer-0``, ``dreamer``), ``gateway``, ``raylet``, ``gcs_server``, or ``ray``: all of it.
    """

    moment: str
    targets: tuple[str, ...]
    sent: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        return f"{self.moment}: {self.sent.name} to {', then '.join(self.targets)}"


class Victim:
    """A service on one folder that is fed without pause.

    Args:
        folder: of the service; it must not exist, and stays.
        flags: of ``ffstream serve``, in addition.
        pause: seconds between two requests that feed.
    """

    def __init__(self, folder: Path, *flags: str, pause: float = 0.05) -> None:
        self.folder = folder
        self._pause = pause
        self._flags = ["--folder", str(folder), "--port", str(free_port()), "--log-level", "info", *FLAGS, *KEEP_ALL, *flags]
        self._saved: dict[int, dict[str, str]] = {}
        self._acknowledged = self._sent = 0
        self._lull = threading.Event()
        self._gone: list[Child] = []

    def __enter__(self) -> Self:
        self.child = Child(self._flags)
        self.client = Client(self.child.url())
        self.client.ready(WITHIN)
        self._load = Background(self._feed)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._load.close()
        self.client.close()
        for child in self._gone:
            with suppress(ChildError):
                child.__exit__(None)
        self.child.__exit__(kind)

    def _feed(self, stop: threading.Event) -> None:
        """A request is repeated until it is answered."""
        while not stop.wait(self._pause):
            if self._lull.is_set():
                continue
            first = self._sent
            self._sent += CHUNK
            answer = self.client.feed(*marked(first, CHUNK), key=f"from {first}")
            require(answer.first == first + 1, f"frame {first + 1} was accepted as {answer.first}")
            self._acknowledged = answer.last

    def suffer(self, attack: Attack, *, save: bool = True) -> float:
        """Attack, wait until all that was accepted is learned, and take a snapshot to compare.

        Returns:
            Seconds from the attack until a new chain was up and had caught up.

        Raises:
            BrokenPromiseError: when the service does not recover.
        """
        self._lull.clear()
        self._learn_some()
        MOMENTS[attack.moment](self)
        chains, began = self._chains(), time.monotonic()
        for target in attack.targets:
            self._send(target, attack.sent)
        if (attack.targets, attack.sent) != (("gateway",), signal.SIGSTOP):
            _wait(lambda: self._chains() > chains, f"{attack}: no new chain")
        self._lull.set()
        _wait(self._caught_up, f"{attack}: not all is learned")
        seconds = time.monotonic() - began
        if save:
            self._save()
        return seconds

    def _send(self, target: str, sent: signal.Signals) -> None:
        if target != "gateway":
            for process in _wait(lambda: list(self._processes(target)), f"no process of {target}"):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(sent)
            return
        self.child.process.send_signal(sent)
        if sent is signal.SIGSTOP:
            time.sleep(FROZEN)
            self.child.process.send_signal(signal.SIGCONT)
        else:
            self._gone.append(self.child)
            self.child = Child(self._flags)
            self.child.url()

    def _processes(self, target: str) -> Iterator[psutil.Process]:
        """Those of a part that are known by number, else those that have its name."""
        pids = [int(pid) for pid in re.findall(rf"{target} is process (\d+)", self.child.log.read_text())]
        if pids and psutil.pid_exists(pids[-1]):
            yield psutil.Process(pids[-1])
            return
        name = {"ray": "", "dreamer": "ray::Dreamer"}.get(target, "ray::Layer" if target.startswith("layer") else target)
        for process in self.child.process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name().startswith(name):
                    yield process
                    if target.startswith("layer"):
                        return

    def _chains(self) -> int:
        """How many chains there have been."""
        return sum(child.log.read_text().count("the chain is up") for child in (*self._gone, self.child))

    def _learn_some(self) -> None:
        before = self.client.status().frames
        _wait(lambda: self.client.status().frames >= before + 10 * CHUNK, "nothing is learned")

    def _caught_up(self) -> bool:
        status = self.client.status()
        return status.state == "ready" and status.frames == status.accepted >= self._sent

    def _save(self) -> None:
        seq = self.client.snapshot().seq
        manifest = folder_of(self.folder / SNAPSHOTS, seq) / MANIFEST
        _wait(manifest.exists, f"snapshot {seq} is not committed")
        self._saved[seq] = json.loads(manifest.read_text())["files"]

    def until_saving(self) -> None:
        """A snapshot is being written: its folder is there, its manifest is not."""
        folder = folder_of(self.folder / SNAPSHOTS, self.client.snapshot().seq)
        _wait(folder.exists, "no snapshot is written", every=0.001)

    def until_asleep(self) -> None:
        """A long sleep has begun."""
        self.client.sleep(dreams=2000)
        _wait(lambda: self.client.status().phase == "sleep", "it does not fall asleep")

    def until_recovering(self) -> None:
        """A layer was killed, and the service has noticed."""
        self._send("layer-0", signal.SIGKILL)
        _wait(lambda: self.client.state() in ("recovering", "replaying"), "a dead layer is not noticed", every=0.01)

    def prove(self) -> int:
        """After the end: nothing acknowledged is lost or there twice, and all snapshots are those of an undisturbed network.

        Returns:
            Frames in the journal.

        Raises:
            BrokenPromiseError: when that is not so.
        """
        with Remains(self.folder) as remains:
            numbers = remains.numbers()
            require(numbers == list(range(len(numbers))), "a frame is lost, or there twice")
            require(len(numbers) >= self._acknowledged, "an acknowledged frame is lost")
            remains.prove(self._saved)
        return len(numbers)


MOMENTS: dict[str, Callable[[Victim], None]] = {
    "awake": lambda _: None,
    "saving": Victim.until_saving,
    "asleep": Victim.until_asleep,
    "recovering": Victim.until_recovering,
}
"""When an attack comes."""


def _wait(condition: Callable[[], Any], failure: str, every: float = 0.05) -> Any:
    """What ``condition`` gives once it is true; a service that does not answer has not fulfilled it."""
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        with suppress(ClientError):
            if found := condition():
                return found
        time.sleep(every)
    raise BrokenPromiseError(f"{failure} within {WITHIN:.0f} s")
