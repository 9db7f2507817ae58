"""WebSocket connections as uvicorn makes them, but for clients that do not take what is sent to them."""

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

TAKE_WITHIN = 10.0
LEAVE_WITHIN = 2.0
"""Seconds for a client to take what is sent to it when there is no room for more, and to answer a goodbye."""

PIECES = 65_536
"""In which a message may come: each takes room, however small it is, and even if it is empty."""


class Connection(WebSocketsSansIOProtocol):
    """Reads nothing, pings included, from a client that does not take its answers, and soon breaks the connection.

    Closing it in order would wait for the client as long as it likes, with all that is still to be sent.
    """

    _breaking: TimerHandle | None = None

    def handle_cont(self, event: Frame) -> None:
        """One more piece of a message."""
        if self.close_sent:
            return
        if len(self.frames) < PIECES:
            super().handle_cont(event)
            return
        self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"got more than {PIECES} pieces")
        self.handle_parser_exception()

    def pause_writing(self) -> None:
        """Too much is waiting to be taken."""
        super().pause_writing()
        self.transport.pause_reading()
        self._breaking = self.loop.call_later(TAKE_WITHIN, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        self._stay()
        if not self.read_paused:
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """The next message; does not make room for another one while writing is paused."""
        message = await super().receive()
        if not self.writable.is_set():
            self.transport.pause_reading()
        return message

    async def send(self, message: Any) -> None:
        """Send; after a goodbye the client's own is waited for, but not for long."""
        await super().send(message)
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(LEAVE_WITHIN, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """The client answers no ping."""
        super().keepalive_timeout()
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stay()
        super().connection_lost(exc)

    def _stay(self) -> None:
        if self._breaking is not None:
            self._breaking.cancel()
            self._breaking = None
