"""What the service can be asked over HTTP. Each route reads, asks the service, answers."""

import asyncio
import hashlib
from concurrent.futures import Future
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import ffstream
from ffstream.classify import Method
from ffstream.errors import FFStreamError
from ffstream.stream.events import Recorded
from ffstream_gateway import bodies, models, traces
from ffstream_gateway.accepting import accept_body, accepted, refusals, require_accepting, require_feeding
from ffstream_gateway.classifying import Question, answer
from ffstream_gateway.problems import Problem, documented, refuse
from ffstream_gateway.service import Service, State

JOURNALED_WITHIN = 30.0
"""Seconds that a request for a sleep or a snapshot waits for its place in the journal."""


async def the_service(request: Request) -> Service:
    """The service that the application was made for; a plain function would cost every request a trip to another thread."""
    service: Service = request.app.state.service
    return service


async def raw_body(request: Request) -> bytes:
    """The whole body; the application's limit holds while it comes in."""
    return await request.body()


def _frames(media: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI description of a body that :mod:`ffstream_gateway.bodies` reads."""
    npy = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": {**media, bodies.NPY: npy}}}


FRAME = [0.0] * 32 + [1.0] * 32
FEED = _frames(
    {
        bodies.JSON: {"schema": {"type": "object"}, "example": {"frames": [FRAME, FRAME], "labels": [3, None]}},
        bodies.NDJSON: {"schema": {"type": "string"}, "example": f'{{"frame": {FRAME}, "label": 3}}\n'},
    }
)
CLASSIFY = _frames(
    {
        bodies.JSON: {"schema": {"type": "object"}, "example": {"frames": [FRAME]}},
        bodies.NDJSON: {"schema": {"type": "string"}, "example": f'{{"frame": {FRAME}}}\n'},
    }
)

The = Annotated[Service, Depends(the_service)]
Raw = Annotated[bytes, Depends(raw_body)]
ContentType = Annotated[str, Header(include_in_schema=False)]
HowToLearn = Annotated[
    Literal["gradient", "exact"], Query(description="exact: each frame by itself, known at once; every one needs its label")
]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=bodies.LONGEST_KEY)]

router = APIRouter()


@router.post(
    "/feed",
    status_code=202,
    response_model=models.Accepted,
    openapi_extra=FEED,
    responses=documented(413, 415, 422, 429, 503),
)
async def feed(
    service: The,
    raw: Raw,
    content_type: ContentType = "",
    key: Key = None,
    learn: HowToLearn = "gradient",
) -> Response:
    """Accept frames for learning, all or none: when this answers 202 they are journaled and will be learned exactly once.

    The same Idempotency-Key with the same body is answered again and learned once. A ``.npy`` body holds the frames [n, inputs]
    and may go on with a second array, the labels [n]. Where sequences are learned, ``{"text": "..."}``, ``{"symbols": [...]}``
    and ``text/plain`` are taken too: every symbol is learned that has a whole window before it.
    """
    require_feeding(service)
    answer = await run_in_threadpool(accept_body, service, raw, content_type, key, learn)
    return Response(answer.model_dump_json(), 202, media_type=bodies.JSON)


@router.post("/labels", status_code=202, responses=documented(404, 409, 410, 413, 422, 429, 503))
def labels(service: The, late: models.LateLabels, key: Key = None) -> models.Accepted:
    """Teach frames that were fed without a label, all or none: each is accepted again, with its label, as a new frame.

    The answer has the numbers of the new frames, in the order of the request. A frame takes one label, and takes it until
    ``label_lifetime`` frames were accepted after it.
    """
    require_feeding(service)
    digest = hashlib.sha256(b"labels\n" + late.model_dump_json().encode()).hexdigest()
    taken, ids = service.taken, [each.id for each in late.labels]
    given = [bodies.label_of(each.label, taken, f"labels[{index}]") for index, each in enumerate(late.labels)]
    with refusals(service), traces.part("journal"):
        frames = service.stream.accept_labels(ids, given, limit=service.settings.backlog, key=key, digest=digest)
    return accepted(service, frames)


@router.get("/frames/{number}", responses=documented(404, 410, 422, 503))
def frame(service: The, number: int) -> models.FrameState:
    """What has become of a frame: queued or learned, its label, and what was predicted of it before it was learned."""
    with refusals(service):
        return models.frame_state(service.stream, number)


@router.post("/classify", response_model=models.Classified, openapi_extra=CLASSIFY, responses=documented(413, 415, 422))
async def classify(
    service: The,
    raw: Raw,
    content_type: ContentType = "",
    method: Annotated[
        Method | None,
        Query(description="how a label is chosen; by goodness if not given, by one pass where no layer sees labels"),
    ] = None,
    shortlist: Annotated[int, Query(ge=1, description="labels that one pass picks for both to decide")] = 3,
) -> Response:
    """Classify frames with the newest published weights. Never learns; answers in every state."""
    question = Question(content_type, method and method.value, shortlist, service.names)
    found = await service.readers.ask(question, raw)
    if found is None:  # written in the thread that has found it: the loop that all others wait for has enough to do
        found = await run_in_threadpool(answer, service.stream.reader, question, raw)
    return Response(found, media_type=bodies.JSON)


@router.post("/sleep", status_code=202, responses=documented(413, 422, 503))
async def sleep(service: The, request: models.SleepRequest | None = None) -> models.SleepPlanned:
    """Sleep as soon as what is under way is learned; frames go on being accepted."""
    require_accepting(service)
    return models.sleep_planned(await _journaled(service, service.request_sleep(request.dreams if request else None)))


async def _journaled(service: Service, future: Future[Recorded]) -> Recorded:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), JOURNALED_WITHIN)
    except TimeoutError as error:
        detail = f"not journaled within {JOURNALED_WITHIN:.0f} s: the service is {service.state.value}"
        raise Problem(503, "busy", detail, headers={"Retry-After": "5"}) from error
    except FFStreamError as error:
        raise refuse(error, service.wait_seconds()) from error


@router.get("/sleep")
def sleep_state(service: The) -> models.SleepState:
    """Whether the network sleeps, what it owes, and by which schedule."""
    return models.sleep_state(service)


@router.get("/schedule")
def schedule(service: The) -> models.ScheduleModel:
    """When the network sleeps."""
    return models.schedule_model(service.stream.sequencer.schedule)


@router.put("/schedule", responses=documented(413, 422))
def put_schedule(service: The, wanted: models.ScheduleModel) -> models.ScheduleModel:
    """Sleep by another schedule, also after a restart."""
    service.reschedule(wanted.schedule())
    return wanted


@router.get("/status")
def status(service: The) -> models.Status:
    """What the service is doing and has learned."""
    return models.status(service, ffstream.__version__)


@router.get("/models")
def served(request: Request) -> list[models.ServedModel]:
    """The models of this service, the first of which is also there without a name."""
    services: dict[str, Service] = {name: app.state.service for name, app in request.app.state.models.items()}
    default = next(iter(services))
    return [
        models.ServedModel(
            name=name,
            path=f"/models/{name}",
            default=name == default,
            state=service.state.value,
            task=service.settings.task,
        )
        for name, service in services.items()
    ]


@router.post("/snapshots", status_code=202, responses=documented(503))
async def snapshot(service: The) -> models.SnapshotPlanned:
    """Save everything as it is after what is under way."""
    require_accepting(service)
    return models.SnapshotPlanned(seq=(await _journaled(service, service.request_snapshot())).seq)


@router.get("/snapshots")
def snapshots(service: The) -> list[models.Snapshot]:
    """Snapshots that are whole, newest first."""
    return models.snapshots(service.stream)


@router.post("/snapshots/{seq}/restore", status_code=202, responses=documented(404, 422, 503))
async def restore(service: The, seq: int) -> models.RestorePlanned:
    """Go back to a snapshot. Nothing is erased: what came after it stays in the journal, on a branch that is left.

    What waits to be learned, and what is fed from now on, is learned on top of the snapshot. The service is not ready, but
    replaying, until its layers are there again.
    """
    if service.state is not State.READY:
        raise Problem(503, service.state.value, f"the service is {service.state.value}", headers={"Retry-After": "5"})
    return models.RestorePlanned(seq=(await _journaled(service, service.request_restore(seq))).seq, snapshot=seq)


@router.get("/livez")
async def livez() -> models.StateAnswer:
    """Whether the process answers."""
    return models.StateAnswer(state="live")


@router.get("/readyz", responses={503: {"model": models.StateAnswer}})
async def readyz(service: The, answer: Response) -> models.StateAnswer:
    """Whether what is fed is learned at once: not while the service starts, replays its journal, goes back or recovers."""
    state = service.state
    answer.status_code = 200 if state is State.READY else 503
    return models.StateAnswer(state=state.value)


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
