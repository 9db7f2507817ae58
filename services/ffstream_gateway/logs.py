"""What the service logs, one line a record on stderr: for people or as JSON, with the request and the event that it belongs to.

Everything logs through :mod:`logging`, the library, uvicorn and Ray included; structlog formats it. ``request_id`` is bound by
:class:`~ffstream_gateway.request_ids.RequestIds`, ``seq`` and ``epoch`` by the thread that learns.
"""

import logging
import sys

import structlog
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name

from ffstream_gateway.settings import Settings

OWN = ("ray",)
"""Loggers whose packages give them a format of their own when they are imported."""


def configure(settings: Settings) -> None:
    """Log as the settings say, from now on."""
    found: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        add_log_level,
        add_logger_name,
        ExtraAdder(),
        _without_rays_own,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    written: list[structlog.typing.Processor]
    if settings.log_format == "json":
        written = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        colors, plain = sys.stderr.isatty(), structlog.dev.plain_traceback
        written = [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    handler = logging.StreamHandler()
    handler.setFormatter(
        ProcessorFormatter(foreign_pre_chain=found, processors=[ProcessorFormatter.remove_processors_meta, *written])
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.captureWarnings(True)
    set_on_retry_hooks([LoggingOnRetryHook])


def _without_rays_own(_: object, __: str, record: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What Ray adds to every record of a program that has imported it: the time once more, in nanoseconds."""
    record.pop("_ray_timestamp_ns", None)
    return record


def adopt() -> None:
    """Let packages that have been imported by now log like all others."""
    for name in OWN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
