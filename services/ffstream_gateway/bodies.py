"""Frames in the bodies of requests and in messages: JSON, one JSON object a line, or raw ``.npy`` arrays.

Errors name the place, down to the number or the line.
"""

import functools
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ffstream.errors import ShapeError
from ffstream.labels import UNLABELLED
from ffstream_gateway import at_once
from ffstream_gateway.at_once import LARGEST
from ffstream_gateway.problems import Problem

JSON = "application/json"
NDJSON = "application/x-ndjson"
NPY = "application/x-npy"

LONGEST = 200
"""Characters of a parser's own message that are passed on."""

LONGEST_KEY = 200
"""Characters of an idempotency key."""

MOST_WORDS = 20
"""Names of labels that a refusal lists."""

HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


@dataclass(frozen=True)
class Taken:
    """What a body may hold: frames of ``inputs`` numbers, labels below ``classes``, and ``words`` that stand for labels."""

    inputs: int
    classes: int
    words: Mapping[str, int] = field(default_factory=dict)

    def number(self, label: Any) -> Any:
        """What a word stands for; anything else as it is."""
        return self.words.get(label, label) if isinstance(label, str) else label

    def __str__(self) -> str:
        numbers = f"0 to {self.classes - 1}"
        if not self.words:
            return numbers
        listed = list(self.words)[:MOST_WORDS]
        return f"{', '.join(listed)}{', ...' * (len(listed) < len(self.words))}, or {numbers}"


@dataclass(frozen=True)
class Body:
    """Frames [n, inputs] and, when the request has any, labels [n] with -1 where not known."""

    frames: NDArray[Any]
    labels: NDArray[np.int64] | None


def read(content_type: str, raw: bytes, taken: Taken, *, labels: bool) -> Body:
    """Read a body.

    Args:
        content_type: the request's header.
        raw: the whole body.
        taken: what may be in it.
        labels: whether labels may be in it.

    Raises:
        Problem: 415 for another type, 422 for malformed content.
        ShapeError: for frames or labels of another shape.
    """
    kind = content_type.split(";")[0].strip().lower()
    if kind not in READERS:
        raise Problem(415, "content-type", f"Content-Type: got {kind or 'none'}, expected one of {', '.join(READERS)}")
    if not raw:
        raise Problem(422, "empty", "body: got none, expected at least one frame", place="body")
    return READERS[kind](raw, taken, labels)


def read_message(raw: str | bytes, taken: Taken) -> tuple[Body, str | None]:
    """Read a message: when it is text a JSON object with one frame or with several, when it is binary ``.npy`` arrays, before
    which there may be a line of JSON with a key.

    Returns:
        The frames, and the idempotency key when the message has one.

    Raises:
        Problem: 422 for malformed content.
        ShapeError: for frames or labels of another shape.
    """
    if isinstance(raw, bytes):
        arrays, key = _keyed(raw)
        return read(NPY, arrays, taken, labels=True), key
    content = parse(raw, "message")
    single = isinstance(content, dict) and "frame" in content
    content = members(content, {"frame", "label", "key"} if single else {"frames", "labels", "key"}, "message")
    if not single:
        return _several(content, taken, at_once.has_booleans(raw.encode())), _key(content.get("key"))
    frame, label = _single(content, taken)
    return Body(frame[np.newaxis], np.array([label], np.int64)), _key(content.get("key"))


def begins_with_key(raw: bytes) -> bool:
    """Whether a binary message begins with a line of JSON."""
    return raw.startswith(b"{")


def _keyed(raw: bytes) -> tuple[bytes, str | None]:
    """The arrays of a binary message, and its key."""
    if not begins_with_key(raw):
        return raw, None
    line, _, arrays = raw.partition(b"\n")
    return arrays, _key(members(parse(line, "message"), {"key"}, "message").get("key"))


def _json(raw: bytes, taken: Taken, labelled: bool) -> Body:
    content = members(parse(raw, "body"), {"frames", "labels"} if labelled else {"frames"}, "body")
    return _several(content, taken, at_once.has_booleans(raw))


