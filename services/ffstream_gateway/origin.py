"""Who may ask for changes: browsers let the pages of any site speak to this machine, but say so."""

from fastapi import WebSocket, WebSocketException
from starlette import status
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ffstream_gateway.problems import Problem

HARMLESS = ("GET", "HEAD", "OPTIONS")
ELSEWHERE = ("cross-site", "same-site")
"""What a browser says of a request that a page of another address has made (``Sec-Fetch-Site``); other clients say nothing."""


class SameOrigin:
    """ASGI middleware that refuses what pages of other addresses want changed, with 403.

    Args:
        app: what comes next.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        if scope["type"] == "http" and scope["method"] not in HARMLESS:
            site = Headers(scope=scope).get("sec-fetch-site")
            if site in ELSEWHERE:
                detail = f"Sec-Fetch-Site: got {site}, expected a page of this service, or a client that is no browser"
                refusal = Problem(403, "cross-origin", detail, place="Sec-Fetch-Site")
                await refusal.answer(scope["path"])(scope, receive, send)
                return
        await self.app(scope, receive, send)


def require_same_origin(socket: WebSocket) -> None:
    """Browsers let the pages of any site open a WebSocket to this machine, but name the site.

    Raises:
        WebSocketException: when it is not the service's own.
    """
    origin = socket.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != socket.headers.get("host"):
        raise WebSocketException(status.WS_1008_POLICY_VIOLATION, f"got a page of {origin}, expected one of this service")
