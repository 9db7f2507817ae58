"""Where a service is, how long to try to reach it, and what it is called when that fails."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import stamina

from ffstream.client.calls import Call
from ffstream.client.errors import ClientError, NotReadyError, RefusedError, UnreachableError

HERE = "http://127.0.0.1:8000"

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that are never asked through a proxy, whatever the environment says."""

VISIBLE = re.compile(r"[!-~]+")
"""What a key is made of."""

LOOK_EVERY = 0.2
"""Seconds between two looks whether a service is ready."""


class Line:
    """The way to one service.

    Args:
        url: of the service.
        patience: seconds for which a broken connection is tried again.
        timeout: seconds for one answer.
        key: that the service lets in; None where it needs none.
    """

    def __init__(self, url: str, patience: float, timeout: float, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.patience, self.timeout = patience, timeout
        try:
            parsed = httpx2.URL(self.url)
        except httpx2.InvalidURL as error:
            raise UnreachableError(f"{url!r} is not a URL: {error}") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise UnreachableError(f"{url!r} is not the URL of a service: expected one like {HERE}")
        self.remote = parsed.host not in LOOPBACK
        if key is not None and not VISIBLE.fullmatch(key):
            raise ClientError("key: got something else than visible characters; expected one that `ffstream keys add` has made")
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def http(self) -> dict[str, Any]:
        """The arguments of a client of HTTP."""
        limits = httpx2.Timeout(self.timeout, connect=min(self.timeout, 5.0))
        return {"base_url": self.url, "timeout": limits, "trust_env": self.remote, "headers": self.headers}

    def attempts(self, call: Call[Any]) -> Any:
        """Tries of a call: one, or with a key as many as there is patience for."""
        return stamina.retry_context(on=_pause if call.key else _never, attempts=None, timeout=self.patience)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Call what breaks here by its name."""
        try:
            yield
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise self.broken(error) from error

    def broken(self, error: Exception) -> UnreachableError:
        """What is to be said of a broken connection."""
        reason = str(error) or type(error).__name__
        return UnreachableError(f"no answer from {self.url}: {reason}; does `ffstream serve` run there?")


class Readiness:
    """Waits for a service to be ready, but not forever.

    Args:
        line: to the service.
        timeout: seconds.
        notice: called with every state seen.
    """

    def __init__(self, line: Line, timeout: float, notice: Callable[[str], None]) -> None:
        self._line, self._notice = line, notice
        self._end = time.monotonic() + timeout
        self._state, self._late = "", False

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look at the state in here; that nobody answers is one too, until time is up.

        Raises:
            UnreachableError: when time is up.
        """
        self._late = time.monotonic() >= self._end
        try:
            yield
        except UnreachableError:
            if self._late:
                raise
            self.see("unreachable")

    def see(self, state: str) -> None:
        """Take note of the state."""
        self._state = state
        self._notice(state)

    @property
    def over(self) -> bool:
        """Whether the service is ready.

        Raises:
            NotReadyError: when time is up, or the service has failed.
        """
        if self._state == "failed" or (self._late and self._state != "ready"):
            raise NotReadyError(f"{self._line.url} is not ready to learn: {self._state}")
        return self._state == "ready"


def asked_to_wait(call: Call[Any], refused: RefusedError) -> float:
    """Seconds after which a refused call is to be sent again, however often: the service lives, but too many frames wait.

    Raises:
        RefusedError: when it was refused for good.
    """
    if call.key is None or refused.status != httpx2.codes.TOO_MANY_REQUESTS:
        raise refused
    return refused.retry_after or 1.0


def _never(error: Exception) -> bool:
    return False


def _pause(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds."""
    if isinstance(error, RefusedError) and error.status == httpx2.codes.SERVICE_UNAVAILABLE:
        return error.retry_after or True
    return isinstance(error, UnreachableError)
