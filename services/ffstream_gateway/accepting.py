"""Accepting frames, whichever way they come in: all of a request or none, and answered once they are journaled."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from ffstream.errors import FFStreamError
from ffstream.frames import FrameArray, LabelArray
from ffstream.stream.journal import FrameRange, check_backlog
from ffstream_gateway import bodies, models, texts, traces
from ffstream_gateway.problems import Problem, refuse
from ffstream_gateway.service import Service

PAUSED_FOR = 5
"""Seconds after which a client had better look again whether feeding is still paused."""


def require_accepting(service: Service) -> None:
    """Make sure that frames are accepted now.

    Raises:
        Problem: 503 when they are not.
    """
    if not service.accepts:
        raise Problem(503, service.state.value, f"the service is {service.state.value}", headers={"Retry-After": "5"})


def require_feeding(service: Service) -> None:
    """Make sure that frames are accepted now, and that nobody has paused the feeding.

    Raises:
        Problem: 503 when they are not.
    """
    require_accepting(service)
    if service.paused:
        detail = 'feeding is paused: PUT /feeding {"paused": false} resumes it'
        raise Problem(503, "paused", detail, headers={"Retry-After": str(PAUSED_FOR)})


@contextmanager
def refusals(service: Service) -> Iterator[None]:
    """Turn the library's errors into refusals that say how long to wait."""
    try:
        yield
    except FFStreamError as error:
        raise refuse(error, service.wait_seconds()) from error


def accept_body(service: Service, raw: bytes, content_type: str, key: str | None, learn: str = "gradient") -> models.Accepted:
    """Accept the frames in the body of a request."""
    with refusals(service):
        if key is None:
            check_backlog(service.stream.journal, 1, service.settings.backlog)
        with traces.part("validate"):
            body = _read(service, raw, content_type)
        kind = content_type if learn == "gradient" else f"{content_type} {learn}"
        return _accept(service, body, key, kind.encode() + b"\n", raw, learn)


def _read(service: Service, raw: bytes, content_type: str) -> bodies.Body:
    taken = service.taken
    if service.alphabet is not None:
        body = texts.read(content_type, raw, service.alphabet, taken.inputs)
        if body is not None:
            return body
    return bodies.read(content_type, raw, taken, labels=True)


def accept_message(service: Service, raw: str | bytes, learn: str = "gradient") -> models.Accepted:
    """Accept the frames in a message of a WebSocket."""
    with refusals(service), traces.part("message"):
        if isinstance(raw, bytes) and not bodies.begins_with_key(raw):
            check_backlog(service.stream.journal, 1, service.settings.backlog)
        with traces.part("validate"):
            body, key = bodies.read_message(raw, service.taken)
        kind = "message" if learn == "gradient" else f"message {learn}"
        return _accept(service, body, key, kind.encode() + b"\n", raw.encode() if isinstance(raw, str) else raw, learn)


def accept_frames(service: Service, frames: FrameArray, labels: LabelArray) -> models.Accepted:
    """Accept frames [n, inputs] with labels [n]."""
    with refusals(service):
        return accepted(service, service.stream.accept(frames, labels, limit=service.settings.backlog))


def _accept(
    service: Service, body: bodies.Body, key: str | None, kind: bytes, raw: bytes, learn: str = "gradient"
) -> models.Accepted:
    digest = "" if key is None else hashlib.sha256(kind + raw).hexdigest()
    limit = service.settings.backlog
    with traces.part("journal"):
        frames = service.stream.accept(body.frames, body.labels, learn=learn, limit=limit, key=key, digest=digest)
    return accepted(service, frames)


def accepted(service: Service, frames: FrameRange) -> models.Accepted:
    """The answer for frames that are journaled; has them learned."""
    if not frames.repeated:
        service.following.accept(frames)
    service.nudge()
    return models.Accepted(
        first=frames.first,
        last=frames.last,
        frames=len(frames.numbers),
        repeated=frames.repeated,
        waiting=service.stream.sequencer.waiting,
    )
