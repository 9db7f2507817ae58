"""The two clients: one waits for answers, the other's are awaited. Every refusal becomes one sentence.

What speaks over WebSockets is imported by the methods that need it: it takes as long as the rest.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx2

from ffstream.client.calls import Call, Calls
from ffstream.client.errors import RefusedError
from ffstream.client.line import HERE, LOOK_EVERY, Line, Readiness, asked_to_wait

if TYPE_CHECKING:
    from ffstream.client.stream import AsyncFeedStream, FeedStream
    from ffstream.client.watching import AsyncWatcher, Watcher

A = TypeVar("A")


def _unnoticed(state: str) -> None:
    pass


class Client(Calls):
    """Speaks to one service. May be used from several threads.

    Args:
        url: of the service.
        key: that the service lets in, made by ``ffstream keys add``; None where it needs none.
        patience: seconds for which a broken connection is tried again when feeding or labelling. Waiting that the service asks
            for when too many frames wait does not count.
        timeout: seconds for one answer.
        transport: what carries the requests; None for the network.
    """

    def __init__(
        self,
        url: str = HERE,
        *,
        key: str | None = None,
        patience: float = 60.0,
        timeout: float = 60.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._line = Line(url, patience, timeout, key)
        self.url, self.patience = self._line.url, patience
        self._http = httpx2.Client(**self._line.http(), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, call: Call[A]) -> A:
        """What a call is answered with; waits and tries again when the call may be sent again."""
        while True:
            try:
                return self._persist(call)
            except RefusedError as refused:
                time.sleep(asked_to_wait(call, refused))

    def _persist(self, call: Call[A]) -> A:
        for attempt in self._line.attempts(call):
            with attempt:
                return call.read(self._send(call))
        raise AssertionError("the last attempt returns or raises")

    def _send(self, call: Call[Any]) -> httpx2.Response:
        with self._line.named():
            return self._http.request(**call.request())

    def ready(self, timeout: float, notice: Callable[[str], None] = _unnoticed) -> None:
        """Wait until the service learns.

        Args:
            timeout: seconds.
            notice: called with every state seen.

        Raises:
            NotReadyError: when time is up, or the service has failed.
            UnreachableError: when nobody answered until the end.
        """
        waiting = Readiness(self._line, timeout, notice)
        while True:
            with waiting.looking():
                waiting.see(self.state())
            if waiting.over:
                return
            time.sleep(LOOK_EVERY)

    def stream(self, key: str | None = None, learn: str = "gradient") -> "FeedStream":
        """Feed over a WebSocket, many messages under way at a time; a context, see :class:`~ffstream.client.stream.FeedStream`.

        Args:
            key: of the whole stream; None for a new one. With a key of its own, a stream that begins again from its beginning
                is learned once.
            learn: as :meth:`feed` has it, for all frames.
        """
        from ffstream.client.stream import FeedStream

        return FeedStream(self._line, key, learn)

    def watch(self) -> "Watcher":
        """Show clips picture by picture; a context, see :class:`~ffstream.client.watching.Watcher`."""
        from ffstream.client.watching import Watcher

        return Watcher(self._line)


class AsyncClient(Calls):
    """Speaks to one service under asyncio; has the methods of :class:`Client`, awaited.

    Args:
        url: of the service.
        key: as :class:`Client` has it.
        patience: as :class:`Client` has it.
        timeout: seconds for one answer.
        transport: what carries the requests; None for the network.
    """

    def __init__(
        self,
        url: str = HERE,
        *,
        key: str | None = None,
        patience: float = 60.0,
        timeout: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._line = Line(url, patience, timeout, key)
        self.url, self.patience = self._line.url, patience
        self._http = httpx2.AsyncClient(**self._line.http(), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, call: Call[A]) -> A:
        """As :meth:`Client.ask`."""
        while True:
            try:
                return await self._persist(call)
            except RefusedError as refused:
                await asyncio.sleep(asked_to_wait(call, refused))

    async def _persist(self, call: Call[A]) -> A:
        async for attempt in self._line.attempts(call):
            with attempt:
                return call.read(await self._send(call))
        raise AssertionError("the last attempt returns or raises")

    async def _send(self, call: Call[Any]) -> httpx2.Response:
        with self._line.named():
            return await self._http.request(**call.request())

    async def ready(self, timeout: float, notice: Callable[[str], None] = _unnoticed) -> None:
        """As :meth:`Client.ready`."""
        waiting = Readiness(self._line, timeout, notice)
        while True:
            with waiting.looking():
                waiting.see(await self.state())
            if waiting.over:
                return
            await asyncio.sleep(LOOK_EVERY)

    def stream(self, key: str | None = None, learn: str = "gradient") -> "AsyncFeedStream":
        """As :meth:`Client.stream`, for ``async with`` and ``async for``."""
        from ffstream.client.stream import AsyncFeedStream

        return AsyncFeedStream(self._line, key, learn)

    def watch(self) -> "AsyncWatcher":
        """As :meth:`Client.watch`, for ``async with``."""
        from ffstream.client.watching import AsyncWatcher

        return AsyncWatcher(self._line)
