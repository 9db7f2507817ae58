"""Feeding a data set to a service while watching what it makes of it."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ffstream.alphabet import alphabet
from ffstream.datasets import Dataset
from ffstream.errors import ConfigError
from ffstream.symbols import windows
from ffstream_gateway.client import Client, Json, NotReadyError, UnreachableError

CLOSE_WITHIN = 2.0
"""Seconds that a function in the background gets to return."""


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


def feed_and_follow(client: Client, data: Dataset, order: NDArray[Any], chunk: int, every: float = 0.25) -> Iterator[Json]:
    """Feed frames from a thread of its own; yields the status of the service until all of them are learned.

    Args:
        client: of the service.
        data: whose frames and labels are fed.
        order: indices into ``data.x``.
        chunk: frames in a request.
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
            last = client.feed(data.x[rows], data.y[rows])["last"]

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
                if status["state"] == "failed":
                    raise NotReadyError(f"the service has failed: {status['error']}")
                yield status
                if accepted and status["through"] >= last:
                    return
            time.sleep(every)
    finally:
        feeding.close()


def text_for(status: Json, path: Path) -> Dataset:
    """A text as the windows, in order, that a service learns which says ``status``.

    Raises:
        ConfigError: when the service does not learn sequences.
        ShapeError: when the text is shorter than a window.
    """
    if status["alphabet"] is None:
        raise ConfigError("the service learns frames of numbers: a text is for `ffstream serve --task sequence`")
    x, y = windows(alphabet(status["alphabet"]).encode(path.read_text(encoding="utf-8-sig")), status["network"]["inputs"])
    return Dataset(path.name, x, y, x[:0], y[:0])


def accuracy(client: Client, data: Dataset, method: str | None = None, limit: int | None = None, chunk: int = 500) -> float:
    """Share of the held-out frames that the service classifies as labelled.

    Args:
        client: of the service.
        data: whose held-out part is sent.
        method: of classification; None for the service's own choice.
        limit: frames at most.
        chunk: frames in a request.
    """
    x, y = data.x_held[:limit], data.y_held[:limit]
    right = 0
    for start in range(0, len(x), chunk):
        labels = client.classify(x[start : start + chunk], method)["labels"]
        right += int((y[start : start + chunk] == labels).sum())
    return right / len(x)
