"""Where a layer computes: on the processor, or on a GPU.

Everything is made on the processor, so that first weights are the same bits everywhere, and then moved to the layer's device as
it is. What is multiplied is there; what Python reads at every step stays beside it in host memory: counts, labels, numbers of
frames, places in the stream. Rows of frames are made in host memory too, and go to the device of the first layer as rows.

A stage takes what it is given to its own device and knows nothing of where it came from, so that layers on different devices
are neighbours like any others. Snapshots, published weights and whatever reaches the dreamer are in host memory.

Bits are those of a kind of device. On a GPU every operation is asked to be repeatable, so that a replay there ends with the
bits of the run that it repeats; they are not those of a processor, or of a GPU of another kind.

No GPU was at hand when this was written. ``tests/test_devices.py`` runs it on pretended ones, which refuse what real ones do:
tensors of two devices in one operation, numbers that were not fetched first, and operations that cannot be repeated.
"""

import copy
import os
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ffstream.errors import ConfigError

T = TypeVar("T")

Devices: TypeAlias = Mapping[str, str]
"""Devices by the name of a layer (``layer-0``), or ``layers`` for all that are not named: ``cpu``, ``cuda``, ``cuda:1``."""

ON_THE_PROCESSOR: Devices = MappingProxyType({})
CPU = torch.device("cpu")
KNOWN = re.compile(r"cpu|cuda(:\d{1,2})?")
ALL_LAYERS = "layers"


def device_of(devices: Devices, part: str) -> str:
    """Where a part computes: on the processor, unless something else is said of it, or of all layers.

    >>> device_of({"layers": "cuda", "layer-1": "cuda:1"}, "layer-0")
    'cuda'
    """
    return devices.get(part, devices.get(ALL_LAYERS, "cpu"))


def check_names(what: str, given: Iterable[str], depth: int, *others: str) -> None:
    """Make sure that what is given by part is given to parts of a network of so many layers: its layers, and ``others``.

    Raises:
        ConfigError: when one is named that there is not.
    """
    known = {ALL_LAYERS, *others, *(f"layer-{index}" for index in range(depth))}
    if unknown := sorted(set(given) - known):
        raise ConfigError(f"{what}: got {unknown[0]}, expected one of {', '.join(sorted(known))}")


def check_devices(devices: Devices, depth: int) -> None:
    """Make sure that they fit a network of so many layers.

    Raises:
        ConfigError: when they name a part that does not learn, or something that is no device.
    """
    check_names("devices", devices, depth)
    for part, name in devices.items():
        if not KNOWN.fullmatch(name):
            raise ConfigError(f"device of {part}: got {name!r}, expected cpu, cuda, or cuda:1 for the second GPU")


def find(devices: Devices, part: str) -> torch.device:
    """The device of a part.

    Raises:
        ConfigError: when this process does not see it.
    """
    name = device_of(devices, part)
    device = torch.device(name)
    if device.type == "cpu":
        return CPU
    index, there = device.index or 0, torch.cuda.device_count()
    if index >= there:
        raise ConfigError(
            f"device of {part}: got {name}, but the number of GPUs that torch {torch.__version__} sees here is {there}"
        )
    return torch.device(device.type, index)


def check_here(devices: Devices, depth: int) -> None:
    """Make sure that they fit a network of so many layers, and this process.

    Raises:
        ConfigError: when they do not.
    """
    check_devices(devices, depth)
    for index in range(depth):
        find(devices, f"layer-{index}")


def claim(devices: Devices, part: str) -> torch.device:
    """The device of a part, on which this process is going to compute: repeatably, and with sums in float32, from now on.

    Raises:
        ConfigError: when this process does not see it.
    """
    device = find(devices, part)
    if device != CPU:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms, without the two seconds of a compiler
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    return device


class _Moving(TorchFunctionMode):
    """While it is on, a deep copy of a tensor is on another device, unless it counts."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See :class:`torch.overrides.TorchFunctionMode`."""
        if func is not Tensor.__deepcopy__:
            return func(*args, **kwargs or {})
        tensor: Tensor = args[0]
        return tensor.to(CPU if counts(tensor) else self.device, copy=True)


def counts(tensor: Tensor) -> bool:
    """Whether Python reads it at every step: counts are in double precision, or integers that are not a table's."""
    return tensor.dtype is torch.float64 or (tensor.dtype is torch.int64 and tensor.dim() == 0)


def moved(thing: T, device: torch.device) -> T:
    """A copy of anything that has tensors, with those on ``device`` and as much its own as they were."""
    with _Moving(device):
        return copy.deepcopy(thing)
