"""A published version of the weights in shared memory, from which any number of processes read without a copy.

The memory has a file descriptor and no name: it goes with the last process that has it, however that ends, and is sealed, so
that none of them can change it.
"""

import fcntl
import math
import mmap
import os
import struct
import warnings
from typing import Any

import orjson
import torch

from ffstream.classify import Reader
from ffstream.config import NetworkConfig
from ffstream.stage import StageWeights

ALIGNED = 64
"""Bytes: where torch's own tensors begin, too. Bits depend on it."""

LENGTH = struct.Struct("!Q")
SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


def write(reader: Reader) -> int:
    """Copy a version into memory to be shared; the file descriptor is the caller's to close."""
    tensors = [stage.tensors() for stage in reader.stages]
    stages: list[dict[str, tuple[int, list[int], str]]] = []
    place = 0
    for parts in tensors:
        stages.append({})
        for name, tensor in parts.items():
            stages[-1][name] = (place, list(tensor.shape), str(tensor.dtype).removeprefix("torch."))
            place += -(-tensor.numel() * tensor.element_size() // ALIGNED) * ALIGNED
    head = orjson.dumps({"config": reader.config.to_dict(), "seq": reader.seq, "stages": stages})
    shared = os.memfd_create(f"ffstream-{reader.seq}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(os.dup(shared), "wb") as file:
        file.write(LENGTH.pack(len(head)) + head)
        start = _start(len(head))
        for parts, places in zip(tensors, stages, strict=True):
            for name, tensor in parts.items():
                file.seek(start + places[name][0])
                file.write(tensor.contiguous().numpy().data)
        file.truncate(start + place)
    fcntl.fcntl(shared, fcntl.F_ADD_SEALS, SEALS)
    return shared


def read(shared: int) -> Reader:
    """The version behind a file descriptor, which may be closed afterwards."""
    memory = mmap.mmap(shared, 0, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=mmap.PROT_READ)
    (length,) = LENGTH.unpack_from(memory)
    head = orjson.loads(memory[LENGTH.size : LENGTH.size + length])
    start = _start(length)

    def tensor(place: int, shape: list[int], kind: str) -> torch.Tensor:
        flat = torch.frombuffer(memory, dtype=getattr(torch, kind), count=math.prod(shape), offset=start + place)
        return flat.view(shape)

    stages: list[dict[str, Any]] = head["stages"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable")  # nor does anybody write
        weights = [StageWeights(**{name: tensor(*where) for name, where in parts.items()}) for parts in stages]
    return Reader(NetworkConfig.from_dict(head["config"]), weights, head["seq"])


def _start(head: int) -> int:
    """Where tensors begin behind a head of so many bytes."""
    return -(-(LENGTH.size + head) // ALIGNED) * ALIGNED
