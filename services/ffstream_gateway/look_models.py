"""What the live page is answered, as pydantic models."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from ffstream_gateway.last_drift import LastDrift
from ffstream_gateway.models import example

PIXELS = Field(description="one byte a number, row by row, in base64; null where frames are no pictures")

FRAME: list[Any] = [0.0] * 32 + [1.0] * 32


class Feeding(BaseModel):
    """Whether frames and late labels are taken. While paused they are refused with 503 and ``Retry-After``; what was accepted
    is learned all the same. A restart resumes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"paused": False}]})

    paused: StrictBool


class Latency(BaseModel):
    """Seconds that the last answers of ``/classify`` took."""

    answers: int
    p50: float | None = None
    p99: float | None = None


class LayerMeans(BaseModel):
    """Mean goodness of a layer's latest batch of each polarity."""

    positive: float | None = None
    negative: float | None = None


class Moment(BaseModel):
    """What changes from second to second."""

    model_config = example(
        state="ready",
        error=None,
        paused=False,
        at=1767225612.5,
        phase="wake",
        since=1767225600.0,
        owed=50,
        seq=121,
        reader_seq=120,
        classes=10,
        accepted=3000,
        frames=3000,
        waiting=0,
        frames_per_second=412.5,
        accuracy=0.93,
        accuracy_overall=0.88,
        labelled=3000,
        sleeps=23,
        dreams=2875,
        drifts=0,
        last_drift=None,
        layers=[{"positive": 0.13, "negative": -0.18}],
        latency={"answers": 12, "p50": 0.005, "p99": 0.02},
        snapshots=2,
        newest_snapshot=100,
    )

    state: str
    error: str | None = None
    paused: bool
    at: Annotated[float, Field(description="Unix time of this moment")]
    phase: str
    since: Annotated[float, Field(description="Unix time at which this phase began, as far as this process knows")]
    owed: Annotated[int, Field(description="labelled frames since the last sleep")]
    seq: int
    reader_seq: int
    classes: Annotated[int, Field(description="labels known; more as soon as others come, where there is room to grow")]
    accepted: int
    frames: int
    waiting: int
    frames_per_second: float
    accuracy: float | None = None
    accuracy_overall: float | None = None
    labelled: int
    sleeps: int
    dreams: int
    drifts: Annotated[int, Field(description="times that the stream was found to have changed")] = 0
    last_drift: LastDrift | None = None
    layers: list[LayerMeans]
    latency: Latency
    snapshots: int
    newest_snapshot: int | None = None


class Shape(BaseModel):
    """What the page needs to know of the network."""

    model_config = example(
        inputs=64,
        negatives="confused_labels",
        classes=10,
        units=[500],
        side=8,
        not_pictures=None,
        tries_labels=True,
        recurrent=False,
        names=None,
        version="0.1.0",
    )

    inputs: int
    negatives: Annotated[str, Field(description="how dreams are made")]
    classes: int
    units: list[int]
    side: Annotated[int | None, Field(description="pixels along a side of a frame; null where frames are no pictures")] = None
    not_pictures: Annotated[str | None, Field(description="why not")] = None
    tries_labels: Annotated[bool, Field(description="whether layers see labels, and dreams are frames with wrong ones")]
    recurrent: bool
    names: Annotated[list[str] | None, Field(description="of the labels; null where they are numbers")] = None
    version: str


class RecentFrame(BaseModel):
    """A frame that was learned, and what was predicted of it before."""

    id: int
    label: int | None = None
    prediction: int
    probability: float
    outcome: Annotated[str, Field(description="right, wrong or unlabelled")]
    pixels: Annotated[str | None, PIXELS] = None


class CurvePoint(BaseModel):
    """The windowed prequential accuracy when so many labelled frames had been learned."""

    labelled: int
    accuracy: float


class Confusion(BaseModel):
    """How often each label (row) was predicted as each (column), each before its frame was learned."""

    frames: int
    counts: Annotated[list[list[int]] | None, Field(description="null when there are too many labels to show")] = None


