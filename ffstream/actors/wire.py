"""What crosses the border between processes: numpy, never torch.

Ray copies torch tensors twice, and a tensor made from a received array shares that array's read-only, loosely aligned
memory. So arrays are packed without a copy and unpacked with one, into memory of torch's own, whose alignment the floating-
point bits depend on. numpy has no bfloat16: its bits travel as ``uint16``, which nothing else here is.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Packed:
    """A dataclass on its way: its type, and its fields with arrays in place of tensors."""

    kind: type
    values: dict[str, Any]


def pack(thing: Any) -> Packed:
    """Any dataclass that has tensors as fields."""
    return Packed(type(thing), {field.name: _to_array(getattr(thing, field.name)) for field in fields(thing)})


def unpack(packed: Packed, kind: type[T]) -> T:
    """The inverse of :func:`pack`; ``kind`` says what is expected."""
    thing = packed.kind(**{name: _to_tensor(value) for name, value in packed.values.items()})
    if not isinstance(thing, kind):
        raise TypeError(f"got {packed.kind.__name__}, expected {kind}")
    return thing


def _to_array(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return (value.view(torch.uint16) if value.dtype == torch.bfloat16 else value).numpy()


def _to_tensor(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    tensor = torch.tensor(value)
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.uint16 else tensor
