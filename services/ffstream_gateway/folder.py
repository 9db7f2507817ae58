"""What lives in the service's folder beside the stream: the network's configuration, the schedule, the lock."""

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from ffstream.config import LayerConfig, NetworkConfig
from ffstream.datasets import load
from ffstream.errors import ConfigError
from ffstream.schedule import Schedule
from ffstream.video import VideoConfig
from ffstream_gateway.settings import Settings

NETWORK = "network.json"
SCHEDULE = "schedule.json"
LOCK = "lock"

SHAPE = ("inputs", "classes", "units", "batch", "seed", "precision", "ticks", "clip")
"""Settings that make a network what it is; ``inputs`` are the numbers of one picture."""

RECURRENT_DIRECTIONS = 16
"""Directions that a recurrent network's layers treat one by one: it makes many small steps, and more buy nothing."""

Made = TypeVar("Made")


class FolderLock:
    """Held as long as a service uses a folder; the system frees it when the process ends, however it ends.

    Raises:
        ConfigError: when another service holds it, or the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / LOCK).open("w")
        except OSError as error:
            raise ConfigError(f"folder {folder}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ConfigError(f"folder {folder}: another service uses it; give this one another --folder") from error

    def free(self) -> None:
        """Let another service have the folder."""
        self._file.close()


def open_network(settings: Settings) -> NetworkConfig:
    """The folder's network; a new folder gets the one that the settings describe.

    Raises:
        ConfigError: when a setting that was given contradicts the folder's network.
    """
    path = settings.folder / NETWORK
    given = _described(settings)
    if not path.exists():
        network = _network(**given)
        _write(path, network.to_dict())
        return network
    network = _read(path, NetworkConfig.from_dict)
    found = vars(network.layer) | vars(network) | {"inputs": network.pixels} | _moving(network.video)
    for name, value in given.items():
        if name in settings.model_fields_set | _shape_names(settings) and found[name] != value:
            raise ConfigError(f"setting {name}: got {value}, but {path} has {found[name]}; use another --folder")
    return network


def _network(*, precision: str, ticks: int | None, clip: int, inputs: int, **shape: Any) -> NetworkConfig:
    if ticks is None and clip == 1:
        return NetworkConfig(inputs=inputs, **shape, layer=LayerConfig(precision=precision))
    steps = ticks or clip
    read = (-(-steps // 4), steps) if clip > 1 else (-(-steps * 3 // 8), -(-steps * 5 // 8))
    layer = LayerConfig(precision=precision, directions=RECURRENT_DIRECTIONS)
    return NetworkConfig(inputs=inputs * clip, **shape, layer=layer, video=VideoConfig(steps, clip, read=read))


def _moving(video: VideoConfig | None) -> dict[str, int | None]:
    """What the settings call a recurrent network's ticks and a clip's pictures."""
    return {"ticks": None, "clip": 1} if video is None else {"ticks": video.ticks, "clip": video.clip}


def _described(settings: Settings) -> dict[str, Any]:
    """What the settings say of the network, the shape of the data set ``like`` included."""
    described = {name: getattr(settings, name) for name in SHAPE}
    if settings.like is None:
        return described
    data = load(settings.like)
    shape = {"inputs": data.inputs, "classes": data.classes}
    for name in shape.keys() & settings.model_fields_set:
        if described[name] != shape[name]:
            raise ConfigError(f"setting {name}: got {described[name]}, but {settings.like} has {shape[name]}; leave one out")
    return described | shape


def _shape_names(settings: Settings) -> set[str]:
    return {"inputs", "classes"} if settings.like is not None else set()


def open_schedule(settings: Settings) -> Schedule:
    """The schedule that was last put, or the one that the settings describe."""
    path = settings.folder / SCHEDULE
    if path.exists():
        return _read(path, lambda found: Schedule(**found))
    return Schedule(**{field.name: getattr(settings, field.name) for field in fields(Schedule)})


def keep_schedule(folder: Path, schedule: Schedule) -> None:
    """Let the next start find this schedule."""
    _write(folder / SCHEDULE, asdict(schedule))


def _read(path: Path, make: Callable[[dict[str, Any]], Made]) -> Made:
    """What a file describes; every error names the file."""
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ConfigError(f"got {type(found).__name__}, expected an object")
        return make(found)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error


def _write(path: Path, data: dict[str, Any]) -> None:
    """The file is there as a whole or not at all."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
