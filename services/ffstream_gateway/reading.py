"""A text as a service that learns sequences reads it."""

from pathlib import Path

from ffstream.alphabet import alphabet
from ffstream.client import Status
from ffstream.datasets import Dataset
from ffstream.errors import ConfigError
from ffstream.symbols import windows


def text_for(status: Status, path: Path) -> Dataset:
    """A text as the windows, in order, that a service learns which says ``status``.

    Raises:
        ConfigError: when the service does not learn sequences.
        ShapeError: when the text is shorter than a window.
    """
    if status.alphabet is None:
        raise ConfigError("the service learns frames of numbers: a text is for `ffstream serve --task sequence`")
    x, y = windows(alphabet(status.alphabet).encode(path.read_text(encoding="utf-8-sig")), status.network["inputs"])
    return Dataset(path.name, x, y, x[:0], y[:0])
