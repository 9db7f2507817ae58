"""Frames at the border: what is accepted, and how it becomes numbers.

A frame is kept in the type in which it came: ``uint8`` stands for 0 to 1 in steps of 1/255, ``float32`` for itself.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.errors import ShapeError
from ffstream.labels import UNLABELLED

FrameArray = NDArray[Any]
LabelArray = NDArray[np.int64]


def check_frames(frames: Any, inputs: int, symbols: int | None = None) -> FrameArray:
    """Frames as ``[n, inputs]`` of ``uint8`` or finite ``float32``.

    Args:
        frames: what came.
        inputs: numbers in a frame.
        symbols: kinds of symbols that a frame consists of, whatever type of number they came in; they are kept as ``uint8``.

    Raises:
        ShapeError: saying what was got, what was expected and where.
    """
    array = _array(frames, "frames")
    if array.dtype != np.uint8:
        if array.dtype.kind not in "fiub":
            raise ShapeError(f"frames: got type {array.dtype}, expected numbers (uint8 or floating point)")
        with np.errstate(over="ignore"):
            array = array.astype(np.float32, copy=False)
    if array.ndim != 2 or array.shape[1] != inputs:
        raise ShapeError(f"frames: got shape {list(array.shape)}, expected [n, {inputs}]")
    if not len(array):
        raise ShapeError("frames: got none, expected at least one")
    if array.dtype == np.float32 and not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ShapeError(f"frames[{row}][{column}]: got {array[row, column]}, expected a finite number of float32 range")
    return np.ascontiguousarray(array) if symbols is None else _symbols(array, symbols)


def _symbols(array: FrameArray, symbols: int) -> FrameArray:
    bad = np.argwhere((array < 0) | (array >= symbols) | (array != np.floor(array)))
    if len(bad):
        row, column = bad[0]
        raise ShapeError(f"frames[{row}][{column}]: got {array[row, column]}, expected a symbol from 0 to {symbols - 1}")
    return np.ascontiguousarray(array, np.uint8)


def check_late_labels(ids: Any, labels: Any, classes: int) -> tuple[NDArray[np.int64], LabelArray]:
    """Numbers of frames ``[n]`` and their labels ``[n]``, every one known; both int64.

    Raises:
        ShapeError: saying what was got, what was expected and where.
    """
    numbers = _array(ids, "ids")
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or not len(numbers):
        raise ShapeError(f"ids: got {numbers.dtype} {list(numbers.shape)}, expected at least one integer [n]")
    return numbers.astype(np.int64), _labels(labels, len(numbers), 0, classes)


def check_labels(labels: Any, frames: int, classes: int) -> LabelArray:
    """Labels as ``[n]`` of int64, one a frame; None, or -1 in a place, means that the label is not known.

    Raises:
        ShapeError: saying what was got, what was expected and where.
    """
    if labels is None:
        return np.full(frames, UNLABELLED, dtype=np.int64)
    return _labels(labels, frames, UNLABELLED, classes)


def _labels(labels: Any, frames: int, least: int, classes: int) -> LabelArray:
    array = _array(labels, "labels")
    if array.dtype.kind not in "iu":
        raise ShapeError(f"labels: got type {array.dtype}, expected integers")
    if array.shape != (frames,):
        raise ShapeError(f"labels: got shape {list(array.shape)}, expected [{frames}], one label a frame")
    bad = np.flatnonzero((array < least) | (array >= classes))
    if len(bad):
        unknown = f", or {UNLABELLED} for not known" if least == UNLABELLED else ""
        raise ShapeError(f"labels[{bad[0]}]: got {array[bad[0]]}, expected 0 to {classes - 1}{unknown}")
    return array.astype(np.int64, copy=False)


def _array(values: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{name}: not an array: {error}") from error


def to_tensor(frames: FrameArray) -> Tensor:
    """Frames as float32 [n, inputs], in memory of torch's own (its alignment decides floating-point bits)."""
    if frames.dtype == np.uint8:
        return torch.from_numpy(frames.astype(np.float32)) / 255
    return torch.from_numpy(frames.astype(np.float32, copy=True))
