"""Answers of the service, as frozen dataclasses.

Members of an answer that are not known here are passed over, so that a client may be older than its service.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ffstream.client.errors import AnswerError, RefusedError

A = TypeVar("A")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Accepted:
    """Frames that will be learned, come what may.

    ``first`` to ``last`` are their numbers; ``repeated`` says whether an earlier request had the same idempotency key,
    ``waiting`` how many accepted frames are not under way yet.
    """

    first: int
    last: int
    frames: int
    repeated: bool
    waiting: int


@dataclass(frozen=True, eq=False)
class Classification:
    """Labels [n] of frames, with scores [n, classes] that add up to 1.

    ``p_positive`` [n] says how probably each frame is one to be seen; the less, the stranger. ``seq`` is the event up to which
    the weights had learned, ``status`` is ``cold`` before anything was learned, else ``live``; ``names`` are the labels',
    where they have any.
    """

    labels: Integers
    scores: Floats
    p_positive: Floats
    method: str
    seq: int
    status: str
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Prediction:
    """What was thought most probable of a frame before event ``seq`` learned it."""

    label: int
    probability: float
    seq: int


@dataclass(frozen=True)
class Frame:
    """What has become of a frame: ``queued``, ``learned``, or ``abandoned`` on a branch that a restore has left.

    ``taught_as`` is the number of the frame that repeats it with its late label, ``repeats`` of the one whose it teaches.
    """

    id: int
    state: str
    label: int | None = None
    taught_as: int | None = None
    repeats: int | None = None
    prediction: Prediction | None = None


@dataclass(frozen=True)
class Schedule:
    """When the network sleeps: after ``every`` labelled frames, after ``idle`` seconds without any; None for never.

    ``cycle`` n alternates n batches of replayed positives with n of dreams; ``enough`` is the share of rows still learned from
    that ends a phase before its time.
    """

    every: int | None
    idle: float | None
    dreams_per_frame: float = 1.0
    cycle: int = 0
    enough: float | None = None


@dataclass(frozen=True)
class SleepPlanned:
    """A sleep that is journaled and will be slept."""

    seq: int
    dreams: int
    reason: str


@dataclass(frozen=True)
class LastSleep:
    """The latest sleep in the journal, of Unix time ``at``."""

    seq: int
    reason: str
    dreams: int
    at: float


@dataclass(frozen=True)
class SleepState:
    """Whether the network sleeps, and how many labelled frames it ``owed`` sleep for."""

    phase: str
    owed: int
    sleeps: int
    dreams: int
    last: LastSleep | None
    schedule: Schedule


@dataclass(frozen=True)
class PolarityReport:
    """What a layer's latest batch of one polarity looked like; ``taught`` is the share of rows that still taught something."""

    goodness: float
    p_positive: float
    taught: float


@dataclass(frozen=True)
class LayerState:
    """A layer, counted from 1."""

    layer: int
    positive: PolarityReport | None
    negative: PolarityReport | None


@dataclass(frozen=True)
class Drift:
    """A change of the stream that was found at Unix time ``at``, ``frames`` labelled frames after it came.

    ``before`` and ``since`` are the shares of wrong predictions; ``reaction`` is what was done: tell, sleep or forget.
    """

    seq: int
    at: float
    frames: int
    before: float
    since: float
    reaction: str


@dataclass(frozen=True)
class Status:
    """What the service is doing and has learned.

    ``accuracy`` is of the last 500 labelled frames, ``accuracy_overall`` of all, each predicted before it was learned. Frames
    up to ``through`` are learned, or abandoned by a restore; ``reader_seq`` is the event up to which the weights that classify
    have learned. ``network`` has what :class:`ffstream.NetworkConfig` has; labels below ``max_classes`` are taken, which may be
    more than it knows; ``alphabet`` is what text is read with, if at all; ``names`` are those of the labels, if they have any.
    """

    state: str
    seq: int
    accepted: int
    frames: int
    through: int
    waiting: int
    labelled: int
    phase: str
    accuracy: float | None
    accuracy_overall: float | None
    dreams: int
    sleeps: int
    frames_per_second: float
    reader_seq: int
    layers: tuple[LayerState, ...]
    network: dict[str, Any]
    version: str
    error: str | None
    alphabet: str | None = None
    names: tuple[str, ...] | None = None
    paused: bool = False
    drifts: int = 0
    last_drift: Drift | None = None
    max_classes: int | None = None


