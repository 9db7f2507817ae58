"""Several models in one service: they share its address and its Ray, and nothing of what they learn.

Each is an application of its own under ``/models/NAME``, with all that one model alone has; the first is there without a name
too. A table of the settings, ``[models.NAME]``, says of each what is different about it.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from ffstream.errors import ConfigError
from ffstream_gateway import traces
from ffstream_gateway.app import create_app
from ffstream_gateway.problems import Problem
from ffstream_gateway.service import MODEL
from ffstream_gateway.settings import Settings, tell

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
OF_THE_SERVICE = ("host", "port", "max_body", "node_ip", "log_level", "log_format", "models")
"""Settings that all models share."""


def settings_by_model(settings: Settings) -> dict[str, Settings]:
    """The settings of every model: the service's own, but for what its table says.

    A model's folder is that of its name in the service's folder, its archive likewise, and its keys are the service's, unless
    the table says otherwise.

    Raises:
        ConfigError: when a name or a table will not do, or two models would share a folder.
    """
    if not settings.models:
        return {MODEL: settings}
    found = {name: _settings_of(settings, name, table) for name, table in settings.models.items()}
    owners: dict[Path, str] = {}
    for name, each in found.items():
        owner = owners.setdefault(each.folder.absolute(), name)
        if owner != name:
            raise ConfigError(f"setting models.{name}.folder: is that of {owner}; every model has one of its own")
    return found


class _Given(Settings):
    """Settings from what is given and nothing else."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags only."""
        return (init_settings,)


def _settings_of(settings: Settings, name: str, table: Mapping[str, Any]) -> Settings:
    place = f"models.{name}"
    if not NAME.fullmatch(name):
        raise ConfigError(f"setting models: got {name[:100]!r}, expected a name of small letters, digits and hyphens")
    for shared in OF_THE_SERVICE:
        if shared in table:
            raise ConfigError(f"setting {place}.{shared}: is the service's; a model has none of its own")
    said = {each: getattr(settings, each) for each in settings.model_fields_set if each != "models"}
    own: dict[str, Any] = {"folder": settings.folder / name, "keys": settings.keys_file}
    if settings.archive is not None:
        own["archive"] = f"{settings.archive.rstrip('/')}/{name}"
    try:
        return _Given(**{**said, **own, **table})
    except ValidationError as error:
        raise ConfigError("; ".join(tell(each, place) for each in error.errors())) from error


def create_service(settings: Settings) -> FastAPI:
    """An application of all models that the settings name, or of one.

    Raises:
        ConfigError: as :func:`~ffstream_gateway.app.create_app` and :func:`settings_by_model` do.
    """
    apps = {name: create_app(each, name) for name, each in settings_by_model(settings).items()}
    for app in apps.values():
        app.state.models = apps

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    service = FastAPI(routes=_routes(apps), openapi_url=None, lifespan=lifespan, telemetry=traces.telemetry())
    service.state.models = apps
    return service


def _routes(apps: Mapping[str, FastAPI]) -> list[BaseRoute]:
    """By name, by name in the Open Inference Protocol, and the first one for everything else."""
    routes: list[BaseRoute] = []
    for name, app in apps.items():
        routes += [Route(f"/models/{name}", _to_its_page), Mount(f"/models/{name}", app)]
        routes += [Route(f"/v2/models/{name}", app), Route(f"/v2/models/{name}/{{rest:path}}", app)]
    unknown, default = _Unknown(tuple(apps)), next(iter(apps.values()))
    return [*routes, Route("/models/{name}", unknown), Route("/models/{name}/{rest:path}", unknown), Mount("/", default)]


async def _to_its_page(request: Request) -> Response:
    """What a page asks for is beside it, below the model's name."""
    return RedirectResponse(f"{request.url.path}/")


class _Unknown:
    """Answers who asks for a model that there is not."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["name"]
        problem = Problem(404, "unknown-model", f"model: got {name[:100]}, expected {' or '.join(self._names)}", place="name")
        await problem.answer(scope["path"])(scope, receive, send)
