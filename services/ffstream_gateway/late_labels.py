"""Late labels as people write them: ``ID=LABEL`` on a command line, lines of CSV or NDJSON in a file."""

import json
from collections.abc import Iterable

HEADER = "id,label"
"""A first line of CSV that is passed over."""

Pair = tuple[int, int]
"""A frame's number and its label."""


def from_arguments(given: Iterable[str]) -> list[Pair]:
    """Pairs from arguments like ``12=3``.

    Raises:
        ValueError: naming the first that is none.
    """
    return [_pair(text.split("="), f"got {text!r}, expected ID=LABEL like 12=3") for text in given]


def from_lines(lines: Iterable[str]) -> list[Pair]:
    """Pairs from lines like ``12,3`` or ``{"id": 12, "label": 3}``; blank ones and a header are passed over.

    Raises:
        ValueError: naming the first line that is neither.
    """
    pairs = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or (number == 1 and text.replace(" ", "").lower() == HEADER):
            continue
        refusal = f'line {number}: got {text[:80]!r}, expected ID,LABEL or {{"id": ID, "label": LABEL}}'
        pairs.append(_pair(_members(text) if text.startswith("{") else text.split(","), refusal))
    return pairs


def _members(text: str) -> list[str]:
    try:
        found = json.loads(text)
        return [str(found["id"]), str(found["label"])] if len(found) == 2 else []
    except (ValueError, KeyError):
        return []


def _pair(parts: list[str], refusal: str) -> Pair:
    try:
        number, label = map(int, parts)
    except ValueError as error:
        raise ValueError(refusal) from error
    return number, label
