"""Bars that move on stderr; none where it is no terminal."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from ffstream.client import Classification, Client, Status
from ffstream.datasets import Dataset
from ffstream_gateway.feeding import Fed, feed_and_follow
from ffstream_gateway.view import percent, rate


def bar(what: str, *figures: ProgressColumn) -> Progress:
    """A bar with the time that is left."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), *figures, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def feed(client: Client, data: Dataset, order: NDArray[Any], chunk: int, before: Status, learn: str = "gradient") -> Fed:
    """Feed frames and follow them until they are learned.

    Args:
        client: of the service.
        data: whose frames and labels are fed.
        order: indices into ``data.x``.
        chunk: frames in a request.
        before: what the service said before.
        learn: as the client's ``feed`` has it.
    """
    figures = TextColumn(
        "{task.completed}/{task.total} frames, {task.fields[rate]}, prequential accuracy {task.fields[accuracy]}"
    )
    start = time.monotonic()
    with bar("learned", figures) as progress:
        task = progress.add_task("", total=len(order), rate="-", accuracy="-")
        for status in feed_and_follow(client, data, order, chunk, learn):
            learned = max(0, status.frames - before.accepted)
            progress.update(task, completed=learned, rate=rate(status), accuracy=percent(status.accuracy))
    return Fed(len(order), time.monotonic() - start, status.accuracy)


def counted(chunks: Iterable[Classification], total: int) -> Iterator[Classification]:
    """Pass on classifications, of ``total`` frames, as they come."""
    with bar("classified", MofNCompleteColumn()) as progress:
        task = progress.add_task("", total=total)
        for each in chunks:
            progress.advance(task, len(each.labels))
            yield each
