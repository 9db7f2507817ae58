"""Running the service in this program until it is told to stop."""

import gc
import resource
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from ffstream_gateway import logs
from ffstream_gateway.connection import Connection
from ffstream_gateway.settings import Settings
from ffstream_gateway.several import create_service

LINGER = 5
"""Seconds that open connections get to finish when the service stops."""

PING_EVERY = 20.0
"""Seconds between two pings of a WebSocket, and until one must be answered."""

HEADERS = 65_536
"""Bytes of a request line with its headers. The faster parser that uvicorn takes where it is installed has no limit."""

OPEN_FILES = 65_536
"""Files and connections that may be open at once, where the system lets a program have so many."""

TURN = 0.0005
"""Seconds after which a thread lets another one run Python. A question leaves Python and comes back dozens of times, and with
the usual 0.005 may wait so long each time for the thread that learns."""


class Server(uvicorn.Server):
    """Says where it listens, in one line on stdout, as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        for listening in sockets or []:
            print(f"ffstream listens on {url(listening)}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let those go who listen for as long as there is something to hear, then stop."""
        for app in getattr(getattr(self.config.app, "state", None), "models", {}).values():
            app.state.moments.end()
        await super().shutdown(sockets)


def url(listening: socket.socket) -> str:
    """The address of a socket as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def allow_connections() -> None:
    """Raise the limit of open files: a shell's is often 1,024, which idle clients alone can use up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def answer_promptly() -> None:
    """Have Python stop for nothing long.

    Its collector passes over all that there is by now: modules are a quarter of a million objects, and looking at them takes a
    tenth of a second, in which nobody is answered. And threads take turns more often.
    """
    gc.freeze()
    gc.enable()
    sys.setswitchinterval(TURN)


def listen(flags: dict[str, Any], file: Path | None) -> None:
    """Serve until SIGINT or SIGTERM; returns when everything is closed in order.

    Args:
        flags: settings that were given explicitly.
        file: TOML file with settings.

    Raises:
        ConfigError: when the settings cannot work.
        OSError: when the address cannot be listened on.
    """
    settings = Settings.load(flags, file)
    allow_connections()
    logs.configure(settings)
    run(lambda: create_service(settings), settings)


def run(make_app: Callable[[], ASGIApp], settings: Settings) -> None:
    """Serve an application where the settings say until SIGINT or SIGTERM.

    Args:
        make_app: called once the address is taken.
        settings: of the service.

    Raises:
        OSError: when the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.create_server((settings.host, settings.port), family=family) as listening:
        # Accepted sockets inherit it. asyncio does not set it on a socket like this one, and answers then take 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            make_app(),
            http="h11",
            h11_max_incomplete_event_size=HEADERS,
            access_log=False,
            log_config=None,
            log_level="warning",
            timeout_graceful_shutdown=LINGER,
            ws=Connection,
            ws_max_size=settings.max_body,
            ws_ping_interval=PING_EVERY,
            ws_ping_timeout=PING_EVERY,
            ws_per_message_deflate=False,  # a few compressed bytes could be many messages of the largest size
        )
        logs.adopt()
        answer_promptly()
        with suppress(KeyboardInterrupt):
            Server(config).run([listening])
