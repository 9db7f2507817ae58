"""How a WebSocket to a service is opened, and how its end is understood."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.client import process_exception
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from ffstream.client.answers import understood
from ffstream.client.errors import AnswerError, ClientError
from ffstream.client.line import Line

KEPT_OUT = (401, 403, 429)
"""Statuses with which a service refuses to open a WebSocket, and says why."""

FINAL = (1008, 1009)
"""Codes of a goodbye after which coming back with the same messages would be of no use."""


def options(line: Line, path: str) -> dict[str, Any]:
    """The arguments of ``connect``; frames are hardly ever worth compressing."""
    return {
        "uri": f"ws{line.url.removeprefix('http')}{path}",
        "open_timeout": min(line.timeout, 5.0),
        "proxy": True if line.remote else None,
        "additional_headers": line.headers,
        "compression": None,
        "max_size": None,
    }


@contextmanager
def named(line: Line) -> Iterator[None]:
    """Call the end of a connection by its name.

    Raises:
        UnreachableError: when it broke, or could not be made; it may do so the next time.
        RefusedError: when the service lets nobody in with this key, or with none.
        ClientError: when coming back is of no use for another reason.
    """
    try:
        yield
    except ConnectionClosed as error:
        if error.rcvd is not None and error.rcvd.code in FINAL:
            said = f"{error.rcvd.reason} [WebSocket {error.rcvd.code}]"
            raise ClientError(f"{line.url} has ended the conversation: {said}") from error
        raise line.broken(error) from error
    except InvalidStatus as error:
        if error.response.status_code in KEPT_OUT:
            understood(bytes(error.response.body), dict[str, Any])
        raise _unmade(line, error) from error
    except (OSError, InvalidHandshake) as error:
        raise _unmade(line, error) from error


def _unmade(line: Line, error: Exception) -> ClientError:
    """What is to be said of a connection that could not be made."""
    if process_exception(error) is None:
        return line.broken(error)
    return AnswerError(f"{line.url} takes no WebSocket: {error}; is it `ffstream serve` that runs there?")
