"""Coloured images with labels: a folder of pictures for every class, or CIFAR-10 as it is distributed.

A frame is a map: all of its red numbers row by row, then the green ones, then the blue ones (see :mod:`ffstream.fields`).
"""

import pickletools
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffstream.errors import DatasetError

PARTS = ("train", "test")
SUFFIXES = {".jpg", ".jpeg", ".png"}
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
FRAME = 3 * 32 * 32
INTEGERS = {"BININT", "BININT1", "BININT2", "INT", "LONG1"}

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Frames [n, 3 * rows * columns] and labels [n]."""


def find(folder: Path) -> tuple[Images, Images, tuple[str, ...] | None] | None:
    """What is there to stream, what to hold out, and the names of the classes if there are any; None when a folder has no such
    images.

    Either ``train/CLASS/*.jpg`` and ``test/CLASS/*.jpg`` (or ``.png``), of which all have the same size, or CIFAR-10's
    ``data_batch_1`` to ``_5`` and ``test_batch``, in its binary or its Python version.

    Raises:
        DatasetError: when something is there and cannot be read.
    """
    if all((folder / part).is_dir() for part in PARTS):
        classes = sorted(each.name for each in (folder / "train").iterdir() if each.is_dir())
        train, test = (_pictures(folder / part, classes) for part in PARTS)
        return train, test, tuple(classes)
    for suffix, read in ((".bin", read_binary), ("", read_batch)):
        paths = [folder / f"{name}{suffix}" for name in (*BATCHES, "test_batch")]
        if all(path.is_file() for path in paths):
            *several, test = [read(path) for path in paths]
            frames, labels = zip(*several, strict=True)
            return (np.concatenate(frames), np.concatenate(labels)), test, None
    return None


def _pictures(folder: Path, classes: list[str]) -> Images:
    """Class by class in turns, so that any stretch of them has about as many of each."""
    files = [sorted(each for each in (folder / name).glob("*") if each.suffix.lower() in SUFFIXES) for name in classes]
    turns = [(path, label) for turn in zip_longest(*files) for label, path in enumerate(turn) if path is not None]
    if not turns:
        raise DatasetError(f"{folder}: expected folders of .jpg or .png files, one for every class of {classes}")
    frames = [_decode(path) for path, _ in turns]
    sizes = {frame.shape for frame in frames}
    if len(sizes) > 1:
        raise DatasetError(f"{folder}: expected pictures of one size, got {sorted(sizes)}")
    return np.stack(frames).reshape(len(frames), -1), np.array([label for _, label in turns])


def _decode(path: Path) -> NDArray[np.uint8]:
    """``[3, rows, columns]``."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DatasetError("pictures are decoded by Pillow: pip install 'ffstream[data]'") from error
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path}: not a readable picture ({error})") from error


def read_binary(path: Path) -> Images:
    """A batch of CIFAR-10's binary version: for every image its label in one byte, then its 3,072 numbers."""
    raw = np.fromfile(path, dtype=np.uint8)
    if not raw.size or raw.size % (1 + FRAME):
        raise DatasetError(f"{path}: got {raw.size} bytes, expected {1 + FRAME} for every image")
    rows = raw.reshape(-1, 1 + FRAME)
    return _checked(path, rows[:, 1:].copy(), rows[:, 0].astype(np.int64))


def read_batch(path: Path) -> Images:
    """A batch of CIFAR-10's Python version, which is a pickle.

    It is not unpickled, for that would run whatever it says: its instructions are only listed, and the numbers of ``labels``
    and the one string that is as long as their images are taken from the list.

    Raises:
        DatasetError: when it has no such things.
    """
    labels: list[int] = []
    texts: list[str | bytes] = []
    at = None
    try:
        for name, value in _instructions(path):
            if isinstance(value, str | bytes):
                texts.append(value)
                at = value if len(value) < FRAME else None
            elif name in INTEGERS and at in ("labels", b"labels"):
                labels.append(int(value))
    except (OSError, ValueError, UnicodeError) as error:
        raise DatasetError(f"{path}: not a readable batch ({error})") from error
    found = [text for text in texts if len(text) == FRAME * len(labels)]
    if len(found) != 1 or not labels:
        raise DatasetError(f"{path}: got {len(labels)} labels and {len(found)} strings of their images, expected one")
    raw = found[0].encode("latin-1") if isinstance(found[0], str) else found[0]
    return _checked(path, np.frombuffer(raw, np.uint8).reshape(-1, FRAME), np.array(labels))


def _instructions(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        for instruction, value, _ in pickletools.genops(file):
            yield instruction.name, value


def _checked(path: Path, frames: NDArray[np.uint8], labels: NDArray[np.int64]) -> Images:
    if labels.min() < 0 or labels.max() > 9:
        raise DatasetError(f"{path}: got labels from {labels.min()} to {labels.max()}, expected 0 to 9")
    return frames, labels
