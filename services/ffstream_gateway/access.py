"""Who may ask for what: bearer keys, the scopes that a request needs, and how many requests a key may make."""

import ipaddress
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Asked

from ffstream.errors import ConfigError
from ffstream_gateway.keys import MARK, NOBODY, Key, Scope, keys_in, rate_of
from ffstream_gateway.mounted import route_path
from ffstream_gateway.problems import Problem, documented
from ffstream_gateway.settings import Settings

Suffices = tuple[Scope, ...]
"""Scopes of which a key needs one."""

OPEN = frozenset({"", "page", "livez", "readyz", "docs", "redoc", "openapi.json", "v2/health"})
BY_SCOPE = {
    **dict.fromkeys(("feed", "labels", "frames"), (Scope.FEED, Scope.ADMIN)),
    **dict.fromkeys(
        ("classify", "v2", "watch", "predict", "generate", "explain", "goodness", "fields"), (Scope.CLASSIFY, Scope.ADMIN)
    ),
    **dict.fromkeys(("recent", "dreams", "metrics"), (Scope.ADMIN,)),
}
BY_VERB = frozenset({"models", "status", "moment", "events", "shape", "sleep", "schedule", "snapshots", "feeding", "v2"})
"""The beginnings of paths: open to everybody; for a scope; to be looked at with any key, and changed by an ``admin`` or, if it
is for a scope too, used with that."""

CHALLENGE = 'Bearer realm="ffstream"'
SCHEME = {"type": "http", "scheme": "bearer", "description": "A key that `ffstream keys add` has made."}

log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_known(path: str) -> bool:
    """Whether it has been said what a path needs; others need an ``admin``."""
    first = _first(path)
    return first in OPEN or first in BY_SCOPE or first in BY_VERB


def _first(path: str) -> str:
    if path.startswith("//"):
        return path
    first, _, rest = path.removeprefix("/").partition("/")
    return "v2/health" if first == "v2" and rest.startswith("health/") else first


class Access:
    """What lets requests in. Keys that are added or removed count from the next request on.

    Keys are off where only this machine reaches the service and nobody has made a key; then requests must be meant for this
    machine, so that a page whose name was pointed here is not taken for one of the service. Once on, they stay on.

    Args:
        settings: of the service.

    Raises:
        ConfigError: when others reach the service and there is no key, or the keys cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.keys_file
        self._open_metrics = settings.open_metrics
        self._keys: Mapping[str, Key] = {}
        self._seen: tuple[int, ...] | None = None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._on = not is_loopback(settings.host)
        self._keys = keys_in(self._path)
        self._look()
        if self._on and not self._keys:
            raise ConfigError(_how_to_make_one(settings.host, self._path))

    def suffices(self, verb: str, path: str) -> Suffices | None:
        """Scopes of which one suffices for a request; None when it needs no key."""
        first = _first(path)
        if first in OPEN or (first == "metrics" and self._open_metrics):
            return None
        if first in BY_VERB and verb == "GET":
            return tuple(Scope)
        return BY_SCOPE.get(first, (Scope.ADMIN,))

    def check(self, asked: Asked, suffices: Suffices | None = None) -> Key | None:
        """Make sure that a request, or a connection that goes on, may.

        Args:
            asked: the ASGI scope of an HTTP request or a WebSocket.
            suffices: scopes of which one suffices; what the path says if not given.

        Returns:
            The key; None where none is needed.

        Raises:
            Problem: 401 without a key, or with a wrong one; 403 when its scopes do not suffice.
        """
        self._look()
        suffices = suffices or self.suffices(asked.get("method", "GET"), route_path(asked))
        headers = Headers(scope=asked)
        if not self._on:
            require_this_machine(headers)
            return None
        if suffices is None:
            return None
        key = self._key_of(headers)
        if not set(suffices) & set(key.scopes):
            wanted = " or ".join(suffices)
            challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{suffices[0]}"'
            detail = f"key {key.name}: got {', '.join(key.scopes)}, expected {wanted}"
            raise Problem(403, "scope", detail, place="Authorization", headers={"WWW-Authenticate": challenge})
        return key

    async def admit(self, asked: Asked) -> None:
        """Check a request, or a message of a WebSocket, and count it.

        Raises:
            Problem: as :meth:`check` does; 429 when the key has made more than its rate allows.
        """
        key = self.check(asked)
        if key is None or key.rate is None:
            return
        rate = rate_of(key.rate)
        if not await self._limiter.hit(rate, key.name):
            reset = (await self._limiter.get_window_stats(rate, key.name)).reset_time
            seconds = max(1, math.ceil(reset - time.time()))
            raise Problem(429, "rate", f"key {key.name}: got more than {key.rate}", headers={"Retry-After": str(seconds)})

    def _key_of(self, headers: Headers) -> Key:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            detail = "Authorization: got none, expected Bearer and a key; `ffstream keys add` makes one"
            raise Problem(401, "bearer-key", detail, place="Authorization", headers={"WWW-Authenticate": CHALLENGE})
        mark, name, secret = [*token.strip().split("_", 2), "", ""][:3]
        key = self._keys.get(name, NOBODY)
        if not key.fits(secret) or mark != MARK:
            detail = "Authorization: got a key that is none of this service's, or was removed"
            challenge = f'{CHALLENGE}, error="invalid_token"'
            raise Problem(401, "bearer-key", detail, place="Authorization", headers={"WWW-Authenticate": challenge})
        return key

    def _look(self) -> None:
        """Read the keys again when their file is another one: it is replaced, never written to."""
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        except (FileNotFoundError, NotADirectoryError):
            seen = None
        if seen == self._seen:
            return
        self._seen = seen
        self._on = self._on or seen is not None
        try:
            self._keys = keys_in(self._path)
        except ConfigError as error:
            log.error("the keys stay as they were: %s", error)


def require_this_machine(headers: Headers) -> None:
    """Make sure that a request without a key was meant for this machine.

    Raises:
        Problem: 403 when it was meant for another, as those of a page are whose name was pointed here.
    """
    host = headers.get("host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if not is_loopback(name):
        detail = f"Host: got {host[:100]}, expected this machine's; with a key (`ffstream keys add`) any name will do"
        raise Problem(403, "host", detail, place="Host")


def _how_to_make_one(host: str, path: Path) -> str:
    command = f"ffstream keys add NAME --scope feed --scope classify --file {path}"
    return f"host {host}: others can reach it, and there is no key; make one with `{command}`, or listen on 127.0.0.1"


class Gate:
    """ASGI middleware that lets nobody past who may not, before anything of the body is read.

    Args:
        app: what comes next.
        access: who may.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        """Pass on what may pass; a WebSocket is refused before it is one."""
        if scope["type"] in ("http", "websocket"):
            try:
                await self.access.admit(scope)
            except Problem as problem:
                await problem.answer(scope["path"])(scope, receive, send)
                return
        await self.app(scope, receive, send)


def describe(app: FastAPI, access: Access) -> None:
    """Have the OpenAPI document of ``app`` say which key every request needs."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {})["securitySchemes"] = {"bearer": SCHEME}
        refusals = {str(status): answer for status, answer in documented(401, 403, 429).items()}
        for path, verbs in document["paths"].items():
            for verb, operation in verbs.items():
                suffices = access.suffices(verb.upper(), path)
                operation["security"] = [{"bearer": [each]} for each in suffices or ()]
                if suffices:
                    operation["responses"] = refusals | operation["responses"]
        return document

    app.openapi = described  # type: ignore[method-assign]
