"""Answers, as pydantic models, with the examples that the OpenAPI page shows."""

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StrictFloat, StrictInt
from pydantic_core import PydanticCustomError

from ffstream.labels import UNLABELLED
from ffstream.layer import LayerReport
from ffstream.polarity import Polarity
from ffstream.progress import ProgressFold
from ffstream.schedule import LONGEST_CYCLE, Schedule
from ffstream.stream.events import Recorded, Sleep
from ffstream.stream.snapshot import Manifest
from ffstream.stream.stream import Stream
from ffstream_gateway.last_drift import LastDrift, last_drift
from ffstream_gateway.service import Service

SCHEDULE: dict[str, Any] = {"every": 1000, "idle": 5.0, "dreams_per_frame": 1.0, "cycle": 0, "enough": None}
REPORT = {"goodness": 1.07, "p_positive": 0.97, "taught": 0.2}


def example(**values: Any) -> ConfigDict:
    """A model's configuration, with the example that the OpenAPI page shows."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class Accepted(BaseModel):
    """Frames that will be learned, come what may."""

    model_config = example(first=1, last=2, frames=2, repeated=False, waiting=2)

    first: int
    last: int
    frames: int
    repeated: Annotated[bool, Field(description="whether an earlier request had the same idempotency key")]
    waiting: Annotated[int, Field(description="accepted frames that are not under way yet")]


def _number_or_name(label: Any) -> int | str:
    if type(label) is str or (type(label) is int and 0 <= label <= 2**53):
        return label
    raise PydanticCustomError("label", "expected a label from 0 on, or its name")


class LateLabel(BaseModel):
    """The label of a frame that came without one."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[StrictInt, Field(ge=1, le=2**53, description="the frame's number, from the answer to its feed")]
    label: Annotated[int | str, PlainValidator(_number_or_name, int | str), Field(description="or its name, if it has one")]


class LateLabels(BaseModel):
    """Labels of frames that were fed before."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"labels": [{"id": 2, "label": 3}]}]})

    labels: Annotated[list[LateLabel], Field(min_length=1)]


class PredictionModel(BaseModel):
    """What was thought most probable of a frame before it was learned."""

    label: int
    probability: float
    seq: Annotated[int, Field(description="event that learned the frame")]


class FrameState(BaseModel):
    """What has become of a frame."""

    model_config = example(
        id=12, state="learned", label=3, taught_as=240, prediction={"label": 5, "probability": 0.61, "seq": 2}
    )

    id: int
    state: Annotated[str, Field(description="queued, learned, or abandoned: on a branch that a restore has left")]
    label: Annotated[int | None, Field(description="null while it is not known")] = None
    taught_as: Annotated[int | None, Field(description="number of the frame that repeats this one with its late label")] = None
    repeats: Annotated[int | None, Field(description="number of the frame whose late label this one teaches")] = None
    prediction: PredictionModel | None = None


class Classified(BaseModel):
    """Labels and scores [frames, classes], with the version of the weights that gave them."""

    model_config = example(labels=[1], scores=[[0.2, 0.8]], p_positive=[0.97], method="goodness", seq=120, status="live")

    labels: list[int]
    scores: list[list[float]]
    p_positive: Annotated[
        list[float], Field(description="how probably each frame is one to be seen, with its label; the less, the stranger")
    ]
    method: str
    seq: Annotated[int, Field(description="event up to which these weights have learned")]
    status: Annotated[str, Field(description="cold before anything was learned: all labels score the same")]
    names: Annotated[list[str] | None, Field(description="of the labels, where they have any")] = None


class SleepRequest(BaseModel):
    """How long to sleep."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"dreams": 500}, {}]})

    dreams: Annotated[StrictInt | None, Field(gt=0, le=10_000_000, description="negatives; null for what is owed")] = None


class SleepPlanned(BaseModel):
    """A sleep that is journaled and will be slept."""

    model_config = example(seq=121, dreams=500, reason="request")

    seq: int
    dreams: int
    reason: str


