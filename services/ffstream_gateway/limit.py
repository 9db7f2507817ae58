"""A limit to what a request may bring, kept while it comes in."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware that refuses bodies over a limit with 413: by their announced length, or as soon as they exceed it.

    Args:
        app: what comes next.
        limit: bytes.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count what comes in."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        total = 0

        async def counted() -> Message:
            nonlocal total
            if announced.isdecimal() and int(announced) > self.limit:
                raise HTTPException(413, f"got {announced} bytes, expected at most {self.limit}")
            message = await receive()
            total += len(message.get("body", b""))
            if total > self.limit:
                raise HTTPException(413, f"got more than {self.limit} bytes, which is the limit")
            return message

        await self.app(scope, counted, send)
