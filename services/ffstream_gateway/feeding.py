"""Feeding a data set to a service while watching what it makes of it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffstream.client import Classification, Client, NotReadyError, Status, UnreachableError
from ffstream.datasets import Dataset
from ffstream.errors import ConfigError

CLOSE_WITHIN = 2.0
"""Seconds that a function in the background gets to return."""


@dataclass(frozen=True)
class Fed:
    """What was fed, and learned in so many seconds; ``accuracy`` is prequential, of the last 500 labelled frames."""

    frames: int
    seconds: float
    accuracy: float | None


class Background:
    """A function in a thread of its own, which does not outlive the program.

    Args:
        work: called with an event that says when to stop.
    """

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work(self._stop)
        except BaseException as error:
            self._error = error

    def done(self) -> bool:
        """Whether the function has returned; what it raised is raised again here."""
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def close(self) -> None:
        """Ask it to stop and wait a little."""
        self._stop.set()
        self._thread.join(CLOSE_WITHIN)


def feed_and_follow(
    client: Client, data: Dataset, order: NDArray[Any], chunk: int, learn: str = "gradient", every: float = 0.25
) -> Iterator[Status]:
    """Feed frames from a thread of its own; yields the status of the service until all of them are learned.

    Args:
        client: of the service.
        data: whose frames and labels are fed.
        order: indices into ``data.x``.
        chunk: frames in a request.
        learn: as the client's ``feed`` has it.
        every: seconds between two looks at the status.

    Raises:
        NotReadyError: when the service fails.
        ClientError: when it refuses frames, or cannot be reached for longer than the client's patience.
    """
    last = 0

    def feed(stop: threading.Event) -> None:
        nonlocal last
        for start in range(0, len(order), chunk):
            if stop.is_set():
                return
            rows = order[start : start + chunk]
            last = client.feed(data.x[rows], data.y[rows], learn=learn).last

    feeding = Background(feed)
    seen = time.monotonic()
    try:
        while True:
            accepted = feeding.done()
            try:
                status = client.status()
                seen = time.monotonic()
            except UnreachableError:
                if time.monotonic() - seen > client.patience:
                    raise
            else:
                if status.state == "failed":
                    raise NotReadyError(f"the service has failed: {status.error}")
                yield status
                if accepted and status.through >= last:
                    return
            time.sleep(every)
    finally:
        feeding.close()


def fitted(data: Dataset, status: Status, url: str) -> Dataset:
    """A data set whose frames and labels a service takes, with labels numbered as the service numbers those of their names.

    Raises:
        ConfigError: when it does not take them.
    """
    if data.names is not None and status.names is not None:
        data = _renumbered(data, data.names, status.names, url)
    inputs, classes = status.network["inputs"], status.network["classes"]
    if data.inputs != inputs or data.classes > classes:
        raise ConfigError(
            f"{data.name} has frames of {data.inputs} numbers and {data.classes} labels, but the service at {url} expects"
            f" {inputs} numbers and at most {classes} labels: `ffstream serve --like DATASET --folder NEW` makes one that fits"
        )
    return data


def _renumbered(data: Dataset, names: Sequence[str], known: Sequence[str], url: str) -> Dataset:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"{data.name} has labels {unknown}, but the service at {url} knows {list(known)}")
    numbers = np.array([known.index(name) for name in names])
    return replace(data, y=numbers[data.y], y_held=numbers[data.y_held], names=tuple(known))


def held_out(
    client: Client, data: Dataset, method: str | None = None, limit: int | None = None, chunk: int = 500
) -> Iterator[Classification]:
    """What the service makes of the held-out frames, chunk by chunk.

    Args:
        client: of the service.
        data: whose held-out part is sent.
        method: of classification; None for the service's own choice.
        limit: frames at most.
        chunk: frames in a request.
    """
    x = data.x_held[:limit]
    for start in range(0, len(x), chunk):
        yield client.classify(x[start : start + chunk], method)
