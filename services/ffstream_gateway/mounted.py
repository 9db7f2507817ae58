"""Where an application is, below the address of the service."""

import re
from collections.abc import Mapping
from typing import Any

MODEL_OF = re.compile(r"^/models/[^/]+(?=/)")
"""The beginning of a path that names its model."""


def route_path(scope: Mapping[str, Any]) -> str:
    """The path of a request within its application, wherever that is mounted; ``scope`` is ASGI's."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
