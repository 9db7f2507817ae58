"""What the checks have in common: saying which law is broken, and comparing bits."""

from collections.abc import Mapping

import torch
from torch import Tensor

Bits = dict[str, Tensor]
"""A copy of a state's tensors, by name."""


def require(holds: bool, law: str, found: str = "") -> None:
    """Raise when a law does not hold.

    Raises:
        AssertionError: with the law and what was found.
    """
    if not holds:
        raise AssertionError(f"{law} ({found})" if found else law)


def bits(state: Mapping[str, Tensor]) -> Bits:
    """A copy of a state."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def differing(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that are not bit-identical, or that only one of the two has."""
    shared = one.keys() & other.keys()
    return sorted((one.keys() ^ other.keys()) | {name for name in shared if not torch.equal(one[name], other[name])})


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that hold an infinity or something that is no number."""
    return sorted(name for name, tensor in state.items() if not bool(tensor.isfinite().all()))


def size(state: Mapping[str, Tensor]) -> int:
    """Bytes of a state."""
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())
