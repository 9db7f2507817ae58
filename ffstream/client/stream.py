"""Frames over a WebSocket, in two forms: a plain iterator and an asynchronous one, which do what :class:`UnderWay` says."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from typing import Self

from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as async_connect
from websockets.sync.client import ClientConnection, connect

from ffstream.client.answers import Accepted
from ffstream.client.calls import new_key
from ffstream.client.errors import UnreachableError
from ffstream.client.line import Line
from ffstream.client.sockets import named, options
from ffstream.client.under_way import Chunk, Connect, Hear, Pause, Send, Take, UnderWay


def path_of(learn: str) -> str:
    """Where frames go that are to be learned like this."""
    return "/feed" if learn == "gradient" else f"/feed?learn={learn}"


class FeedStream:
    """Feeds over a WebSocket, with as many messages under way as the service allows.

    When the connection breaks it is made again, for as long as the client has patience, and what was not acknowledged is sent
    again with the same idempotency keys: no frame is learned twice.

    Args:
        line: to the service.
        key: of the whole stream; None for a new one.
        learn: as :meth:`~ffstream.client.Client.feed` has it, for all frames.
    """

    def __init__(self, line: Line, key: str | None = None, learn: str = "gradient") -> None:
        self._line = line
        self._path = path_of(learn)
        self._under_way = UnderWay(key or new_key(), line.patience)
        self._open = ExitStack()
        self._socket: ClientConnection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def feed_all(self, chunks: Iterable[Chunk]) -> Iterator[Accepted]:
        """Feed chunks of frames; yields one acknowledgement a chunk, in their order.

        Between two chunks it yields what has come by then; in the end it waits for the rest. A chunk that is refused because
        too many frames wait is sent again when the service says so, and may be learned after those under way behind it.

        Args:
            chunks: pairs of frames [n, inputs] and labels [n], or None for the labels.

        Raises:
            RefusedError: when the service does not take a chunk. Those behind it may have been accepted.
            UnreachableError: when the service cannot be reached.
        """
        coming = iter(chunks)
        self._under_way.begin()
        while (step := self._under_way.next()) is not None:
            if isinstance(step, Take):
                self._under_way.took(next(coming, None))
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            else:
                self._talk(step)
            yield from self._under_way.acknowledged()

    def _talk(self, step: Connect | Send | Hear) -> None:
        try:
            with named(self._line):
                self._do(step)
        except UnreachableError as error:
            self._under_way.broke(error)

    def _do(self, step: Connect | Send | Hear) -> None:
        match step:
            case Connect():
                self._open.close()
                self._socket = self._open.enter_context(connect(**options(self._line, self._path)))
                self._under_way.connected(self._socket.recv(self._line.timeout))
            case Send(raw):
                self._socket.send(raw)
                self._under_way.sent()
            case Hear(wait=True):
                self._under_way.heard(self._socket.recv(self._line.timeout))
            case Hear():
                with suppress(TimeoutError):
                    self._under_way.heard(self._socket.recv(0))


class AsyncFeedStream:
    """As :class:`FeedStream`, for ``async with`` and ``async for``.

    Args:
        line: to the service.
        key: of the whole stream; None for a new one.
        learn: as :meth:`~ffstream.client.Client.feed` has it, for all frames.
    """

    def __init__(self, line: Line, key: str | None = None, learn: str = "gradient") -> None:
        self._line = line
        self._path = path_of(learn)
        self._under_way = UnderWay(key or new_key(), line.patience)
        self._open = AsyncExitStack()
        self._socket: AsyncConnection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def feed_all(self, chunks: AsyncIterable[Chunk] | Iterable[Chunk]) -> AsyncIterator[Accepted]:
        """As :meth:`FeedStream.feed_all`; the chunks may be awaited."""
        coming = aiter(chunks) if isinstance(chunks, AsyncIterable) else _each(chunks)
        self._under_way.begin()
        while (step := self._under_way.next()) is not None:
            if isinstance(step, Take):
                self._under_way.took(await anext(coming, None))
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            else:
                await self._talk(step)
            for each in self._under_way.acknowledged():
                yield each

    async def _talk(self, step: Connect | Send | Hear) -> None:
        try:
            with named(self._line):
                await self._do(step)
        except UnreachableError as error:
            self._under_way.broke(error)

    async def _do(self, step: Connect | Send | Hear) -> None:
        match step:
            case Connect():
                await self._open.aclose()
                self._socket = await self._open.enter_async_context(async_connect(**options(self._line, self._path)))
                self._under_way.connected(await asyncio.wait_for(self._socket.recv(), self._line.timeout))
            case Send(raw):
                await self._socket.send(raw)
                self._under_way.sent()
            case Hear(wait=True):
                self._under_way.heard(await asyncio.wait_for(self._socket.recv(), self._line.timeout))
            case Hear():
                with suppress(TimeoutError):
                    async with asyncio.timeout(0):  # in Python 3.11 wait_for would not even begin
                        answer = await self._socket.recv()
                    self._under_way.heard(answer)


async def _each(chunks: Iterable[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk
