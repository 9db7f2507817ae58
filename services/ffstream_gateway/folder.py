"""What lives in the service's folder beside the stream: the network's configuration, the schedule, the lock."""

import fcntl
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from ffstream import tables
from ffstream.alphabet import TOKENS, Alphabet, alphabet
from ffstream.config import NetworkConfig
from ffstream.datasets import load
from ffstream.errors import ConfigError
from ffstream.layer_config import RECURRENT, UNSUPERVISED, UNSUPERVISED_READOUT, LayerConfig
from ffstream.precision import AUTO
from ffstream.schedule import Schedule
from ffstream.sequence import LAYER, sequence_network
from ffstream.video import VideoConfig
from ffstream_gateway.files import read, write
from ffstream_gateway.settings import Settings

NETWORK = "network.json"
SCHEDULE = "schedule.json"
ALPHABET = "alphabet.json"
LABELS = "labels.json"
LOCK = "lock"

SHAPE = ("task", "inputs", "classes", "units", "batch", "seed", "precision", "standardize", "ticks", "clip")
"""Settings that make a network what it is; ``inputs`` are the numbers of one picture."""

SEQUENCE_BATCH = 100
SEQUENCE_EVERY = 1000
"""Windows of a sequence in a micro-batch and in a day, unless they are given."""

RECURRENT_STRENGTH = 1.5
"""Length of the label's vector, as a share of a layer's state, above a recurrent network."""


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
    given, names = _described(settings)
    if not path.exists():
        network = _told_more(_network(**given), settings.network)
        if network.symbols is not None:
            write(settings.folder / ALPHABET, {"alphabet": settings.alphabet})
        if names is not None:
            write(settings.folder / LABELS, {"names": names})
        write(path, network.to_dict())
        return network
    network = read(path, NetworkConfig.from_dict)
    found = vars(network.layer) | vars(network) | {"inputs": network.pixels, "task": _task(network)} | _moving(network.video)
    if given["precision"] == AUTO:
        given["precision"] = network.layer.precision
    for name, value in given.items():
        if name in settings.model_fields_set | _shape_names(settings) and found[name] != value:
            raise ConfigError(f"setting {name}: got {value}, but {path} has {found[name]}; use another --folder")
    if _told_more(network, settings.network) != network:
        raise ConfigError(f"setting network: got {settings.network}, but {path} has another one; use another --folder")
    return network


def _told_more(network: NetworkConfig, table: Mapping[str, Any]) -> NetworkConfig:
    """The network with what the table of its constants says."""
    for name in SHAPE:
        if name in table or name in table.get("layer", {}):
            raise ConfigError(f"setting network: got {name}, which is a setting by itself")
    return NetworkConfig.from_dict(_merged(network.to_dict(), table)) if table else network


