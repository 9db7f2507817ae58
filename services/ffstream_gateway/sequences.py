"""What a service that learns sequences can be asked besides: what comes next, and what it would go on to say."""

from typing import Annotated, Any

import numpy as np
import torch
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from torch import Tensor

from ffstream.alphabet import Alphabet
from ffstream.classify import Reader
from ffstream.seeds import keyed
from ffstream.symbols import follow, to_frames
from ffstream_gateway.problems import Problem, documented
from ffstream_gateway.routes import The
from ffstream_gateway.service import Service
from ffstream_gateway.texts import symbols_of

LONGEST = 1000
"""Symbols that are generated at once."""

router = APIRouter()


class Begun(BaseModel):
    """The beginning of a sequence: text, or symbols. What lies before the last window does not matter."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "there was once a "}]})

    text: str | None = None
    symbols: list[StrictInt] | None = None


class Request(Begun):
    """How a sequence is to go on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "there was once a ", "length": 100, "seed": 1}]})

    length: Annotated[int, Field(ge=1, le=LONGEST, description="symbols to generate")] = 100
    temperature: Annotated[float, Field(gt=0, le=100, description="below 1 for what is likely, above 1 for surprises")] = 1.0
    seed: Annotated[int, Field(ge=0, le=2**53, description="the same weights and seed say the same")] = 0


class Next(BaseModel):
    """How probable every symbol is next."""

    text: Annotated[list[str], Field(description="every symbol as text")]
    p: Annotated[list[float], Field(description="their probabilities")]
    seq: Annotated[int, Field(description="event up to which these weights have learned")]
    status: Annotated[str, Field(description="live, or cold while nothing has been learned yet")]


class Generated(BaseModel):
    """What was generated, without what it began with."""

    text: str
    symbols: list[int]
    seq: int
    status: str


@router.post("/predict", responses=documented(413, 422))
def predict(service: The, begun: Begun) -> Next:
    """The distribution of the next symbol, by the newest published weights. Never learns; answers in every state."""
    reader, symbols = service.stream.reader, _alphabet(service)
    p = reader.logits(_window(service, begun)).double().softmax(dim=1)[0]
    each = [symbols.decode(np.array([number])) for number in range(symbols.size)]
    return Next(text=each, p=p.tolist(), **_version(reader))


@router.post("/generate", responses=documented(413, 422))
def generate(service: The, request: Request) -> Generated:
    """Let the network go on by itself, by the newest published weights. Never learns; answers in every state."""
    reader, window = service.stream.reader, _window(service, request)
    rng = keyed(request.seed, "generate")
    said = follow(reader.logits, window, request.length, rng, temperature=request.temperature)
    new = said[0, window.shape[1] :].numpy()
    return Generated(text=_alphabet(service).decode(new), symbols=new.tolist(), **_version(reader))


def _alphabet(service: Service) -> Alphabet:
    assert service.alphabet is not None, "only a service of sequences has these routes"
    return service.alphabet


def _window(service: Service, begun: Begun) -> Tensor:
    """The last window [1, inputs] of what was begun."""
    inputs = service.stream.config.inputs
    symbols = symbols_of(begun.text, begun.symbols, _alphabet(service))
    if len(symbols) < inputs:
        detail = f"body: got {len(symbols)} symbols, expected at least the {inputs} of a window"
        raise Problem(422, "shape", detail, place="body")
    return to_frames(torch.from_numpy(symbols[-inputs:].copy()))[None]


def _version(reader: Reader) -> dict[str, Any]:
    return {"seq": reader.seq, "status": "cold" if reader.cold else "live"}
