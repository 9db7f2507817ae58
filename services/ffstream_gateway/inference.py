"""Classification by the Open Inference Protocol (``/v2``), so that clients of KServe, Triton and others work as they are.

Thin: it asks what ``/classify`` asks. A model goes by its name in the service, which is ``ffstream`` where there is one only. A
request's parameters may say the ``method`` and its ``shortlist``. The weights learn all the time, so every answer has the
number of their last event, the output ``seq``.
"""

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Header, Path, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

import ffstream
from ffstream.errors import FFStreamError
from ffstream_gateway import tensors
from ffstream_gateway.bodies import JSON
from ffstream_gateway.classifying import classified
from ffstream_gateway.models import example
from ffstream_gateway.problems import Problem, documented, refuse
from ffstream_gateway.routes import FRAME, Raw, The
from ffstream_gateway.service import MODEL, Service

SERVER = "ffstream"
BINARY = "application/octet-stream"

TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"enum": [tensors.FRAMES]},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"enum": list(tensors.CODES)},
        "data": {"type": "array"},
        "parameters": {"type": "object"},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": TENSOR},
        "outputs": {"type": "array", "items": {"type": "object", "properties": {"name": {"enum": list(tensors.OUTPUTS)}}}},
        "parameters": {
            "type": "object",
            "properties": {
                "method": {"enum": ["one_pass", "goodness", "shortlist"]},
                "shortlist": {"type": "integer", "minimum": 1},
                "binary_data_output": {"type": "boolean"},
            },
        },
    },
}
EXAMPLE = {
    "inputs": [{"name": tensors.FRAMES, "shape": [1, 64], "datatype": "FP32", "data": FRAME}],
    "parameters": {"method": "goodness"},
}
BODY = {"requestBody": {"required": True, "content": {JSON: {"schema": SCHEMA, "example": EXAMPLE}}}}

Named = Annotated[str, Path(description="of the model", examples=[MODEL])]

router = APIRouter(prefix="/v2")


class ServerMetadata(BaseModel):
    """What answers here."""

    model_config = example(name=SERVER, version=ffstream.__version__, extensions=["binary_tensor_data"])

    name: str = SERVER
    version: str = ffstream.__version__
    extensions: list[str] = ["binary_tensor_data"]


class TensorMetadata(BaseModel):
    """A tensor that goes in or comes out; -1 stands for any length."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What can be asked of the model."""

    model_config = example(
        name=MODEL,
        platform=SERVER,
        inputs=[{"name": tensors.FRAMES, "datatype": "FP32", "shape": [-1, 64]}],
        outputs=[{"name": "label", "datatype": "INT64", "shape": [-1]}],
    )

    name: str
    platform: str = SERVER
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Live(BaseModel):
    """Whether the process answers."""

    model_config = example(live=True)

    live: Literal[True] = True


class Ready(BaseModel):
    """Whether questions are answered: not when the service has failed, or closes."""

    model_config = example(ready=True)

    ready: bool


class ModelReady(Ready):
    """Whether questions to a model are answered."""

    model_config = example(ready=True, name=MODEL)

    name: str


class OutputTensor(TensorMetadata):
    """An output; its numbers are in ``data``, row after row, or raw behind the JSON."""

    data: list[float] = []
    parameters: dict[str, int] = {}


class Inferred(BaseModel):
    """What the newest published weights make of frames."""

    model_config = example(
        model_name=MODEL,
        parameters={"method": "goodness", "status": "live"},
        outputs=[{"name": "label", "datatype": "INT64", "shape": [1], "data": [3]}],
    )

    model_name: str
    id: str | None = None
    parameters: dict[str, str]
    outputs: list[OutputTensor]


def require_model(service: Service, name: str) -> None:
    """Make sure that it is the model of that name.

    Raises:
        Problem: 404 when it is not.
    """
    if name != service.name:
        raise Problem(404, "unknown-model", f"model: got {name[:100]}, expected {service.name}", place="name")


@router.get("")
async def server() -> ServerMetadata:
    """What answers here, and what it understands."""
    return ServerMetadata()


@router.get("/health/live")
async def live() -> Live:
    """Whether the process answers."""
    return Live()


@router.get("/health/ready", responses={503: {"model": Ready}})
async def ready(service: The, answer: Response) -> Ready:
    """Whether questions are answered: also while the service starts, replays or recovers, with the newest published weights."""
    return Ready(ready=_ready(service, answer))


@router.get("/models/{name}/ready", responses={503: {"model": ModelReady}, **documented(404, 422)})
async def model_ready(service: The, name: Named, answer: Response) -> ModelReady:
    """Whether questions are answered: also while the service starts, replays or recovers, with the newest published weights."""
    require_model(service, name)
    return ModelReady(ready=_ready(service, answer), name=name)


def _ready(service: Service, answer: Response) -> bool:
    answer.status_code = 200 if service.accepts else 503
    return service.accepts


@router.get("/models/{name}", responses=documented(404, 422))
async def model(service: The, name: Named) -> ModelMetadata:
    """Names, types and shapes of what goes in and comes out."""
    require_model(service, name)
    config = service.stream.reader.config
    number = "FP32" if config.symbols is None else "UINT8"
    return ModelMetadata(
        name=name,
        inputs=[TensorMetadata(name=tensors.FRAMES, datatype=number, shape=[-1, config.inputs])],
        outputs=[
            TensorMetadata(name="label", datatype="INT64", shape=[-1]),
            TensorMetadata(name="scores", datatype="FP32", shape=[-1, config.classes]),
            TensorMetadata(name="p_positive", datatype="FP32", shape=[-1]),
            TensorMetadata(name="seq", datatype="INT64", shape=[1]),
        ],
    )


@router.post("/models/{name}/infer", response_model=Inferred, openapi_extra=BODY, responses=documented(404, 413, 422))
async def infer(
    service: The,
    name: Named,
    raw: Raw,
    length: Annotated[str | None, Header(alias=tensors.HEADER, include_in_schema=False)] = None,
) -> Response:
    """Classify frames with the newest published weights. Never learns; answers in every state.

    The input ``frames`` [n, inputs] may have any type of numbers; of ``UINT8`` 0 to 255 stands for 0 to 1. Parameters are
    ``method`` (one_pass, goodness, shortlist) and ``shortlist``. Outputs are ``label`` [n], ``scores`` [n, classes],
    ``p_positive`` [n] and ``seq`` [1], the event up to which the weights have learned.
    """
    require_model(service, name)
    answer, json_length = await run_in_threadpool(_infer, service, raw, length)
    if json_length is None:
        return Response(answer, media_type=JSON)
    return Response(answer, media_type=BINARY, headers={tensors.HEADER: str(json_length)})


def _infer(service: Service, raw: bytes, length: str | None) -> tuple[bytes, int | None]:
    reader = service.stream.reader
    request, frames = tensors.read(raw, length, reader.config.inputs)
    wanted = request.wanted()
    try:
        method, found = classified(reader, frames, request.parameters.method, request.parameters.shortlist)
    except FFStreamError as error:
        raise refuse(error, 1) from error
    outputs = {
        "label": found.labels.numpy(),
        "scores": found.scores.numpy(),
        "p_positive": found.p_positive.numpy(),
        "seq": np.array([reader.seq]),
    }
    head: dict[str, Any] = {"model_name": service.name} | ({} if request.id is None else {"id": request.id})
    head["parameters"] = {"method": method.value, "status": "cold" if reader.cold else "live"}
    return tensors.write(head, outputs, wanted)