def _merged(plain: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    inner = {name: _merged(plain.get(name) or {}, value) for name, value in table.items() if isinstance(value, Mapping)}
    return {**plain, **table, **inner}


def _network(
    *, task: str, precision: str, ticks: int | None, clip: int, inputs: int, classes: int, **shape: Any
) -> NetworkConfig:
    if task == "sequence":
        return sequence_network(classes, inputs, layer=replace(LAYER, precision=precision), **shape)
    if task == "unsupervised":
        layer = replace(UNSUPERVISED, precision=precision)
        return NetworkConfig(inputs, classes, **shape, layer=layer, readout=UNSUPERVISED_READOUT, negatives="hybrid_frames")
    if ticks is None and clip == 1:
        return NetworkConfig(inputs, classes, **shape, layer=LayerConfig(precision=precision))
    steps = ticks or clip
    read = (-(-steps // 4), steps) if clip > 1 else (-(-steps * 3 // 8), -(-steps * 5 // 8))
    layer, video = replace(RECURRENT, precision=precision), VideoConfig(steps, clip, read=read)
    return NetworkConfig(inputs * clip, classes, **shape, layer=layer, video=video, label_strength=RECURRENT_STRENGTH)


def _moving(video: VideoConfig | None) -> dict[str, int | None]:
    """What the settings call a recurrent network's ticks and a clip's pictures."""
    return {"ticks": None, "clip": 1} if video is None else {"ticks": video.ticks, "clip": video.clip}


def _task(network: NetworkConfig) -> str:
    if network.symbols is not None:
        return "sequence"
    return "frames" if network.wrong_labels else "unsupervised"


def open_alphabet(settings: Settings, network: NetworkConfig) -> Alphabet | None:
    """What the folder's network reads text with; None when it does not learn sequences.

    Raises:
        ConfigError: when another alphabet was given.
    """
    if network.symbols is None:
        return None
    path = settings.folder / ALPHABET
    name = read(path, lambda found: str(found["alphabet"])) if path.exists() else f"{TOKENS}{network.symbols}"
    if "alphabet" in settings.model_fields_set and settings.alphabet != name:
        raise ConfigError(f"setting alphabet: got {settings.alphabet}, but {path} has {name}; use another --folder")
    return alphabet(name)


def open_names(settings: Settings) -> list[str] | None:
    """What the data set that the folder's network was made like called its labels; None where they are numbers."""
    path = settings.folder / LABELS
    return read(path, lambda found: list(map(str, found["names"]))) if path.exists() else None


def _described(settings: Settings) -> tuple[dict[str, Any], Sequence[str] | None]:
    """What the settings say of the network, the shape of the data set ``like`` included, and what that calls its labels."""
    described = {name: getattr(settings, name) for name in SHAPE}
    if settings.task == "sequence":
        of_frames = ("like", "inputs", "classes", "max_classes", "standardize", "ticks", "clip")
        _refuse(settings, of_frames, "a sequence has an alphabet and a context")
        shape = {"inputs": settings.context, "classes": alphabet(settings.alphabet).size}
        batch = settings.batch if "batch" in settings.model_fields_set else SEQUENCE_BATCH
        return described | shape | {"batch": batch}, None
    _refuse(settings, ("alphabet", "context"), "only --task sequence has one")
    if settings.task == "unsupervised":
        _refuse(settings, ("ticks", "clip"), "a recurrent network needs labels")
    if settings.like is None:
        return described, None
    data = load(settings.like)
    shape = {"inputs": data.inputs, "classes": data.classes}
    if "standardize" not in settings.model_fields_set:
        described["standardize"] = tables.named(settings.like) is not None
    for name in shape.keys() & settings.model_fields_set:
        if described[name] != shape[name]:
            raise ConfigError(f"setting {name}: got {described[name]}, but {settings.like} has {shape[name]}; leave one out")
    return described | shape, data.names


def _refuse(settings: Settings, names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if name in settings.model_fields_set:
            raise ConfigError(f"setting {name}: got {getattr(settings, name)}, but {reason}")


def _shape_names(settings: Settings) -> set[str]:
    """What other settings than their own say of the network's shape."""
    if settings.like is not None:
        return {"inputs", "classes"}
    return {"inputs"} if "context" in settings.model_fields_set else set()


def open_schedule(settings: Settings, network: NetworkConfig) -> Schedule:
    """The schedule that was last put, or the one that the settings describe.

    When they do not say how long a day is, one of sequences is longer, and one of a recurrent network a micro-batch: the ticks
    of one are a phase by themselves.
    """
    path = settings.folder / SCHEDULE
    if path.exists():
        return read(path, lambda found: Schedule(**found))
    described = {field.name: getattr(settings, field.name) for field in fields(Schedule)}
    if "every" not in settings.model_fields_set and network.symbols is not None:
        described["every"] = SEQUENCE_EVERY
    elif "every" not in settings.model_fields_set and network.video is not None:
        described["every"] = network.batch
    return Schedule(**described)


def keep_schedule(folder: Path, schedule: Schedule) -> None:
    """Let the next start find this schedule."""
    write(folder / SCHEDULE, asdict(schedule))
