"""Refusals as RFC 9457 problem details: what was got, what was expected, and where."""

import logging
import re
import reprlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ffstream.errors import (
    BacklogError,
    ConfigError,
    ContradictionError,
    ExpiredFrameError,
    FFStreamError,
    FrameError,
    JournalError,
    KeyReuseError,
    LabelledError,
    ShapeError,
    UnknownFrameError,
    UnknownSnapshotError,
)
from ffstream_gateway.mounted import MODEL_OF
from ffstream_gateway.request_ids import HEADER, request_id

MEDIA_TYPE = "application/problem+json"
PLACE = re.compile(r"^((?:line \d+: )?\w+(?:\[\d+\])*): ")

KINDS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}
"""Stable names for the refusals that come from the framework."""

INFERENCE = re.compile(r"/v2(/|$)")
"""Where clients of the Open Inference Protocol ask: they look for the member ``error`` of a refusal."""

FRAMES: dict[type[FrameError], tuple[int, str]] = {
    UnknownFrameError: (404, "unknown-frame"),
    LabelledError: (409, "labelled"),
    ExpiredFrameError: (410, "expired-frame"),
    ContradictionError: (422, "contradiction"),
}
"""What becomes of a request that names a frame that will not do."""

EXAMPLE = {
    "type": "urn:ffstream:problem:shape",
    "title": "Unprocessable Entity",
    "status": 422,
    "detail": "frames[3]: got 63 numbers, expected 64",
    "place": "frames[3]",
}
SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {name: {"type": "integer" if name == "status" else "string"} for name in EXAMPLE},
}

log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 (the name of RFC 9457)
    """A refusal.

    Args:
        status: of the HTTP answer.
        kind: stable name, the end of the problem's ``type``.
        detail: what was got and what was expected.
        place: where in the request, like ``frames[3][7]`` or ``line 37``.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        place: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.place = place
        self.headers = headers

    def content(self) -> dict[str, Any]:
        """The members of the refusal."""
        content: dict[str, Any] = {
            "type": f"urn:ffstream:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.place is not None:
            content["place"] = self.place
        return content

    def answer(self, path: str) -> JSONResponse:
        """The refusal as an HTTP answer to who asked for ``path``."""
        content = self.content()
        if INFERENCE.match(MODEL_OF.sub("", path)):
            content["error"] = self.detail
        return JSONResponse(content, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Refusals with these statuses, for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": SCHEMA, "example": EXAMPLE}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def refuse(error: FFStreamError, wait_seconds: int) -> Problem:
    """The library's errors as refusals."""
    match error:
        case ShapeError():
            return shape(str(error))
        case FrameError():
            status, kind = FRAMES[type(error)]
            return Problem(status, kind, str(error), place=_place(str(error)))
        case BacklogError():
            return Problem(429, "backlog", str(error), headers={"Retry-After": str(wait_seconds)})
        case ConfigError():
            return Problem(422, "config", str(error))
        case UnknownSnapshotError():
            return Problem(404, "unknown-snapshot", str(error))
        case KeyReuseError():
            return Problem(422, "idempotency-key", str(error), place="Idempotency-Key")
        case JournalError():
            log.error("the journal refuses: %s", error)
            return Problem(503, "journal", str(error), headers={"Retry-After": "5"})
    return Problem(500, "internal", str(error))


def shape(detail: str) -> Problem:
    """Frames or labels that the network does not take; the place is read off the message."""
    return Problem(422, "shape", detail, place=_place(detail))


def _place(detail: str) -> str | None:
    found = PLACE.match(detail)
    return found[1] if found else None


def install(app: FastAPI) -> None:
    """Have every refusal of ``app`` speak problem+json."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> JSONResponse:
        return error.answer(request.url.path)

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> JSONResponse:
        return invalid(error.errors()[0]).answer(request.url.path)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        detail = f"{request.method} {request.url.path}: {error.detail}"
        refusal = Problem(error.status_code, KINDS.get(error.status_code, "http"), detail, headers=error.headers)
        return refusal.answer(request.url.path)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> JSONResponse:
        """Nobody reads this; without it the log would tell of an error."""
        return Problem(400, "disconnected", "the client left before its request was whole").answer(request.url.path)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        """Answered outside of all middleware."""
        headers = {HEADER: request_id() or ""}
        return Problem(500, "internal", f"{type(error).__name__}: {error}", headers=headers).answer(request.url.path)


def invalid(first: Mapping[str, Any]) -> Problem:
    """The first thing that pydantic finds wrong."""
    if first["type"] == "json_invalid":
        _, position = first["loc"]
        return Problem(422, "json", f"body: not JSON: {first['ctx']['error']} at character {position}", place="body")
    place = ".".join(str(part) for part in first["loc"])
    got = "nothing" if first["type"] == "missing" else reprlib.repr(first["input"])
    return Problem(422, "invalid", f"{place}: got {got}: {first['msg']}", place=place)
