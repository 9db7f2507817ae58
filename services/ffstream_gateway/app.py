"""The application: one service, its routes, and the order in which it opens and closes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

import ffstream
from ffstream_gateway import inference, live, problems, routes, sequences, socket_feed, socket_watch, traces
from ffstream_gateway.access import Access, Gate, describe
from ffstream_gateway.limit import BodyLimit
from ffstream_gateway.looks import Looks
from ffstream_gateway.metrics import Metrics, Timed
from ffstream_gateway.moments import Moments
from ffstream_gateway.origin import SameOrigin
from ffstream_gateway.request_ids import RequestIds
from ffstream_gateway.service import MODEL, Service
from ffstream_gateway.settings import Settings


def create_app(settings: Settings, name: str = MODEL) -> FastAPI:
    """An application that serves the folder of ``settings``.

    Opening: the journal and the newest weights at once, the layers in the background. Closing: take no more frames, learn
        what waits, save, stop the layers.

    Args:
        settings: of the model.
        name: that it goes by.

    Raises:
        ConfigError: when settings and folder do not fit, or others reach the service and it has no keys.
    """
    access = Access(settings)
    service = Service(settings, name)
    metrics = Metrics(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.open()
        service.readers.open()
        yield
        await service.readers.close()
        await run_in_threadpool(service.close)

    app = FastAPI(
        title="ffstream",
        summary="A Forward-Forward network that keeps learning while it serves.",
        version=ffstream.__version__,
        lifespan=lifespan,
        telemetry=traces.telemetry(),
    )
    app.state.access = access
    app.state.service = service
    app.state.metrics = metrics
    app.state.moments = Moments(service, metrics)
    app.state.looks = Looks(service)
    app.state.models = {name: app}
    app.add_middleware(BodyLimit, limit=settings.max_body)
    app.add_middleware(Gate, access=access)
    app.add_middleware(SameOrigin)
    app.add_middleware(Timed, metrics=metrics)
    app.add_middleware(RequestIds)
    problems.install(app)
    app.include_router(routes.router)
    app.include_router(live.router)
    app.include_router(inference.router)
    if service.alphabet is not None:
        app.include_router(sequences.router)
    app.include_router(socket_feed.router)
    app.include_router(socket_watch.router)
    describe(app, access)
    return app