def _several(content: dict[str, Any], taken: Taken, booleans: bool) -> Body:
    frames, labels = content.get("frames"), content.get("labels")
    if isinstance(frames, list) and isinstance(labels, list | None) and not booleans:
        found = at_once.frames(frames, taken.inputs)
        if found is not None and (body := _labelled(found, labels, taken)) is not None:
            return body
    if not isinstance(frames, list):
        raise Problem(422, "shape", f"frames: got {name_of(frames)}, expected a list of frames", place="frames")
    rows = [_frame(row, taken.inputs, f"frames[{index}]") for index, row in enumerate(frames)]
    if labels is None:
        return Body(_stack(rows, taken.inputs), None)
    if not isinstance(labels, list):
        raise Problem(422, "shape", f"labels: got {name_of(labels)}, expected a list, one label a frame", place="labels")
    known = [label_of(each, taken, f"labels[{index}]") for index, each in enumerate(labels)]
    return Body(_stack(rows, taken.inputs), np.array(known, np.int64))


def _ndjson(raw: bytes, taken: Taken, labelled: bool) -> Body:
    known = {"frame", "label"} if labelled else {"frame"}
    found = None if at_once.has_booleans(raw) else at_once.lines(raw, known, taken.inputs)
    if found is not None and (body := _labelled(*found, taken)) is not None:
        return body
    rows, labels, any_label = [], [], False
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        content = members(parse(line, place), known, place)
        frame, label = _single(content, taken, f"{place}: ")
        rows.append(frame)
        labels.append(label)
        any_label = any_label or "label" in content
    return Body(_stack(rows, taken.inputs), np.array(labels, np.int64) if any_label else None)


def _labelled(frames: NDArray[np.float32], given: list[Any] | None, taken: Taken) -> Body | None:
    """Frames with what is given for their labels, None when something is wrong with that."""
    if given is not None and taken.words:
        given = [taken.number(each) for each in given]
    labels = None if given is None else at_once.labels(given, taken.classes)
    return None if labels is None and given is not None else Body(frames, labels)


def _single(content: dict[str, Any], taken: Taken, place: str = "") -> tuple[NDArray[np.float32], int]:
    frame = _frame(content.get("frame"), taken.inputs, f"{place}frame")
    return frame, label_of(content.get("label"), taken, f"{place}label")


def _npy(raw: bytes, taken: Taken, labelled: bool) -> Body:
    frames, end = _array(raw, 0, "frames", ("n", taken.inputs))
    if end == len(raw):
        return Body(frames, None)
    labels, end = _array(raw, end, "labels", (len(frames),))
    if not labelled:
        raise Problem(422, "unknown-member", "labels: got some, expected frames only", place="labels")
    if end < len(raw):
        raise Problem(422, "npy", f"body: got {len(raw) - end} bytes after the labels, expected the end", place=f"byte {end}")
    if labels.dtype.kind not in "iu":
        raise ShapeError(f"labels: got type {labels.dtype}, expected integers")
    return Body(frames, labels)


READERS: dict[str, Callable[[bytes, Taken, bool], Body]] = {
    JSON: _json,
    NDJSON: _ndjson,
    "application/jsonl": _ndjson,
    NPY: _npy,
    "application/octet-stream": _npy,
}
"""Content types that are understood."""


def _array(raw: bytes, start: int, name: str, expected: tuple[str | int, ...]) -> tuple[NDArray[Any], int]:
    """One ``.npy`` array, which shares the memory of ``raw``, and where it ends.

    Nothing is made of it before the header has been compared with what is expected and what is there.
    """
    try:
        shape, fortran, dtype, length = _header(raw[start : start + _header_length(raw, start)])
    except Exception as error:  # numpy reads the header as Python source and lets through whatever the parser raises
        reason = f"{type(error).__name__}: {error}"[:LONGEST]
        raise Problem(422, "npy", f"{name}: not a .npy array that can be read ({reason})", place=name) from error
    if dtype.kind not in "fiub":
        raise ShapeError(f"{name}: got type {dtype}, expected numbers")
    if not _fits(shape, expected):
        raise ShapeError(f"{name}: got shape {list(shape)}, expected [{', '.join(map(str, expected))}]")
    items, start = math.prod(shape), start + length
    promised, there = dtype.itemsize * items, len(raw) - start
    if there < promised:
        raise Problem(422, "npy", f"{name}: the header promises {promised} bytes, got {there}", place=name)
    return np.frombuffer(raw, dtype, items, start).reshape(shape, order="F" if fortran else "C"), start + promised


