"""Sweeps over all weights of a layer: what an update does to each of them, beside the products.

A large layer's update is bound by memory: every torch operation on its weights reads and writes all of them. Here each sweep is
one pass in C (``sweep.c``, compiled when ffstream is installed); where there is no compiler the same is said in torch, bit for
bit the same, and a bfloat16 update of 2000 units takes half as long again. What is on a GPU is left to torch.
"""

import ctypes
from importlib.util import find_spec

import torch
from torch import Tensor


def _compiled() -> ctypes.CDLL | None:
    """The library of ``sweep.c``, if it was compiled."""
    found = find_spec("ffstream._sweep")
    return ctypes.CDLL(found.origin) if found and found.origin else None


COMPILED = _compiled()
KIND = {torch.float32: "float", torch.bfloat16: "bf16"}


def fold(
    direction: Tensor, velocity: Tensor, own: Tensor, other: Tensor, *, turn: float, weight: float, learn: float, keep: float
) -> Tensor:
    """Fold a new direction into the running means of the last ones.

        v <- v + turn (G - v) + weight m[other]
        m[own] <- m[own] + learn (G - m[own])
        m[other] <- keep m[other]

    Args:
        direction: ``G`` [units, inputs], in the format of the layer's products. It is used up.
        velocity: ``v`` [units, inputs], changed in place.
        own: memory of the phase that it is, changed in place.
        other: memory of the phase that it is not, changed in place.
        turn: part of ``v`` that is made new.
        weight: of the other phase's memory.
        learn: part of the own phase's memory that is made new.
        keep: part of the other phase's memory that is left.

    Returns:
        ``v`` in the format of the layer's products: itself, or a copy.
    """
    if COMPILED and _in_order(direction, velocity, own, other):
        run = getattr(COMPILED, f"fold_{KIND[direction.dtype]}")
        run(*_pointers(direction, velocity, own, other), *map(ctypes.c_float, (turn, weight, learn, keep)))
        return velocity if direction.dtype is velocity.dtype else direction
    exact = direction.float()
    velocity.lerp_(exact, turn).add_(other, alpha=weight)
    own.lerp_(exact, learn)
    other.mul_(keep)
    return velocity.to(direction.dtype)


def move(weights: Tensor, velocity: Tensor, change: Tensor, rate: float) -> None:
    """``W <- W + rate (v + change)``, all ``[units, inputs]``; ``change`` may be in the format of the layer's products."""
    if COMPILED and _in_order(change, velocity, weights):
        getattr(COMPILED, f"move_{KIND[change.dtype]}")(*_pointers(change, velocity, weights), ctypes.c_float(rate))
    else:
        weights.add_(change.float().add_(velocity), alpha=rate)


def _in_order(*tensors: Tensor) -> bool:
    """Whether they are in host memory, number after number."""
    return all(tensor.is_cpu and tensor.is_contiguous() for tensor in tensors)


def _pointers(*tensors: Tensor) -> tuple[ctypes.c_long | ctypes.c_void_p, ...]:
    """How many numbers there are, and where."""
    return ctypes.c_long(tensors[0].numel()), *(ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors)
