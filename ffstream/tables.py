"""Tables in CSV files: a line of names, then lines of numbers, in one of whose columns the label is."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffstream.errors import DatasetError

SUFFIX = ".csv"
LARGEST = float(np.finfo(np.float32).max)


def named(name: str) -> tuple[Path, str | None] | None:
    """The file and the label's column that ``name`` stands for, if it stands for a table.

    >>> named("plants.csv:kind")
    (PosixPath('plants.csv'), 'kind')
    >>> named("plants.csv")
    (PosixPath('plants.csv'), None)
    >>> named("plants.npz")
    """
    if name.endswith(SUFFIX):
        return Path(name).expanduser(), None
    file, _, column = name.rpartition(f"{SUFFIX}:")
    return (Path(file + SUFFIX).expanduser(), column) if file else None


Table = tuple[NDArray[np.float32], NDArray[np.int64], tuple[str, ...] | None]


def read(path: Path, column: str | None = None) -> Table:
    """Numbers [rows, columns without the label's], labels [rows], and the labels' names.

    Labels that are all integers from 0 are what they say, without names; others are numbered in the order in which they sort.

    Args:
        path: of the file, in UTF-8.
        column: name of the label's; the last unless given.

    Raises:
        DatasetError: when it is no such table, with the line and the column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            names = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: not a readable CSV file ({error})") from error
    if len(names) < 2 or not rows:
        raise DatasetError(f"{path}: got {len(names)} columns and {len(rows)} rows, expected names of two columns and a row")
    if column is not None and column not in names:
        raise DatasetError(f"{path}: got no column {column!r}, expected one of {names}")
    for line, row in rows:
        if len(row) != len(names):
            raise DatasetError(f"{path}, line {line}: got {len(row)} columns, expected {len(names)}")
    at = len(names) - 1 if column is None else names.index(column)
    x = [[_number(path, line, names[place], cell) for place, cell in enumerate(row) if place != at] for line, row in rows]
    return np.array(x, np.float32), *_labels([_label(path, line, names[at], row[at]) for line, row in rows])


def _number(path: Path, line: int, column: str, cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not abs(number) <= LARGEST:
        raise DatasetError(f"{path}, line {line}, column {column!r}: got {cell!r}, expected a finite number")
    return number


def _label(path: Path, line: int, column: str, cell: str) -> str:
    if not cell.strip():
        raise DatasetError(f"{path}, line {line}, column {column!r}: got nothing, expected a label")
    return cell.strip()


def _labels(cells: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    if all(cell.isascii() and cell.isdigit() and len(cell) < 10 for cell in cells):
        return np.array(cells, np.int64), None
    names, labels = np.unique(cells, return_inverse=True)
    return labels.astype(np.int64), tuple(names.tolist())
