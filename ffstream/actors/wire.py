"""What crosses the border between processes: numpy, never torch, unless both are on one GPU.

Ray copies torch tensors twice, and a tensor made from a received array shares that array's read-only, loosely aligned
memory. So arrays are packed without a copy and unpacked with one, into memory of torch's own, whose alignment the floating-
point bits depend on. numpy has no bfloat16: its bits travel as ``uint16``, which nothing else here is.

What is on a GPU is lent to a neighbour on the same one: what travels is where it is, and the neighbour copies it there. torch
keeps lent memory until the neighbour has let go of it, and has the neighbour wait for what is still being computed. To all
others, on another GPU or node, it goes through host memory.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.multiprocessing.reductions import reduce_tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Packed:
    """A dataclass on its way: its type, and its fields with arrays in place of tensors."""

    kind: type
    values: dict[str, Any]


class Lent:
    """A tensor on a GPU, which arrives as that tensor in a process that computes on the same one.

    It is lent anew to everyone that it is sent to: each has a count of its own, which falls when what arrived is forgotten.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return reduce_tensor(self.tensor)  # type: ignore[no-any-return, no-untyped-call]


def lender(device: torch.device) -> str | None:
    """Which GPU a device is and as what this process knows it, by which neighbours find out whether they may lend; None for the
    processor, and where nothing can be lent: not every driver shares memory between processes.
    """
    if device.type == "cpu":
        return None
    try:
        Lent(torch.zeros(1, device=device)).__reduce__()
    except RuntimeError:
        return None
    return f"{torch.cuda.get_device_properties(device).uuid} as {device}"


def pack(thing: Any, lend: bool = False) -> Packed:
    """Any dataclass that has tensors as fields.

    Args:
        thing: that dataclass.
        lend: what is on a GPU, for who receives it is on the same one.
    """
    return Packed(type(thing), {field.name: _packed(getattr(thing, field.name), lend) for field in fields(thing)})


def unpack(packed: Packed, kind: type[T]) -> T:
    """The inverse of :func:`pack`; ``kind`` says what is expected."""
    thing = packed.kind(**{name: _unpacked(value) for name, value in packed.values.items()})
    if not isinstance(thing, kind):
        raise TypeError(f"got {packed.kind.__name__}, expected {kind}")
    return thing


def _packed(value: Any, lend: bool) -> Any:
    if not isinstance(value, Tensor):
        return value
    if lend and not value.is_cpu:
        return Lent(value)
    here = value.cpu()
    return (here.view(torch.uint16) if here.dtype == torch.bfloat16 else here).numpy()


def _unpacked(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if not isinstance(value, np.ndarray):
        return value
    tensor = torch.tensor(value)
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.uint16 else tensor
