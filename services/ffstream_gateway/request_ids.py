"""A name for every request: the caller's own if it is a sane one, or a new one. It is answered, and in all that is logged."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, get_contextvars

from ffstream_gateway import traces

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._~:/+=-]{1,128}")

STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


class RequestIds:
    """ASGI middleware that names requests and WebSocket connections.

    Args:
        app: what comes next.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and put the name on the answer."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        name = given if SANE.fullmatch(given) else uuid.uuid4().hex
        bind_contextvars(request_id=name, **traces.names())  # for the task, which ends with the request

        async def named(message: Message) -> None:
            if message["type"] in STARTS:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        await self.app(scope, receive, named)


def request_id() -> str | None:
    """Of the request that is being answered here, None outside of any."""
    return get_contextvars().get("request_id")


def request_names() -> dict[str, str]:
    """What names the present request in all that is logged: its id, and that of its trace if it is traced."""
    bound = get_contextvars()
    return {name: bound[name] for name in ("request_id", "trace_id") if name in bound}
