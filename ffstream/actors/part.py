"""What the actors of a chain have in common: a first fault that is kept, and snapshots written in the background.

Snapshots are files on the disk of the driver. A part on another node hands its state to the dreamer, which is on the driver's,
and is given what it begins from by the driver: no disk is shared.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from torch import Tensor

import ffstream
from ffstream.devices import CPU
from ffstream.errors import ChainError
from ffstream.stream.snapshot import Manifest, folder_of, from_blob, read_part, to_blob, write_part

ANSWERED_WITHIN = 15.0
"""Seconds for a neighbour to say where it computes."""

Blob: TypeAlias = NDArray[np.uint8]
"""The bytes of a part's file, on their way between nodes."""

log = logging.getLogger(__name__)


def actor(kind: type, **place: Any) -> Any:
    """A part's class as an actor: one thread learns, three answer questions. ``place`` are further options of Ray's.

    One that dies stays dead, and its calls are not repeated: Ray would bring it back with its first weights. No call is put on
    record: Ray's control server would keep the last 100,000, and grow by megabytes a second until it had so many.
    """
    options: dict[str, Any] = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0, "enable_task_events": False}
    remote: Any = ray.remote
    return remote(**options | place, concurrency_groups={"learn": 1, "ctl": 3})(kind)


BUILD = f"ffstream {ffstream.__version__}, torch {torch.__version__}"
"""What bits depend on, beside the processor."""


class Pulse(NamedTuple):
    """A sign of life: where the actor runs, what has gone wrong in it, if anything, and from which GPU it lends."""

    pid: int
    node: str
    fault: str | None
    gpu: str | None
    build: str = BUILD


class Guard:
    """Remembers the first fault. After it nothing is learned any more, so that the state stays explainable."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fault: str | None = None
        self.gpu: str | None = None
        torch.set_num_threads(1)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Around every step that changes state."""
        if self.fault is not None:
            raise ChainError(f"{self.name} has stopped: {self.fault}")
        try:
            yield
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"
            log.exception("%s has stopped", self.name)
            raise

    def pulse(self) -> Pulse:
        """How this actor is."""
        return Pulse(os.getpid(), ray.get_runtime_context().get_node_id(), self.fault, self.gpu)

    def lends(self, *others: Any) -> bool:
        """Whether what is on a GPU may be lent to other actors: all are on that one (:mod:`ffstream.actors.wire`)."""
        if self.gpu is None:
            return False
        pulses: list[Pulse] = ray.get([other.pulse.remote() for other in others], timeout=ANSWERED_WITHIN)
        return all(pulse.gpu == self.gpu for pulse in pulses)


class Saver:
    """Writes one part's state beside the learning: the copy is taken at once, the file is written in a thread."""

    def __init__(self, guard: Guard, snapshots: Path) -> None:
        self.guard = guard
        self.snapshots = snapshots
        self.report: Callable[[int, str, str], None] = lambda *_: None
        self.hand_over: Callable[[int, str, Blob], Any] | None = None
        self.waiting: queue.Queue[tuple[int, dict[str, Tensor]]] = queue.Queue(maxsize=2)
        threading.Thread(target=self._write_all, daemon=True).start()

    def report_to(
        self,
        report: Callable[[int, str, str], None],
        hand_over: Callable[[int, str, Blob], Any] | None = None,
    ) -> None:
        """Finish what is being written, and from then on work for another epoch.

        Args:
            report: is told of snapshot, part and sha256.
            hand_over: of a part that is not where the snapshots are: sends snapshot, part and the bytes of its file to who is,
                and gives a reference to the answer.
        """
        self.waiting.join()
        self.report, self.hand_over = report, hand_over

    def saved(self, start: Manifest, blob: Blob | None) -> dict[str, Tensor]:
        """This part of a snapshot: from the bytes of its file, if they were sent along."""
        return read_part(self.snapshots, start, self.guard.name) if blob is None else from_blob(blob.tobytes())

    def save(self, seq: int, state: dict[str, Tensor]) -> None:
        """Keep the state as it is now as the part of snapshot ``seq``; waits when two are being written already."""
        self.waiting.put((seq, {name: tensor.to(CPU, copy=True) for name, tensor in state.items()}))

    def _write_all(self) -> None:
        while True:
            self.write_next()

    def write_next(self) -> None:
        """Write the copy that has waited longest, and report it; waits until there is one."""
        seq, state = self.waiting.get()
        try:
            if self.hand_over is None:
                self._write(seq, state)
            else:
                ray.get(self.hand_over(seq, self.guard.name, np.frombuffer(to_blob(state), np.uint8)))
        except Exception:
            log.exception("%s: snapshot %s is not written", self.guard.name, seq)
        finally:
            self.waiting.task_done()

    def _write(self, seq: int, state: dict[str, Tensor]) -> None:
        with self.guard():
            sha256 = write_part(folder_of(self.snapshots, seq), self.guard.name, state)
        self.report(seq, self.guard.name, sha256)
