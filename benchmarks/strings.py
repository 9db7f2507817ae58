"""Strings of a text: some to learn, some to choose by, some for the end (paper section 4.1)."""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffstream.alphabet import LETTERS
from ffstream.datasets import Dataset
from ffstream.seeds import keyed
from ffstream.sequence import CONTEXT
from ffstream.symbols import windows

STRINGS = 248
LENGTH = 100
"""The paper's: strings, and characters in each, the first of which are only context."""

NOTHING = ";"
"""What stands for the symbols before a string: a row of it looks like nothing that is written."""

PARTS = ("learned", "validation", "test")

Symbols = NDArray[np.uint8]


def tales(text: str) -> str:
    """The text without its titles, which are lines in capitals."""
    lines = (line for line in text.splitlines() if line.upper() != line or not any(map(str.isalpha, line)))
    return "\n".join(lines)


@functools.cache
def strings(path: str) -> dict[str, Symbols]:
    """Strings [strings, length] by part, drawn from all that the text can be cut into.

    Raises:
        ValueError: when the text is too short.
    """
    symbols = LETTERS.encode(tales(Path(path).read_text(encoding="utf-8-sig")))
    cut = symbols[: len(symbols) // LENGTH * LENGTH].reshape(-1, LENGTH)
    if len(cut) < STRINGS * len(PARTS):
        raise ValueError(f"{path}: got {len(cut)} strings of {LENGTH} characters, expected {STRINGS * len(PARTS)}")
    order = keyed(0, "strings").permutation(len(cut))
    return {part: cut[order[at * STRINGS : (at + 1) * STRINGS]] for at, part in enumerate(PARTS)}


def asked(given: Symbols, window: int = CONTEXT) -> tuple[Symbols, NDArray[np.int64]]:
    """Windows [n, window] of strings and what follows each [n]; none reaches from one string into the next.

    The first ten symbols of a string are never asked for. A window that is longer than they are begins before the string, where
    there is nothing but :data:`NOTHING`.
    """
    x, y = zip(*_each(given, window), strict=True)
    return np.concatenate(x), np.concatenate(y)


def _each(given: Symbols, window: int) -> Iterator[tuple[Symbols, NDArray[np.int64]]]:
    before = np.full(max(window - CONTEXT, 0), LETTERS.encode(NOTHING)[0])
    for string in given:
        yield windows(np.concatenate([before, string[max(CONTEXT - window, 0) :]]), window)


def part_of(path: str, part: str, window: int = CONTEXT) -> Dataset:
    """The windows of the strings that are learned, with those of another part held out."""
    found = strings(path)
    return Dataset(Path(path).name, *asked(found["learned"], window), *asked(found[part], window))
