"""The live page, and what it looks at."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse

import ffstream
from ffstream.errors import FFStreamError
from ffstream_gateway import look_models as models
from ffstream_gateway.looks import Looks
from ffstream_gateway.moments import Moments
from ffstream_gateway.problems import Problem, documented, refuse
from ffstream_gateway.routes import The

PAGE = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
HEADERS = {
    "Content-Security-Policy": POLICY + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Of every file of the page: it runs what comes from this service and nothing else."""

router = APIRouter()


async def the_moments(request: Request) -> Moments:
    """The moments of the application's service."""
    moments: Moments = request.app.state.moments
    return moments


async def room_to_listen(request: Request) -> Moments:
    """The moments, when one more may listen to them."""
    moments = await the_moments(request)
    moments.require_room()
    return moments


async def the_looks(request: Request) -> Looks:
    """What can be looked at of the application's service."""
    looks: Looks = request.app.state.looks
    return looks


LooksAt = Annotated[Looks, Depends(the_looks)]


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The live page."""
    return FileResponse(PAGE / "index.html", headers=HEADERS, media_type=TYPES[".html"])


@router.get("/page/{name}", include_in_schema=False)
async def part(name: str) -> FileResponse:
    """A file of the live page."""
    file = next((each for each in PAGE.iterdir() if each.name == name and each.suffix in TYPES), None)
    if file is None:
        raise Problem(404, "not-found", f"GET /page/{name}: the page has no such file")
    return FileResponse(file, headers=HEADERS, media_type=TYPES[file.suffix])


@router.get("/events", response_class=EventSourceResponse, responses=documented(503))
async def events(request: Request, moments: Annotated[Moments, Depends(room_to_listen)]) -> AsyncIterator[models.Moment]:
    """Server-sent events: what changes, once a second, until the service stops, the client leaves, or its key is removed."""
    async for moment in moments.listen():
        with suppress(Problem):
            request.app.state.access.check(request.scope)
            yield moment
            continue
        return


@router.get("/moment")
def moment(moments: Annotated[Moments, Depends(the_moments)]) -> models.Moment:
    """One of the moments that ``/events`` sends."""
    return moments.now()


@router.get("/shape")
def shape(looks: LooksAt) -> models.Shape:
    """What the network takes and gives, and whether its frames are pictures."""
    return looks.shape(ffstream.__version__)


@router.get("/recent")
def recent(looks: LooksAt) -> models.RecentLook:
    """The last frames, with what was predicted of them before they were learned, and what that comes to."""
    return looks.recent()


@router.get("/dreams")
def dreams(looks: LooksAt) -> models.DreamsLook:
    """Dreams of the last sleep beside the frames that they come from."""
    return looks.dreams()


@router.get("/goodness")
def goodness(looks: LooksAt) -> models.GoodnessLook:
    """How the goodness of single rows is spread in every layer: of the last labelled frames, and of the last dreams."""
    return looks.goodness()


@router.get("/fields")
def fields(looks: LooksAt) -> models.FieldsLook:
    """Receptive fields of the first layer."""
    return looks.fields()


@router.post("/explain", responses=documented(413, 422))
def explain(service: The, looks: LooksAt, question: models.Question) -> models.Explained:
    """Goodness of a frame with every label, layer by layer, by the newest published weights. Never learns."""
    try:
        return looks.explain(question.frame)
    except FFStreamError as error:
        raise refuse(error, service.wait_seconds()) from error


@router.get("/feeding")
async def feeding(service: The) -> models.Feeding:
    """Whether frames are taken."""
    return models.Feeding(paused=service.paused)


@router.put("/feeding", responses=documented(413, 422))
async def put_feeding(service: The, wanted: models.Feeding) -> models.Feeding:
    """Pause or resume the feeding.

    While paused every way to bring frames or late labels answers 503 with ``Retry-After``. What was accepted before is learned,
    sleep comes when it is due, questions are answered. A restart resumes.
    """
    service.paused = wanted.paused
    return wanted
