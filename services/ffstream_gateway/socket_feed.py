"""Frames over a WebSocket: messages under credits, answered in their order once what they bring is journaled."""

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter, WebSocket
from fastapi.concurrency import run_in_threadpool
from starlette import status
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from ffstream_gateway.accepting import accept_message, require_feeding
from ffstream_gateway.origin import require_same_origin
from ffstream_gateway.problems import Problem
from ffstream_gateway.routes import HowToLearn
from ffstream_gateway.service import Service, State

CREDITS = 16
"""Messages of one client that may be under way: sent, and not answered yet."""

Goodbye = tuple[int, str]
"""Why the service leaves: the code and the reason of its close frame."""

router = APIRouter()


@router.websocket("/feed")
async def feed(socket: WebSocket, learn: HowToLearn = "gradient") -> None:
    """Accept frames for learning, message after message.

    The service begins with ``{"credits": n}``: so many messages may be under way. Every message is one JSON object,
    ``{"frame": [...], "label": 3}`` or ``{"frames": [[...]], "labels": [3, null]}``, which may have an idempotency ``key``; or,
    when it is binary, ``.npy`` arrays as in the body of a request, before which there may be a line ``{"key": "..."}``. Each is
    answered, in the order of the messages, with the ``credits`` that come back and either what ``POST /feed`` answers, once all
    its frames are journaled, or a problem: then nothing of the message is kept, the connection goes on, and ``retry_after``
    says how many seconds to wait, if waiting helps. With ``?learn=exact`` all frames are learned in one step each.

    Closes with 1008 when more messages are under way than there are credits, 1009 when one is larger than a body may be, 1012
    when the service stops. What was not answered by then may have been accepted or not.
    """
    require_same_origin(socket)
    await socket.accept()
    try:
        await Conversation(socket, socket.app.state.service, learn).hold()
    except* WebSocketDisconnect:
        pass


class Conversation:
    """One client's messages and their answers. What is read ahead is bounded by the credits and twice the limit of a body.

    Args:
        socket: accepted.
        service: that learns what is sent.
        learn: how.
    """

    def __init__(self, socket: WebSocket, service: Service, learn: str) -> None:
        self._socket = socket
        self._service = service
        self._learn = learn
        self._messages: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._under_way = self._size = 0
        self._room = asyncio.Event()

    async def hold(self) -> None:
        """Talk until one of the two leaves.

        Raises:
            WebSocketDisconnect: when it is the client; it may come in a group.
        """
        await self._say({"credits": CREDITS})
        async with asyncio.TaskGroup() as both:
            sides = both.create_task(self._listen()), both.create_task(self._answer())
            (ended, *_), others = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                other.cancel()
        code, reason = ended.result()
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _listen(self) -> Goodbye:
        """Read ahead of the answers, so that it is noticed who sends more than it may."""
        limit = self._service.settings.max_body
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            raw = message.get("text") or message.get("bytes") or b""
            if len(raw) > limit:
                return status.WS_1009_MESSAGE_TOO_BIG, f"got more than {limit} bytes, which is the limit"
            if self._under_way == CREDITS:
                return status.WS_1008_POLICY_VIOLATION, f"got more than {CREDITS} messages ahead of their answers"
            self._under_way += 1
            self._size += len(raw)
            self._messages.put_nowait(raw)
            while self._size >= limit:
                self._room.clear()
                await self._room.wait()

    async def _answer(self) -> Goodbye:
        while self._service.state is not State.CLOSING:
            raw = await self._messages.get()
            answer = await self._accept(raw)
            self._under_way -= 1
            self._size -= len(raw)
            self._room.set()
            await self._say({**answer, "credits": 1})
        return status.WS_1012_SERVICE_RESTART, "the service is closing"

    async def _accept(self, raw: str | bytes) -> dict[str, Any]:
        try:
            await self._socket.app.state.access.admit(self._socket.scope)
            require_feeding(self._service)
            return (await run_in_threadpool(accept_message, self._service, raw, self._learn)).model_dump()
        except Problem as problem:
            wait = (problem.headers or {}).get("Retry-After")
            return problem.content() | ({} if wait is None else {"retry_after": int(wait)})

    async def _say(self, content: dict[str, Any]) -> None:
        await self._send({"type": "websocket.send", "text": orjson.dumps(content).decode()})

    async def _send(self, message: Message) -> None:
        try:
            await self._socket.send(message)
        except RuntimeError as error:  # how uvicorn says that the client's goodbye has come in at this very moment
            raise WebSocketDisconnect(status.WS_1006_ABNORMAL_CLOSURE) from error
