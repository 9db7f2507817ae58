"""Data sets: scikit-learn's digits, MNIST from IDX files or OpenML, CIFAR-10, other pictures in folders, tables in CSV files,
and any ``.npz`` with ``x`` and ``y``.

Nothing is downloaded but by ``openml:NAME``, which scikit-learn fetches and caches.
"""

import gzip
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffstream import images, tables
from ffstream.errors import DatasetError

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MNIST_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class Dataset:
    """Frames and labels, split into a part to stream and a part held out.

    ``x`` is ``[frames, inputs]``, either ``uint8`` (0 to 255, read as 0 to 1) or ``float32``; ``y`` is ``[frames]`` int64;
    ``names`` are those of the labels, where these are more than numbers.
    """

    name: str
    x: NDArray[np.generic]
    y: NDArray[np.int64]
    x_held: NDArray[np.generic]
    y_held: NDArray[np.int64]
    names: tuple[str, ...] | None = None

    @property
    def inputs(self) -> int:
        """Numbers in a frame."""
        return int(self.x.shape[1])

    @property
    def classes(self) -> int:
        """Number of labels."""
        return int(max(self.y.max(), self.y_held.max())) + 1

    def order(self, passes: int, seed: int | None) -> NDArray[np.int64]:
        """Indices of ``passes`` passes over ``x``, each in a random order of its own, or as ``x`` has it without a seed."""
        if seed is None:
            return np.tile(np.arange(len(self.x)), passes)
        rng = np.random.default_rng(seed)
        return np.concatenate([rng.permutation(len(self.x)) for _ in range(passes)])


def load(name: str) -> Dataset:
    """Load a data set by name.

    Args:
        name: ``"digits"``, ``"openml:NAME"`` (``"openml:mnist_784"``), a folder with the four MNIST IDX files (gzipped or
            not), one with images as :func:`ffstream.images.find` finds them, a table (``"plants.csv"``, or
            ``"plants.csv:kind"`` where the label's column is not the last; see :mod:`ffstream.tables`), or an ``.npz`` file
            with ``x`` and ``y`` and, if it has them, ``x_test`` and ``y_test``. Without a part held out, every fifth frame is.

    Raises:
        DatasetError: when there is nothing of that name, or it is not what it should be.
    """
    if name == "digits":
        return _digits()
    if name.startswith("openml:"):
        return _openml(name.removeprefix("openml:"))
    if (table := tables.named(name)) is not None:
        x, y, names = tables.read(*table)
        return replace(_hold_out(table[0].stem, x, y), names=names)
    path = Path(name).expanduser()
    if path.is_dir():
        if (found := images.find(path)) is None:
            return _mnist(path)
        train, test, names = found
        return replace(_checked(path.name, *train, *test), names=names)
    if path.is_file() and path.suffix == ".npz":
        return _npz(path)
    raise DatasetError(
        f"data set: got {name!r}, expected 'digits', 'openml:NAME', a folder of MNIST IDX files, a .csv or an .npz file"
    )


def _digits() -> Dataset:
    sklearn = _scikit_learn()
    digits = sklearn.load_digits()
    return _hold_out("digits", (digits.data * (255 / 16)).astype(np.uint8), digits.target.astype(np.int64))


def _openml(name: str) -> Dataset:
    sklearn = _scikit_learn()
    try:
        x, y = sklearn.fetch_openml(name, version=1, return_X_y=True, as_frame=False, parser="liac-arff")
    except Exception as error:
        raise DatasetError(f"OpenML data set {name!r}: {error}") from error
    names, labels = np.unique(y, return_inverse=True)
    labels = labels.astype(np.int64)
    if name == "mnist_784":
        x = x.astype(np.uint8)
        return Dataset(name, x[:60_000], labels[:60_000], x[60_000:], labels[60_000:])
    return replace(_hold_out(name, x.astype(np.float32), labels), names=tuple(map(str, names)))


def _mnist(folder: Path) -> Dataset:
    arrays = [read_idx(_either(folder, name)) for name in MNIST_FILES]
    return _checked(folder.name, *arrays)


def _either(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DatasetError(f"{folder}: expected the file {name} or {name}.gz, found neither")


def read_idx(path: Path) -> NDArray[np.generic]:
    """Read one IDX file, gzipped or not.

    The format: two zero bytes, a type byte, the number of axes, one big-endian 32-bit length an axis, then the values.

    Raises:
        DatasetError: when the file is not IDX, or is shorter or longer than its header says.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zero, kind, axes = struct.unpack_from(">HBB", raw)
        shape = struct.unpack_from(f">{axes}I", raw, 4)
        values = np.frombuffer(raw, dtype=IDX_TYPES[kind], offset=4 + 4 * axes)
    except (OSError, EOFError, zlib.error, struct.error, KeyError, ValueError) as error:
        raise DatasetError(f"{path}: not a readable IDX file ({error})") from error
    if zero != 0 or values.size != int(np.prod(shape)):
        raise DatasetError(f"{path}: the header promises {shape} values, the file holds {values.size}")
    return values.reshape(shape)


def _npz(path: Path) -> Dataset:
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
            parts = {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{path}: not a readable .npz file ({error})") from error
    if not {"x", "y"} <= parts.keys():
        raise DatasetError(f"{path}: expected arrays 'x' and 'y', found {sorted(parts)}")
    if {"x_test", "y_test"} <= parts.keys():
        return _checked(path.stem, parts["x"], parts["y"], parts["x_test"], parts["y_test"])
    return _hold_out(path.stem, parts["x"], parts["y"])


def _hold_out(name: str, x: NDArray[np.generic], y: NDArray[np.generic]) -> Dataset:
    frames, labels = _paired(name, x, y)
    held = np.arange(len(frames)) % 5 == 4
    return _checked(name, frames[~held], labels[~held], frames[held], labels[held])


def _checked(
    name: str, x: NDArray[np.generic], y: NDArray[np.generic], x_held: NDArray[np.generic], y_held: NDArray[np.generic]
) -> Dataset:
    frames, labels = _paired(name, x, y)
    frames_held, labels_held = _paired(name, x_held, y_held)
    if frames.shape[1] != frames_held.shape[1]:
        raise DatasetError(f"{name}: frames of {frames.shape[1]} numbers, but held-out ones of {frames_held.shape[1]}")
    return Dataset(name, frames, labels, frames_held, labels_held)


def _paired(name: str, x: NDArray[np.generic], y: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """Frames as [n, inputs] of uint8 or float32, and labels as [n] of int64."""
    if x.ndim < 2 or y.ndim != 1:
        raise DatasetError(f"{name}: got frames {list(x.shape)} and labels {list(y.shape)}, expected [n, ...] and [n]")
    if len(x) != len(y) or not x.size:
        raise DatasetError(f"{name}: got {len(x)} frames and {len(y)} labels, expected as many, and some")
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
        raise DatasetError(f"{name}: labels must be integers from 0, got {y.dtype} from {y.min()}")
    if x.dtype.kind not in "fiub":
        raise DatasetError(f"{name}: frames must be numbers, got {x.dtype}")
    frames = x.reshape(len(x), -1)
    if frames.dtype != np.uint8:
        frames = frames.astype(np.float32)
        if not np.isfinite(frames).all():
            raise DatasetError(f"{name}: frames must be finite numbers of float32 range")
    return frames, y.astype(np.int64)


def _scikit_learn() -> Any:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DatasetError("this data set comes from scikit-learn: pip install 'ffstream[data]'") from error
    return datasets