def _header_length(raw: bytes, start: int) -> int:
    """Bytes of a header, magic string and all; too few for numpy where there is none."""
    size = 2 if raw[start + 6 : start + 7] == b"\x01" else 4
    return 8 + size + int.from_bytes(raw[start + 8 : start + 8 + size], "little")


@functools.lru_cache(maxsize=64)
def _header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """What a header says, and its length; the same clients send the same ones, and reading one takes longer than the rest."""
    buffer = io.BytesIO(header)
    shape, fortran, dtype = HEADERS[npy_format.read_magic(buffer)](buffer)
    return shape, fortran, dtype, buffer.tell()


def _fits(shape: tuple[int, ...], expected: tuple[str | int, ...]) -> bool:
    """Whether a shape is the expected one, in which a letter stands for any length."""
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(got >= 0 if isinstance(want, str) else got == want for got, want in pairs)


def parse(raw: str | bytes, place: str) -> Any:
    """JSON.

    Raises:
        Problem: 422 when it is none.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(422, "json", f"{place}: not JSON: {error}", place=place) from error


def members(content: Any, known: set[str], place: str) -> dict[str, Any]:
    """A JSON object whose members are all known.

    Raises:
        Problem: 422 when it is none, or has others.
    """
    if not isinstance(content, dict):
        raise Problem(422, "json", f"{place}: got {name_of(content)}, expected an object", place=place)
    unknown = content.keys() - known
    if unknown:
        raise Problem(
            422, "unknown-member", f"{place}: got {sorted(unknown)}, expected members of {sorted(known)}", place=place
        )
    return content


def _frame(values: Any, inputs: int, place: str) -> NDArray[np.float32]:
    """One frame; its numbers are checked one by one only when something is wrong."""
    if not isinstance(values, list):
        raise Problem(422, "shape", f"{place}: got {name_of(values)}, expected a list of {inputs} numbers", place=place)
    if len(values) != inputs:
        raise Problem(422, "shape", f"{place}: got {len(values)} numbers, expected {inputs}", place=place)
    if {type(value) for value in values} <= {int, float}:
        row = np.array(values, dtype=np.float64)
        if (np.abs(row) <= LARGEST).all():
            return row.astype(np.float32)
    for index, value in enumerate(values):
        is_number = type(value) in (int, float)
        if not is_number or not abs(value) <= LARGEST:
            got = value if is_number else name_of(value)
            detail = f"{place}[{index}]: got {got}, expected a finite number of float32 range"
            raise Problem(422, "shape", detail, place=f"{place}[{index}]")
    raise AssertionError("every number was finite")


def label_of(value: Any, taken: Taken, place: str) -> int:
    """The number of a label that may be a word, or null.

    Raises:
        Problem: 422 when it is none.
    """
    if value is None:
        return UNLABELLED
    number = taken.number(value)
    if type(number) is not int or not UNLABELLED <= number < taken.classes:
        told = type(value) in (int, float) or (taken.words and isinstance(value, str))
        got = str(value)[:LONGEST] if told else name_of(value)
        raise Problem(422, "shape", f"{place}: got {got}, expected {taken}, or null for not known", place=place)
    return number


def _key(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= LONGEST_KEY):
        return value
    got = f"{len(value)} characters" if isinstance(value, str) else name_of(value)
    raise Problem(422, "invalid", f"key: got {got}, expected a string of at most {LONGEST_KEY} characters", place="key")


def _stack(rows: list[NDArray[np.float32]], inputs: int) -> NDArray[np.float32]:
    return np.stack(rows) if rows else np.empty((0, inputs), np.float32)


def name_of(value: Any) -> str:
    """What a JSON value is called."""
    names = {type(None): "null", bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
