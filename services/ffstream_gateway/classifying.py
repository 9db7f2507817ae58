"""What ``/classify`` answers, in the gateway or in a reader: bytes in, bytes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ffstream.classify import Classification, Method, Reader
from ffstream.errors import FFStreamError
from ffstream.frames import FrameArray, check_frames, to_tensor
from ffstream_gateway import bodies
from ffstream_gateway.problems import refuse


@dataclass(frozen=True)
class Question:
    """What a request says beside its body.

    Args:
        content_type: of the body.
        method: how a label is chosen, None for what suits the network.
        shortlist: labels that one pass picks for both to decide.
        names: what labels are called, which the answer then says too; None where they are numbers.
    """

    content_type: str
    method: str | None
    shortlist: int
    names: Sequence[str] | None = None


def answer(reader: Reader, question: Question, raw: bytes) -> bytes:
    """Classify the frames of a body with one version of the weights.

    Raises:
        Problem: when the body is not what the network takes.
    """
    try:
        taken = bodies.Taken(reader.config.inputs, reader.config.classes)
        body = bodies.read(question.content_type, raw, taken, labels=False)
        method, found = classified(
            reader, body.frames, Method(question.method) if question.method else None, question.shortlist
        )
    except FFStreamError as error:
        raise refuse(error, 1) from error
    said: dict[str, Any] = {
        "labels": found.labels.numpy(),
        "scores": found.scores.double().numpy(),
        "p_positive": found.p_positive.double().numpy(),
        "method": method.value,
        "seq": reader.seq,
        "status": "cold" if reader.cold else "live",
    }
    if question.names is not None:
        said["names"] = [label_name(question.names, label) for label in found.labels.tolist()]
    return orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY)


def label_name(names: Sequence[str], label: int) -> str:
    """What a label is called: by its number when it came later than the names."""
    return names[label] if label < len(names) else str(label)


def classified(reader: Reader, frames: FrameArray, method: Method | None, shortlist: int) -> tuple[Method, Classification]:
    """Frames classified by a method, or if none is given by the best that the network has, which is told too."""
    method = method or (Method.GOODNESS if reader.config.wrong_labels else Method.ONE_PASS)
    checked = check_frames(frames, reader.config.inputs, reader.config.symbols)
    return method, reader.classify(to_tensor(checked), method, shortlist)
