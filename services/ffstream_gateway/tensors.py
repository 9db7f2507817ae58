"""Requests and answers of the Open Inference Protocol: one tensor of frames in, a tensor an output out.

Numbers are in the JSON, flat or nested, or raw behind it (the protocol's binary extension): little-endian, row after row, as
many bytes as the tensor's parameters say; the header ``Inference-Header-Content-Length`` says where the JSON ends.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr, ValidationError

from ffstream.classify import Method
from ffstream_gateway import at_once
from ffstream_gateway.bodies import parse
from ffstream_gateway.problems import Problem, invalid

LONGEST = 20
"""Digits of a length."""

HEADER = "Inference-Header-Content-Length"
FRAMES = "frames"
OUTPUTS = ("label", "scores", "p_positive", "seq")

CODES = {
    **{f"{sign}INT{bits}": f"<{kind}{bits // 8}" for sign, kind in (("", "i"), ("U", "u")) for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
"""The protocol's names of types of numbers, and numpy's."""

NAMES = {np.dtype(code): name for name, code in CODES.items()}


class TensorParameters(BaseModel):
    """What is said of one tensor; what else is said is passed over."""

    binary_data: StrictBool | None = None
    binary_data_size: Annotated[StrictInt | None, Field(ge=0)] = None


class Tensor(BaseModel):
    """A tensor in a request."""

    name: StrictStr
    shape: list[Annotated[StrictInt, Field(ge=0)]]
    datatype: StrictStr
    parameters: TensorParameters = TensorParameters()
    data: list[Any] | None = None


class Wanted(BaseModel):
    """An output that a request asks for."""

    name: StrictStr
    parameters: TensorParameters = TensorParameters()


class Parameters(BaseModel):
    """What is said of a request; what else is said, as hints of the protocol's clients are, is passed over."""

    method: Method | None = None
    shortlist: Annotated[StrictInt, Field(ge=1)] = 3
    binary_data_output: StrictBool = False


class Inference(BaseModel):
    """A request."""

    id: StrictStr | None = None
    parameters: Parameters = Parameters()
    inputs: Annotated[list[Tensor], Field(min_length=1, max_length=1)]
    outputs: list[Wanted] | None = None

    def wanted(self) -> dict[str, bool]:
        """Names of the outputs that are asked for, and whether each is to be raw.

        Raises:
            Problem: 422 when there is none of that name.
        """
        raw = self.parameters.binary_data_output
        if not self.outputs:
            return dict.fromkeys(OUTPUTS, raw)
        for index, each in enumerate(self.outputs):
            if each.name not in OUTPUTS:
                place = f"outputs[{index}]"
                raise Problem(422, "shape", f"{place}.name: got {each.name}, expected one of {', '.join(OUTPUTS)}", place=place)
        return {each.name: raw if each.parameters.binary_data is None else each.parameters.binary_data for each in self.outputs}


def read(raw: bytes, length: str | None, inputs: int) -> tuple[Inference, NDArray[Any]]:
    """Read a request.

    Args:
        raw: the whole body.
        length: bytes of its JSON, as the header says; None when it is all JSON.
        inputs: numbers in a frame.

    Returns:
        The request without its numbers, and these: frames [n, inputs].

    Raises:
        Problem: 422 for malformed content.
    """
    size = len(raw) if length is None else _length(length, len(raw))
    try:
        request = Inference.model_validate(parse(raw[:size], "body"))
    except ValidationError as error:
        raise invalid(error.errors()[0]) from error
    (tensor,) = request.inputs
    shape = _shape(tensor, inputs)
    if tensor.parameters.binary_data_size is not None:
        return request, _binary(tensor, raw[size:], shape)
    if size < len(raw):
        raise _wrong("data", f"got {len(raw) - size} bytes after the JSON, expected a binary_data_size")
    return request, _listed(tensor, shape)


def _wrong(member: str, detail: str) -> Problem:
    place = f"inputs[0].{member}"
    return Problem(422, "shape", f"{place}: {detail}", place="inputs[0]")


def _length(length: str, most: int) -> int:
    if not length.isdecimal() or len(length) > LONGEST or int(length) > most:
        raise Problem(
            422, "invalid", f"{HEADER}: got {length[:20]}, expected at most the {most} bytes of the body", place=HEADER
        )
    return int(length)


def _shape(tensor: Tensor, inputs: int) -> tuple[int, int]:
    if tensor.name != FRAMES:
        raise _wrong("name", f"got {tensor.name[:100]}, expected {FRAMES}")
    if tensor.datatype not in CODES:
        raise _wrong("datatype", f"got {tensor.datatype[:100]}, expected one of {', '.join(CODES)}")
    if len(tensor.shape) != 2 or tensor.shape[1] != inputs:
        raise _wrong("shape", f"got {tensor.shape[:10]}, expected [n, {inputs}]")
    return tensor.shape[0], inputs


def _binary(tensor: Tensor, raw: bytes, shape: tuple[int, int]) -> NDArray[Any]:
    dtype = np.dtype(CODES[tensor.datatype])
    expected, promised = math.prod(shape) * dtype.itemsize, tensor.parameters.binary_data_size
    if not expected == promised == len(raw):
        raise _wrong("data", f"got {len(raw)} bytes and a binary_data_size of {promised}, expected {expected}")
    return np.frombuffer(raw, dtype).reshape(shape)


def _listed(tensor: Tensor, shape: tuple[int, int]) -> NDArray[Any]:
    """Numbers from JSON, in the tensor's type: of ``UINT8`` 0 to 255 stands for 0 to 1, as everywhere."""
    if tensor.data is None:
        raise _wrong("data", "got none, expected a list, or raw numbers and a binary_data_size")
    frames, inputs = shape
    dtype = np.dtype(CODES[tensor.datatype])
    rows = tensor.data if tensor.data and isinstance(tensor.data[0], list) else [tensor.data]
    width = inputs if len(rows) == frames else math.prod(shape)
    fits = len(rows) * width == math.prod(shape) and all(_numbers(row, width) for row in rows)
    found = at_once.frames(rows, width) if fits else None
    if found is None or (dtype.kind in "iu" and not _whole(found, dtype)):
        raise _wrong("data", f"got others than {frames} x {inputs} finite numbers of {tensor.datatype}, flat or by rows")
    return found.reshape(shape).astype(np.uint8 if dtype == np.uint8 else np.float32, copy=False)


def _numbers(row: Any, width: int) -> bool:
    return isinstance(row, list) and len(row) == width and set(map(type, row)) <= {int, float}


def _whole(found: NDArray[np.float32], dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return bool(((found == np.trunc(found)) & (found >= limits.min) & (found <= limits.max)).all())


def write(head: dict[str, Any], outputs: Mapping[str, NDArray[Any]], wanted: Mapping[str, bool]) -> tuple[bytes, int | None]:
    """An answer, and how long its JSON is when something raw comes behind it.

    Args:
        head: members of the answer, its outputs not among them.
        outputs: every tensor.
        wanted: which of them are to be in the answer, and whether raw.
    """
    described, behind = [], b""
    for name, raw in wanted.items():
        array = np.ascontiguousarray(outputs[name])
        each: dict[str, Any] = {"name": name, "datatype": NAMES[array.dtype], "shape": list(array.shape)}
        if raw:
            behind += array.tobytes()
            each["parameters"] = {"binary_data_size": array.nbytes}
        else:
            each["data"] = array.ravel()
        described.append(each)
    answer = orjson.dumps({**head, "outputs": described}, option=orjson.OPT_SERIALIZE_NUMPY)
    return answer + behind, len(answer) if any(wanted.values()) else None
