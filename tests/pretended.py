"""GPUs that are not there: tensors that say they are on one, compute on the processor, and refuse what a GPU would refuse.

A test that passes on them has moved every tensor that it had to, and has read none without fetching it first. Every call of
torch's goes through :func:`call`, so that one with tensors of several devices is found whichever it is; of the few that may,
only those pass that have a reason to. What a GPU computes cannot be pretended: bits are those of the processor, which is what a
test compares them with.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")
REFUSED = {Tensor.numpy, Tensor.__array__, Tensor.data_ptr, Tensor.__reduce_ex__}
"""What needs numbers in host memory."""

UNREPEATABLE = {torch.cumsum, Tensor.cumsum, torch.histc, torch.bincount, torch.median, Tensor.median, Tensor.put_}
"""What :func:`torch.use_deterministic_algorithms` forbids on a GPU, of all that one could think of using here."""

COPIES, INDEXES = {Tensor.copy_}, {Tensor.__getitem__}
"""What may have tensors of two devices: a copy is the way from one to the other, and an index may be in host memory."""

ABOUT: dict[Any, Callable[[torch.device], Any]] = {
    Tensor.device.__get__: lambda device: device,  # type: ignore[attr-defined]
    Tensor.is_cpu.__get__: lambda device: device == CPU,  # type: ignore[attr-defined]
}


class Pretended(Tensor):
    """A tensor on a GPU that is not there. What is known of it is asked of :func:`place` and :func:`held`."""

    @classmethod
    def __torch_function__(cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return call(func, args, kwargs or {})


def on(device: torch.device, tensor: Tensor) -> Tensor:
    """A tensor as if it were on a device."""
    if device == CPU:
        return tensor
    made: Tensor = Tensor._make_subclass(Pretended, torch.empty(0))
    made.__dict__.update(device=device, held=tensor)
    return made


def held(tensor: Tensor) -> Tensor:
    """The numbers of a tensor, where they really are."""
    found: Tensor = tensor.__dict__["held"] if type(tensor) is Pretended else tensor
    return found


def place(tensor: Tensor) -> torch.device:
    """Where a tensor says that it is."""
    found: torch.device = tensor.__dict__["device"] if type(tensor) is Pretended else CPU
    return found


def call(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call of torch's, wherever its tensors are.

    Raises:
        AssertionError: when it would fail on a GPU, or could not be repeated there.
    """
    leaves = list(_leaves((*args, *kwargs.values())))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    if len(tensors) == 1 and func in ABOUT:
        return ABOUT[func](place(tensors[0]))
    asked = [leaf for leaf in leaves if isinstance(leaf, torch.device)]
    places = {place(tensor) for tensor in tensors}
    if not asked and places <= {CPU}:
        return func(*args, **kwargs)
    name = getattr(func, "__name__", func)
    if places - {CPU}:
        assert func not in REFUSED, f"{name} of a tensor that is not in host memory"
        assert func not in UNREPEATABLE, f"{name} cannot be repeated on a GPU"
    assert len(places) < 2 or func in COPIES or (func in INDEXES and place(args[0]) != CPU), f"{name}: mixes {places}"
    goes = CPU if func is Tensor.cpu else asked[0] if asked else place(tensors[0])
    wrapped = {id(held(tensor)): tensor for tensor in tensors}
    done = func(*_each(_bare, args), **{key: _each(_bare, value) for key, value in kwargs.items()})

    def dressed(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        same = wrapped.get(id(leaf))
        return same if same is not None and place(same) == goes else on(goes, leaf)

    return _each(dressed, done)


def _leaves(things: Any) -> Iterator[Any]:
    for thing in things:
        if isinstance(thing, tuple | list):
            yield from _leaves(thing)
        else:
            yield thing


def _each(change: Callable[[Any], Any], thing: Any) -> Any:
    """``change`` of everything in lists and tuples."""
    if type(thing) in (tuple, list, torch.Size):
        return type(thing)(_each(change, part) for part in thing)
    if isinstance(thing, tuple):  # what torch returns by name
        return type(thing)([change(part) for part in thing])
    return change(thing)


def _bare(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return held(leaf)
    return CPU if isinstance(leaf, torch.device) else leaf


class Pretending(TorchFunctionMode):
    """While it is on, tensors can be made on such a device, and moved there."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return call(func, args, kwargs or {})


@contextmanager
def gpus(number: int) -> Iterator[None]:
    """So many of them; afterwards everything is as it was."""
    matmul = torch.backends.cuda.matmul
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "device_count", lambda: number)
        patch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
        patch.delenv("CUBLAS_WORKSPACE_CONFIG")
        before = torch.get_deterministic_debug_mode(), matmul.allow_bf16_reduced_precision_reduction
        try:
            with Pretending():
                yield
        finally:
            torch.set_deterministic_debug_mode(before[0])
            matmul.allow_bf16_reduced_precision_reduction = before[1]
