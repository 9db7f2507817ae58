"""Files that hold a little JSON: whole or not there."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ffstream.errors import ConfigError

Made = TypeVar("Made")


def read(path: Path, make: Callable[[dict[str, Any]], Made]) -> Made:
    """What a file describes; every error names the file."""
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ConfigError(f"got {type(found).__name__}, expected an object")
        return make(found)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error


def write(path: Path, data: dict[str, Any], mode: int = 0o666) -> None:
    """The file is there as a whole or not at all; ``mode`` says who may read it, as far as the system's mask lets."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with open(temporary, "w", opener=partial(os.open, mode=mode)) as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
