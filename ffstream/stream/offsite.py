"""States of one stream in a store elsewhere, from which it goes on when its machine is lost with its disk.

    stream.json            who archives here
    blobs/SHA256           pieces of files, named by what they hold, and none twice
    states/NUMBER.json     what a state consists of; written last, and then the state counts

A state is a snapshot, the journal that leads from it to the present, and the small files beside them. Whatever fails in
between leaves the states that are there as they were.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from ffstream.errors import ArchiveError, ConfigError, DamagedArchiveError
from ffstream.stream import signed
from ffstream.stream.owner import Owner
from ffstream.stream.staging import Staged
from ffstream.stream.store import Store
from ffstream.stream.stream import JOURNAL

FORMAT = 1
STREAM = "stream.json"
BLOBS = "blobs/"
STATES = "states/"

PIECE = 4 << 20
"""Bytes in a piece of a file. Of a journal that has grown those are uploaded that have changed."""


@dataclass(frozen=True)
class State:
    """What an archived state consists of.

    ``number`` counts states, ``seq`` is the last event in its journal, ``snapshot`` the event of its snapshot, 0 without one.
    ``files`` maps every file to the sha256 of its pieces.
    """

    number: int
    seq: int
    snapshot: int
    files: dict[str, list[str]]
    format: int = FORMAT

    def encode(self) -> bytes:
        """As JSON, with a digest of its own."""
        return signed.encode(asdict(self))

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """The inverse of :meth:`encode`.

        Raises:
            ValueError: when it is not what was encoded, or of another format.
        """
        content = signed.decode(encoded)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, this version reads {FORMAT}")
        return cls(**content)


class OffsiteArchive:
    """The archive of one stream.

    Args:
        store: where it is.
        owner: the stream, and the folder that it is in.
        kept: states that are kept.
    """

    def __init__(self, store: Store, owner: Owner, *, kept: int) -> None:
        self.store = store
        self.owner = owner
        self.kept = kept

    def claim(self) -> dict[str, int]:
        """Make sure that this folder may archive here; from then on no other may that the stream was not fetched into.

        Returns:
            Sizes of all files that are there.

        Raises:
            ConfigError: when the archive is of another stream, or another folder goes on with this one.
            ArchiveError: when the store fails.
        """
        there = self.store.sizes()
        if STREAM in there:
            found = read_owner(self.store)
            if found.stream != self.owner.stream:
                raise ConfigError(f"archive {self.store.name}: is of another stream; give this one another URL")
            if found.folder == self.owner.folder:
                return there
            if self.owner.after != (numbers_of(there) or [0])[-1]:
                raise ConfigError(
                    f"archive {self.store.name}: another folder goes on with this stream; fetch it anew, or give this one "
                    "another URL"
                )
        self.store.commit(STREAM, self.owner.encode())
        return there

    def keep(self, staged: Staged) -> State:
        """Upload what the archive lacks of a state, commit it, and remove those that are too many.

        Raises:
            ConfigError: see :meth:`claim`.
            ArchiveError: when the store fails. To do it again goes on where this has ended.
        """
        there = self.claim()
        numbers = numbers_of(there)
        files = {name: self._upload(path, there) for name, path in staged.files().items()}
        state = self._newest(numbers)
        if state is None or state.files != files:
            state = State(numbers[-1] + 1 if numbers else 1, staged.seq, staged.snapshot, files)
            self.store.commit(name_of(state.number), state.encode())
            numbers.append(state.number)
        self._remove_older(numbers, there)
        return state

    def _newest(self, numbers: list[int]) -> State | None:
        try:
            return read_state(self.store, numbers[-1]) if numbers else None
        except DamagedArchiveError:
            return None

    def _upload(self, path: Path, there: dict[str, int]) -> list[str]:
        """Write those pieces of a file that are not there; the digests of all."""
        digests = []
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                digests.append(hashlib.sha256(piece).hexdigest())
                name = BLOBS + digests[-1]
                if there.get(name) != len(piece):
                    self.store.write(name, piece)
                    there[name] = len(piece)
        return digests

    def _remove_older(self, numbers: list[int], there: dict[str, int]) -> None:
        """Remove states beyond those kept, and then what no state needs; nothing of that while one cannot be read."""
        kept = numbers[-self.kept :]
        self.store.remove([name_of(number) for number in numbers if number not in kept])
        try:
            states = [read_state(self.store, number) for number in kept]
        except DamagedArchiveError:
            return
        needed = {BLOBS + digest for state in states for digests in state.files.values() for digest in digests}
        self.store.remove([name for name in there if name.startswith(BLOBS) and name not in needed])


def fetch(store: Store, folder: Path) -> State:
    """Bring the newest state of an archive into a folder, as a whole or not at all.

    Args:
        store: where the archive is.
        folder: new or empty.

    Raises:
        ConfigError: when something is in the folder, or it cannot be made.
        ArchiveError: when the store fails, or holds no state.
        DamagedArchiveError: when what it holds is not what was archived.
    """
    folder = folder.resolve()
    _require_empty(folder)
    numbers = numbers_of(store.sizes())
    if not numbers:
        raise ArchiveError(f"archive {store.name}: no whole state is there")
    state, owner = read_state(store, numbers[-1]), read_owner(store)
    unfinished = folder.with_name(f".{folder.name}.fetching")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        for name, digests in state.files.items():
            _download(store, digests, unfinished, name)
        owner.fetched(state.number).keep(unfinished)
        unfinished.rename(folder)
    except OSError as error:
        raise ConfigError(f"folder {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return state


def _require_empty(folder: Path) -> None:
    if (folder / JOURNAL).exists():
        raise ConfigError(f"folder {folder}: has a stream already; fetch into a new one")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"folder {folder}: is not empty; fetch into a new one")


def _download(store: Store, digests: list[str], folder: Path, name: str) -> None:
    """Put a file together from its pieces."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise DamagedArchiveError(f"archive {store.name}: a state has a file {name}, which is not in its folder")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for digest in digests:
            piece = store.read(BLOBS + digest)
            if hashlib.sha256(piece).hexdigest() != digest:
                raise DamagedArchiveError(f"{store.name}/{BLOBS}{digest}, of {name}: its sha256 is not the one in its name")
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def read_state(store: Store, number: int) -> State:
    """What the state of this number consists of.

    Raises:
        DamagedArchiveError: when its file is not what was written.
        ArchiveError: when the store fails.
    """
    try:
        return State.decode(store.read(name_of(number)))
    except ValueError as error:
        raise DamagedArchiveError(f"{store.name}/{name_of(number)}: {error}; without it the state before is fetched") from error


def read_owner(store: Store) -> Owner:
    """Who archives here; raises as :func:`read_state`."""
    try:
        return Owner.decode(store.read(STREAM))
    except ValueError as error:
        raise DamagedArchiveError(f"{store.name}/{STREAM}: {error}") from error


def numbers_of(names: Iterable[str]) -> list[int]:
    """Numbers of the states among the names of files, oldest first."""
    found = [name.removeprefix(STATES).removesuffix(".json") for name in names if name.startswith(STATES)]
    return sorted(int(number) for number in found if number.isdigit())


def name_of(number: int) -> str:
    """Name of the file that says what a state consists of."""
    return f"{STATES}{number:012d}.json"
