"""Two servers to compare: the gateway, whose learning never begins, and an application that only reads what it is sent.

``python -m benchmarks.acceptor gateway --folder FOLDER --inputs 784`` and ``python -m benchmarks.acceptor bare`` run on the
same uvicorn with the same settings as ``ffstream serve``, and say where they listen as it does.
"""

import argparse
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from ffstream_gateway.app import create_app
from ffstream_gateway.listen import run
from ffstream_gateway.settings import Settings
from ffstream_gateway.socket_feed import CREDITS

ANSWER = b'{"first":1,"last":500,"frames":500,"repeated":false,"waiting":500,"credits":1}'
"""As long as the gateway's."""


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Read all of a request and answer 202, or all messages of a WebSocket and answer each."""
    if scope["type"] == "websocket":
        await _answer_messages(receive, send)
    elif scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})
    else:
        await _live(receive, send)


async def _answer_messages(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": f'{{"credits":{CREDITS}}}'})
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": ANSWER.decode()})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def never_learning(settings: Settings) -> FastAPI:
    """The gateway as it is while its layers start: it journals what it accepts, and none of it is learned."""
    app = create_app(settings)

    @asynccontextmanager
    async def accepting(_: FastAPI) -> Any:
        yield
        app.state.service.stream.journal.close()

    app.router.lifespan_context = accepting
    return app


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["bare", "gateway"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--inputs", type=int, default=784)
    told = parser.parse_args()
    flags: dict[str, Any] = {"port": 0, "chain": "in-process", "inputs": told.inputs, "backlog": sys.maxsize}
    settings = Settings.load(flags | ({"folder": told.folder} if told.folder else {}))
    run(lambda: bare if told.which == "bare" else never_learning(settings), settings)


if __name__ == "__main__":
    main()
