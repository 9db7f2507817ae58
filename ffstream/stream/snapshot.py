"""Snapshots: the state of every part at one barrier, in files that are either whole or not there.

A snapshot is a folder ``SEQ`` with one safetensors file a part and a ``manifest.json`` that is written last. A folder
without a manifest, or with one that does not match the digest in it, or whose files do not, does not count.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from ffstream.config import NetworkConfig
from ffstream.errors import SnapshotError
from ffstream.stream import signed

FORMAT = 2
MANIFEST = "manifest.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds. Bits are promised only for the same configuration, torch build and thread count.

    ``config`` is the digest of the network as it was made, ``files`` maps every part to its sha256, ``progress`` is the score
    so far. Its ``oldest`` is the number of the oldest frame that is remembered for dreams, None while none is; its ``classes``
    are the labels of a network that has grown.
    """

    seq: int
    config: str
    files: dict[str, str]
    progress: dict[str, Any]
    torch: str = torch.__version__
    threads: int = 1
    format: int = FORMAT

    def network(self, made: NetworkConfig) -> NetworkConfig:
        """The network of which this is a snapshot, as it was when it was taken, from what it was ``made`` as."""
        return replace(made, classes=self.progress.get("classes", made.classes))


def folder_of(root: Path, seq: int) -> Path:
    """Where the snapshot at event ``seq`` lives."""
    return root / f"{seq:012d}"


def write_part(folder: Path, name: str, state: Mapping[str, Tensor]) -> str:
    """Write one part's tensors; the file appears whole or not at all.

    Returns:
        The sha256 of the file.
    """
    return write_blob(folder, name, to_blob(state))


def to_blob(state: Mapping[str, Tensor]) -> bytes:
    """One part's tensors as the bytes of its file."""
    return save({key: tensor.cpu().contiguous() for key, tensor in state.items()})


def write_blob(folder: Path, name: str, blob: bytes) -> str:
    """Write the file of one part; answers as :func:`write_part`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{name}.safetensors", blob)
    return hashlib.sha256(blob).hexdigest()


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Commit a snapshot: from now on it counts."""
    write_whole(folder_of(root, manifest.seq) / MANIFEST, signed.encode(asdict(manifest)))


def committed(root: Path) -> list[int]:
    """Numbers of the snapshots that have a manifest, newest first."""
    return [seq for seq in sorted(_numbers(root), reverse=True) if (folder_of(root, seq) / MANIFEST).exists()]


def remove_older(root: Path, seq: int, kept: Collection[int]) -> None:
    """Remove what there is up to event ``seq``, finished or not, but for those kept.

    Those beyond it stay: they are being written, or a replay has yet to come to them.
    """
    for number in _numbers(root):
        if number <= seq and number not in kept:
            shutil.rmtree(folder_of(root, number))


def manifests(root: Path, config: str, among: Collection[int] | None = None) -> Iterator[Manifest]:
    """Snapshots that are whole, newest first; one that is not is passed over, and the log says why.

    Args:
        root: folder for snapshots.
        config: digest of the network's configuration.
        among: their numbers; all that have a folder unless given, while a stream runs also one that is being written.

    Raises:
        SnapshotError: when a whole one belongs to another network.
    """
    for seq in sorted(_numbers(root) if among is None else among, reverse=True):
        try:
            manifest = read_manifest(root, seq)
            for name in manifest.files:
                read_blob(root, manifest, name)
        except SnapshotError as error:
            log.warning("snapshot %s passed over: %s", seq, error)
            continue
        if manifest.config != config:
            raise SnapshotError(f"{folder_of(root, seq)}: belongs to a network of another configuration")
        yield manifest


def read_manifest(root: Path, seq: int) -> Manifest:
    """Read a manifest, without a look at the files that it names.

    Raises:
        SnapshotError: when there is none, or it is not the one that was written.
    """
    path = folder_of(root, seq) / MANIFEST
    try:
        content = json.loads(path.read_text())
        sha256 = content.pop("sha256", None)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SnapshotError(f"no readable manifest ({error})") from error
    if content.get("format") != FORMAT:
        raise SnapshotError(f"format {content.get('format')}, this version reads {FORMAT}")
    if sha256 != signed.sha256(content):
        raise SnapshotError(f"{path}: its sha256 is not the one in it")
    return Manifest(**content)


def set_aside_beyond(root: Path, seq: int) -> None:
    """Rename snapshots of events that the journal does not hold, so that they never count again.

    A journal can end before a snapshot when the machine lost power, or when the file was replaced.
    """
    for number in _numbers(root):
        if number > seq:
            aside = folder_of(root, number).with_suffix(f".beyond-{time.time_ns()}")
            folder_of(root, number).rename(aside)
            log.warning("snapshot %s set aside as %s: the journal ends at event %s", number, aside.name, seq)


def read_part(root: Path, manifest: Manifest, name: str) -> dict[str, Tensor]:
    """Read one part's tensors.

    Raises:
        SnapshotError: when the file is missing or is not the one that was written.
    """
    return from_blob(read_blob(root, manifest, name))


def read_blob(root: Path, manifest: Manifest, name: str) -> bytes:
    """Read the file of one part; raises as :func:`read_part`."""
    path = folder_of(root, manifest.seq) / f"{name}.safetensors"
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{path}: {error.strerror}") from error
    if hashlib.sha256(blob).hexdigest() != manifest.files[name]:
        raise SnapshotError(f"{path}: its sha256 is not the one in the manifest")
    return blob


def from_blob(blob: bytes) -> dict[str, Tensor]:
    """The inverse of :func:`to_blob`."""
    return load(blob)


def write_whole(path: Path, blob: bytes) -> None:
    """Write a file that is there as a whole or not at all: temporary file, fsync, rename, fsync of the folder."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(blob)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def digest(state: Mapping[str, Tensor]) -> str:
    """A sha256 over names and bits of a state."""
    total = hashlib.sha256()
    for name in sorted(state):
        total.update(name.encode())
        total.update(state[name].cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _numbers(root: Path) -> list[int]:
    return [int(path.name) for path in root.iterdir() if path.name.isdigit()] if root.is_dir() else []