class RecentLook(BaseModel):
    """The last frames, newest first, the accuracy's curve and the confusions of the last labelled frames."""

    model_config = example(
        window=500,
        frames=[{"id": 7, "label": 1, "prediction": 0, "probability": 0.6, "outcome": "wrong", "pixels": None}],
        curve=[{"labelled": 25, "accuracy": 0.4}],
        confusion={"frames": 1, "counts": [[0, 0], [1, 0]]},
    )

    window: Annotated[int, Field(description="labelled frames that count for the accuracy and the confusions")]
    frames: list[RecentFrame]
    curve: Annotated[list[CurvePoint], Field(description="since this process began, and not finer than can be seen")]
    confusion: Confusion


class DreamShown(BaseModel):
    """A dream beside the frame that it comes from."""

    id: int
    label: Annotated[int | None, Field(description="of the frame; null where it is not known")] = None
    dreamt: Annotated[int | None, Field(description="the wrong label of the dream; null where labels play no part")] = None
    pixels: Annotated[str | None, PIXELS] = None
    dream: Annotated[str | None, Field(description="as ``pixels``, where the dream is another picture; else null")] = None


class DreamsLook(BaseModel):
    """Some dreams of the last sleep that this process has seen; none before it."""

    model_config = example(seq=121, dreams=[{"id": 7, "label": 1, "dreamt": 0, "pixels": None, "dream": None}])

    seq: int | None = None
    dreams: list[DreamShown]


class LayerRows(BaseModel):
    """Rows of one layer by their goodness: how many fall between two edges."""

    layer: int
    threshold: float
    edges: list[float]
    positives: list[int]
    negatives: list[int]


class GoodnessLook(BaseModel):
    """Goodness of single rows by the weights that classify: the last labelled frames, and the dreams of the last sleep."""

    model_config = example(
        seq=120,
        positives=3,
        negatives=2,
        layers=[{"layer": 1, "threshold": 0.0, "edges": [-0.2, 0.0, 0.2], "positives": [0, 3], "negatives": [2, 0]}],
    )

    seq: int
    positives: int
    negatives: int
    layers: list[LayerRows]


class Unit(BaseModel):
    """What a unit of the first layer looks at."""

    unit: int
    speaks: Annotated[str | None, Field(description="for or against a row, where the goodness has two sides")] = None
    pixels: Annotated[str, Field(description="weights, one byte each in base64: 128 for 0, each unit by its own largest")]


class FieldsLook(BaseModel):
    """Receptive fields of units of the first layer, evenly picked."""

    model_config = example(seq=120, units=[{"unit": 0, "speaks": "for", "pixels": "gICAgA=="}])

    seq: int
    units: list[Unit]


class Question(BaseModel):
    """One frame to be looked at closely; it is not learned."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"frame": FRAME}]})

    frame: Annotated[list[StrictFloat | StrictInt], Field(description="as many numbers as a frame has")]


class Verdict(BaseModel):
    """The answer of one method."""

    label: int
    scores: list[float]
    p_positive: float


class Explained(BaseModel):
    """What every layer makes of a frame with every label, and how it is classified."""

    model_config = example(
        seq=120,
        status="live",
        threshold=0.0,
        goodness=[[-0.1, -0.2], [0.1, 0.3]],
        neutral=[0.0, 0.1],
        by_goodness={"label": 1, "scores": [0.01, 0.99], "p_positive": 0.97},
        one_pass={"label": 1, "scores": [0.1, 0.9], "p_positive": 0.9},
    )

    seq: int
    status: str
    threshold: float
    goodness: Annotated[
        list[list[float]] | None, Field(description="[classes, layers]; null where layers see no labels, and cold")
    ]
    neutral: Annotated[list[float] | None, Field(description="[layers], with the neutral label; null when cold")] = None
    by_goodness: Verdict | None = None
    one_pass: Verdict