class ScheduleModel(BaseModel):
    """When the network sleeps: after ``every`` labelled frames, after ``idle`` seconds without any, when phases have taught
    ``enough``, or on request only."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [SCHEDULE]})

    every: Annotated[StrictInt | None, Field(ge=1, description="labelled frames; null for never")]
    idle: Annotated[StrictFloat | None, Field(gt=0, allow_inf_nan=False, description="seconds; null for never")]
    dreams_per_frame: Annotated[StrictFloat, Field(gt=0, le=100)] = 1.0
    cycle: Annotated[StrictInt, Field(ge=0, le=LONGEST_CYCLE, description="replay n batches, then dream n; 0: dream only")] = 0
    enough: Annotated[
        StrictFloat | None, Field(gt=0, lt=1, description="share of rows still learned from that ends a phase; null for never")
    ] = None

    def schedule(self) -> Schedule:
        """As the stream takes it."""
        return Schedule(**self.model_dump())


class LastSleep(BaseModel):
    """The latest sleep in the journal."""

    seq: int
    reason: str
    dreams: int
    at: Annotated[float, Field(description="Unix time in seconds")]


class SleepState(BaseModel):
    """Whether the network sleeps, and what sleep it owes."""

    model_config = example(
        phase="wake",
        owed=50,
        sleeps=1,
        dreams=500,
        last={"seq": 121, "reason": "request", "dreams": 500, "at": 1767225600.0},
        schedule=SCHEDULE,
    )

    phase: str
    owed: Annotated[int, Field(description="labelled frames since the last sleep")]
    sleeps: int
    dreams: int
    last: LastSleep | None
    schedule: ScheduleModel


class PolarityReport(BaseModel):
    """What a layer's latest batch of one polarity looked like."""

    goodness: float
    p_positive: float
    taught: Annotated[float, Field(description="share of rows that still taught something")]


class LayerState(BaseModel):
    """A layer, counted from 1."""

    layer: int
    positive: PolarityReport | None
    negative: PolarityReport | None


class Status(BaseModel):
    """What the service is doing and has learned. Accuracies are prequential: every frame is predicted before it is learned."""

    model_config = example(
        state="recovering",
        seq=121,
        accepted=3000,
        frames=3000,
        through=3000,
        waiting=0,
        labelled=3000,
        phase="wake",
        accuracy=0.93,
        accuracy_overall=0.88,
        dreams=500,
        sleeps=1,
        drifts=0,
        last_drift=None,
        frames_per_second=412.5,
        reader_seq=120,
        layers=[{"layer": 1, "positive": REPORT, "negative": REPORT | {"goodness": 0.93, "p_positive": 0.04}}],
        network={"inputs": 64, "classes": 10, "units": [500]},
        max_classes=20,
        alphabet=None,
        names=None,
        version="0.1.0",
        paused=False,
        error="ChainError: layer-1 has died",
    )

    state: str
    seq: int
    accepted: int
    frames: Annotated[int, Field(description="frames learned")]
    through: Annotated[int, Field(description="frames up to this number are learned, or abandoned by a restore")]
    waiting: int
    labelled: int
    phase: str
    accuracy: Annotated[float | None, Field(description="of the last 500 labelled frames")]
    accuracy_overall: float | None
    dreams: int
    sleeps: int
    drifts: Annotated[int, Field(description="times that the stream was found to have changed")] = 0
    last_drift: LastDrift | None = None
    frames_per_second: float
    reader_seq: Annotated[int, Field(description="event up to which the weights that classify have learned")]
    layers: list[LayerState]
    network: Annotated[dict[str, Any], Field(description="as it is now; its classes grow where it may")]
    max_classes: Annotated[int, Field(description="labels below this are accepted")]
    alphabet: Annotated[str | None, Field(description="what text is read with; null where frames are numbers")] = None
    names: Annotated[list[str] | None, Field(description="of the labels; null where they are numbers")] = None
    version: str
    paused: Annotated[bool, Field(description="whether frames are refused until somebody resumes the feeding")] = False
    error: str | None


class ServedModel(BaseModel):
    """A model of this service."""

    model_config = example(name="letters", path="/models/letters", default=False, state="ready", task="sequence")

    name: str
    path: Annotated[str, Field(description="before every path of this service, to ask this model")]
    default: Annotated[bool, Field(description="whether it is the one that is asked without a name")]
    state: str
    task: str


class SnapshotPlanned(BaseModel):
    """A snapshot whose barrier is journaled."""

    model_config = example(seq=122)

    seq: int


class Snapshot(BaseModel):
    """A snapshot that is whole."""

    model_config = example(seq=122, frames=3000, accuracy=0.93, parts=["dreamer", "layer-0"], torch="2.13.0", abandoned=False)

    seq: int
    frames: Annotated[int, Field(description="frames learned")]
    accuracy: Annotated[float | None, Field(description="prequential, of the last 500 labelled frames")]
    parts: list[str]
    torch: str
    abandoned: Annotated[bool, Field(description="whether a restore has left it behind; it can still be restored")]


