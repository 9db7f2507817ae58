"""Clips over a WebSocket, picture by picture: classified while they play, and learned when they are over."""

import asyncio
from contextlib import AsyncExitStack, ExitStack
from typing import Self

import msgspec
from numpy.typing import ArrayLike
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as async_connect
from websockets.sync.client import ClientConnection, connect

from ffstream.client.answers import Clips, Seen, understood
from ffstream.client.calls import numbers
from ffstream.client.line import Line
from ffstream.client.sockets import named, options

PATH = "/watch"


class Watcher:
    """Shows a service clips. A connection that breaks is not made again: it is not known whether its last clip was learned.

    Args:
        line: to the service.

    ``clips`` says what it takes.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._open = ExitStack()
        self._socket: ClientConnection
        self.clips: Clips

    def __enter__(self) -> Self:
        with named(self._line):
            self._socket = self._open.enter_context(connect(**options(self._line, PATH)))
            self.clips = understood(self._socket.recv(self._line.timeout), Clips)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def see(self, picture: ArrayLike, label: int | str | None = None, learn: bool = False) -> Seen:
        """Show the next picture of a clip.

        Args:
            picture: [pixels], ``uint8`` or floating point.
            label: what is to be seen, by number or name, if it is known.
            learn: whether the clip is to be learned, with the label that was said last; for its last picture.

        Raises:
            RefusedError: when the picture cannot be read; the clip goes on without it.
            UnreachableError: when the connection breaks.
        """
        with named(self._line):
            self._socket.send(_message(picture, label, learn))
            return understood(self._socket.recv(self._line.timeout), Seen)


class AsyncWatcher:
    """As :class:`Watcher`, for ``async with``.

    Args:
        line: to the service.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._open = AsyncExitStack()
        self._socket: AsyncConnection
        self.clips: Clips

    async def __aenter__(self) -> Self:
        with named(self._line):
            self._socket = await self._open.enter_async_context(async_connect(**options(self._line, PATH)))
            self.clips = understood(await asyncio.wait_for(self._socket.recv(), self._line.timeout), Clips)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def see(self, picture: ArrayLike, label: int | str | None = None, learn: bool = False) -> Seen:
        """As :meth:`Watcher.see`."""
        with named(self._line):
            await self._socket.send(_message(picture, label, learn))
            return understood(await asyncio.wait_for(self._socket.recv(), self._line.timeout), Seen)


def _message(picture: ArrayLike, label: int | str | None, learn: bool) -> str:
    return msgspec.json.encode({"picture": numbers(picture), "label": label, "learn": learn}).decode()