@dataclass(frozen=True)
class SnapshotPlanned:
    """A snapshot whose place in the journal is known; it is whole a little later."""

    seq: int


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that is whole. ``abandoned`` ones have been left behind by a restore, and can still be restored."""

    seq: int
    frames: int
    accuracy: float | None
    parts: tuple[str, ...]
    torch: str
    abandoned: bool


@dataclass(frozen=True)
class RestorePlanned:
    """A restore that is journaled: what is learned from event ``seq`` on goes on from the snapshot."""

    seq: int
    snapshot: int


@dataclass(frozen=True)
class Feeding:
    """Whether frames are refused until somebody resumes the feeding."""

    paused: bool


@dataclass(frozen=True, eq=False)
class Verdict:
    """The answer of one method, with scores [classes]."""

    label: int
    scores: Floats
    p_positive: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """What every layer makes of a frame.

    ``goodness`` [classes, layers] is None where layers see no labels, ``neutral`` [layers] is with the neutral label; both are
    None before anything was learned. A layer is undecided at ``threshold``.
    """

    seq: int
    status: str
    threshold: float
    goodness: Floats | None
    one_pass: Verdict
    neutral: Floats | None = None
    by_goodness: Verdict | None = None


@dataclass(frozen=True, eq=False)
class NextSymbol:
    """How probable every symbol is next: ``text`` has them, ``p`` [symbols] their probabilities."""

    text: tuple[str, ...]
    p: Floats
    seq: int
    status: str


@dataclass(frozen=True, eq=False)
class Generated:
    """What the network went on to say, as text and as symbols, without what it began with."""

    text: str
    symbols: Integers
    seq: int
    status: str


@dataclass(frozen=True)
class Clips:
    """What a service takes that watches clips: pictures of so many ``pixels``, so many to a ``clip``."""

    pixels: int
    clip: int


@dataclass(frozen=True, eq=False)
class Seen:
    """What the pictures of a clip up to this ``tick`` look most like, and the ``scores`` [classes] of all labels.

    ``name`` is the label's, where it has any; ``accepted`` is there when the clip was over and is to be learned.
    """

    tick: int
    label: int
    scores: Floats
    seq: int
    status: str
    accepted: Accepted | None = None
    name: str | None = None


def read(raw: bytes | str, kind: type[A]) -> A:
    """An answer in JSON as what it is.

    Raises:
        msgspec.DecodeError: when it is something else; says what is missing, or where.
    """
    return msgspec.json.decode(raw, type=kind, dec_hook=_array)


def spoken(raw: bytes | str, kind: type[A]) -> A:
    """A message of a WebSocket as what it is.

    Raises:
        AnswerError: when it is something else.
    """
    try:
        return read(raw, kind)
    except msgspec.DecodeError as error:
        raise AnswerError(f"got {raw[:200]!r} over the WebSocket, which this client cannot read ({error})") from error


def understood(raw: bytes | str, kind: type[A]) -> A:
    """As :func:`spoken`, where the service may say instead that it refuses.

    Raises:
        RefusedError: when it does.
    """
    content = spoken(raw, dict[str, Any])
    if "detail" in content:
        raise RefusedError(int(content.get("status", 0)), content, content.get("retry_after"))
    return spoken(raw, kind)


def to_json(answer: Any) -> str:
    """An answer, or something with answers in it, as one line of JSON."""
    return msgspec.json.encode(answer, enc_hook=_list).decode()


def _array(kind: Any, values: Any) -> NDArray[Any]:
    """The array that a field of type ``kind`` is declared as: the last of its arguments is its type of number."""
    try:
        return np.asarray(values, dtype=kind.__args__[1].__args__[0])
    except (TypeError, ValueError) as error:
        raise ValueError(f"not an array: {error}") from error


def _list(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no JSON")
