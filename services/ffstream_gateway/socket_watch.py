"""A clip over a WebSocket, one message a picture: classified while it plays, and learned when it is over."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, WebSocket
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray
from starlette import status
from starlette.websockets import WebSocketDisconnect

from ffstream.classify import Reader
from ffstream.errors import ShapeError
from ffstream.frames import check_frames, to_tensor
from ffstream.labels import UNLABELLED
from ffstream_gateway.accepting import accept_frames, require_feeding
from ffstream_gateway.access import Access
from ffstream_gateway.bodies import label_of
from ffstream_gateway.classifying import label_name
from ffstream_gateway.origin import require_same_origin
from ffstream_gateway.problems import Problem, refuse
from ffstream_gateway.service import Service

router = APIRouter()


@router.websocket("/watch")
async def watch(socket: WebSocket) -> None:
    """Watch clips, picture after picture.

    The service begins with ``{"pixels": n, "clip": n}``. Every message is ``{"picture": [...]}``, which may say what is to be
    seen, ``"label": 3``, or its name where labels have any. It is answered with the ``tick``, the ``label`` that the pictures
    of the clip so far look most like, its ``name`` if it has one, and the ``scores`` of all. The last picture of a clip may ask
    to ``"learn": true``, which takes a key that may feed: then the clip is journaled with the label that was said last, and its
    answer has what ``POST /feed`` answers as ``accepted``. A message that cannot be read is answered with a problem, and the
    clip goes on without it.

    Closes with 1008 when the network does not take clips.
    """
    require_same_origin(socket)
    await socket.accept()
    service: Service = socket.app.state.service
    config = service.stream.config
    if config.video is None or config.video.clip == 1:
        await socket.close(status.WS_1008_POLICY_VIOLATION, "this network takes no clips: serve one with --clip")
        return
    access: Access = socket.app.state.access
    showing = Showing(service, partial(access.check, socket.scope, access.suffices("POST", "/feed")))
    try:
        await socket.send_json({"pixels": config.pixels, "clip": config.video.clip})
        while True:
            raw = await socket.receive_text()
            try:
                await access.admit(socket.scope)
                answer = await run_in_threadpool(showing.answer, raw)
            except Problem as problem:
                answer = problem.content()
            await socket.send_json(answer)
    except WebSocketDisconnect:
        pass


class Showing:
    """What a client shows, clip after clip. A clip is watched by one version of the weights.

    Args:
        service: whose network watches.
        require_feed: raises a problem when the client may have nothing learned.
    """

    def __init__(self, service: Service, require_feed: Callable[[], object]) -> None:
        self._service = service
        self._require_feed = require_feed
        self._config = service.stream.accepts
        self._length = self._config.inputs // self._config.pixels
        self._begin()

    def _begin(self) -> None:
        """The next clip, by the newest weights."""
        self._seen: list[NDArray[Any]] = []
        self._label = UNLABELLED
        self._reader: Reader = self._service.stream.reader
        self._playing = self._reader.play()

    def answer(self, raw: str) -> dict[str, Any]:
        """What a message is answered."""
        try:
            return self._see(raw)
        except Problem as problem:
            return problem.content()
        except ShapeError as error:
            return refuse(error, 1).content()

    def _see(self, raw: str) -> dict[str, Any]:
        picture, label, learn = self._read(raw)
        if learn:
            self._require_feed()
        if len(self._seen) in (0, self._length):
            self._begin()
        scores = self._playing.see(to_tensor(picture)[0])
        self._seen.append(picture[0])
        self._label = self._label if label is None else label
        answer: dict[str, Any] = {
            "tick": len(self._seen),
            "label": int(scores.argmax()),
            "scores": scores.double().tolist(),
            "seq": self._reader.seq,
            "status": "cold" if self._reader.cold else "live",
        }
        if self._service.names is not None:
            answer["name"] = label_name(self._service.names, answer["label"])
        if learn and len(self._seen) == self._length:
            require_feeding(self._service)
            clip, said = np.concatenate(self._seen)[None], np.array([self._label])
            answer["accepted"] = accept_frames(self._service, clip, said).model_dump()
        return answer

    def _read(self, raw: str) -> tuple[NDArray[Any], int | None, bool]:
        """Picture [1, pixels], label and whether the clip is to be learned."""
        try:
            message = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise ShapeError(f"message: not JSON: {error}") from error
        if not isinstance(message, dict) or "picture" not in message:
            raise ShapeError('message: expected {"picture": [...]}')
        told, learn = message.get("label"), message.get("learn", False)
        label = None if told is None else label_of(told, self._service.taken, "label")
        if type(learn) is not bool:
            raise ShapeError(f"learn: got {learn!r}, expected true or false")
        return check_frames([message["picture"]], self._config.pixels), label, learn