class RestorePlanned(BaseModel):
    """A restore that is journaled: what is learned from now on goes on from the snapshot."""

    model_config = example(seq=180, snapshot=122)

    seq: int
    snapshot: int


class StateAnswer(BaseModel):
    """One word."""

    model_config = example(state="ready")

    state: str


def frame_state(stream: Stream, number: int) -> FrameState:
    """What ``GET /frames/{id}`` answers; raises as :meth:`~ffstream.stream.stream.Stream.frame` does."""
    frame = stream.frame(number)
    label = frame.label if frame.taught_as is None else stream.frame(frame.taught_as).label
    made = frame.prediction
    learned = "queued" if made is None else "learned"
    return FrameState(
        id=number,
        state="abandoned" if stream.sequencer.lineage.left(number) else learned,
        label=None if label == UNLABELLED else label,
        taught_as=frame.taught_as,
        repeats=frame.repeats,
        prediction=None if made is None else PredictionModel(label=made.label, probability=made.probability, seq=made.seq),
    )


def snapshots(stream: Stream) -> list[Snapshot]:
    """What ``GET /snapshots`` answers."""
    holds = stream.sequencer.lineage.holds
    return [_snapshot(each, abandoned=not holds(each.seq)) for each in stream.saved()]


def _snapshot(manifest: Manifest, abandoned: bool) -> Snapshot:
    then = ProgressFold()
    then.restore(manifest.seq, manifest.progress)
    return Snapshot(
        seq=manifest.seq,
        frames=then.now.frames,
        accuracy=then.now.accuracy,
        parts=sorted(manifest.files),
        torch=manifest.torch,
        abandoned=abandoned,
    )


def sleep_state(service: Service) -> SleepState:
    """What ``GET /sleep`` answers."""
    stream = service.stream
    last = stream.journal.last(Sleep.kind)
    return SleepState(
        phase=stream.progress.phase.value,
        owed=stream.sequencer.debt.frames,
        sleeps=stream.progress.sleeps,
        dreams=stream.progress.dreams,
        last=_last_sleep(last) if last else None,
        schedule=schedule_model(stream.sequencer.schedule),
    )


def schedule_model(schedule: Schedule) -> ScheduleModel:
    """A schedule as it is answered."""
    return ScheduleModel(**asdict(schedule))


def _last_sleep(recorded: Recorded) -> LastSleep:
    planned = sleep_planned(recorded)
    return LastSleep(seq=recorded.seq, reason=planned.reason, dreams=planned.dreams, at=recorded.at)


def sleep_planned(recorded: Recorded) -> SleepPlanned:
    """A journaled sleep as it is answered."""
    assert isinstance(recorded.event, Sleep)
    event = recorded.event
    return SleepPlanned(seq=recorded.seq, dreams=event.steps * event.batch, reason=event.reason)


def status(service: Service, version: str) -> Status:
    """What ``GET /status`` answers."""
    stream, progress = service.stream, service.stream.progress
    return Status(
        state=service.state.value,
        seq=progress.seq,
        accepted=stream.journal.last_frame,
        frames=progress.frames,
        through=progress.through,
        waiting=stream.sequencer.waiting,
        labelled=progress.labelled,
        phase=progress.phase.value,
        accuracy=progress.accuracy,
        accuracy_overall=progress.accuracy_overall,
        dreams=progress.dreams,
        sleeps=progress.sleeps,
        drifts=progress.drifts,
        last_drift=last_drift(stream),
        frames_per_second=round(service.frames_per_second, 1),
        reader_seq=stream.reader.seq,
        layers=_layers(stream.config.depth, progress.goodness),
        network=stream.config.to_dict(),
        max_classes=stream.accepts.classes,
        alphabet=None if service.alphabet is None else service.alphabet.name,
        names=service.names,
        version=version,
        paused=service.paused,
        error=service.error,
    )


def _layers(depth: int, reports: dict[Polarity, tuple[LayerReport, ...]]) -> list[LayerState]:
    def of(polarity: Polarity, index: int) -> PolarityReport | None:
        if polarity not in reports:
            return None
        report = reports[polarity][index]
        return PolarityReport(goodness=report.goodness, p_positive=report.p_positive, taught=report.taught)

    return [
        LayerState(layer=index + 1, positive=of(Polarity.POSITIVE, index), negative=of(Polarity.NEGATIVE, index))
        for index in range(depth)
    ]
