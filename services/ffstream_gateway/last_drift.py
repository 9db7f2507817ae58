"""The latest change of the stream, as it is answered."""

from dataclasses import asdict
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ffstream.stream.events import Drift
from ffstream.stream.stream import Stream

EXAMPLE: dict[str, JsonValue] = {
    "seq": 140,
    "at": 1767225600.0,
    "frames": 64,
    "before": 0.06,
    "since": 0.7,
    "reaction": "forget",
}


class LastDrift(BaseModel):
    """The latest time that the stream was found to have changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    seq: int
    at: Annotated[float, Field(description="Unix time")]
    frames: Annotated[int, Field(description="labelled frames from the change until it was found")]
    before: Annotated[float, Field(description="share of wrong predictions before the change")]
    since: Annotated[float, Field(description="share of wrong predictions since")]
    reaction: Annotated[str, Field(description="what was done: tell, sleep or forget")]


def last_drift(stream: Stream) -> LastDrift | None:
    """What the journal says of it; None when the stream never changed."""
    recorded = stream.journal.last(Drift.kind)
    if recorded is None:
        return None
    assert isinstance(recorded.event, Drift)
    return LastDrift(**asdict(recorded.event) | {"seq": recorded.seq, "at": recorded.at})
