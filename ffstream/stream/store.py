"""Files in a store that a URL names: of objects, of another machine, or a folder. Nothing else knows fsspec."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ffstream.errors import ArchiveError, ConfigError

UNFINISHED = ".part"
"""End of the name of a file that is being written."""

USER = re.compile(r"//[^/@]*@")
"""Name and password in a URL."""

Answer = TypeVar("Answer")


class Store:
    """Reads, writes and lists files by names below a URL.

    Every method raises :class:`~ffstream.errors.ArchiveError` when the store fails.

    Args:
        url: as fsspec takes it, like ``s3://bucket/prefix``; what it reaches such a store with must be installed.

    ``name`` is the URL as messages may show it.

    Raises:
        ConfigError: when there is nothing to reach it with, or it is no such URL.
    """

    def __init__(self, url: str) -> None:
        self.name = USER.sub("//", url).rstrip("/")
        try:
            from fsspec.core import url_to_fs
            from fsspec.implementations.local import LocalFileSystem

            self._files, root = url_to_fs(url)
        except Exception as error:
            raise ConfigError(f"archive {self.name}: {_reason(error)}") from error
        if isinstance(self._files, LocalFileSystem):
            self._files = LocalFileSystem(auto_mkdir=True)
        self._root = root.rstrip("/")

    def sizes(self) -> dict[str, int]:
        """Bytes of every file, by name."""
        self._files.invalidate_cache()
        found: dict[str, Any] = self._ask(lambda: self._files.find(self._root, detail=True))
        return {path.removeprefix(f"{self._root}/"): each["size"] for path, each in found.items()}

    def read(self, name: str) -> bytes:
        """What a file holds."""
        return self._ask(lambda: bytes(self._files.cat_file(self._path(name))))

    def write(self, name: str, content: bytes) -> None:
        """Write a file. Where the store is no store of objects, a failure can leave a shorter one."""
        self._ask(lambda: self._files.pipe_file(self._path(name), content))

    def commit(self, name: str, content: bytes) -> None:
        """Write a file that is there as a whole or not at all."""
        unfinished = name + UNFINISHED
        self.write(unfinished, content)
        self._ask(lambda: self._files.mv(self._path(unfinished), self._path(name)))

    def remove(self, names: Sequence[str]) -> None:
        """Remove files."""
        if names:
            self._ask(lambda: self._files.rm([self._path(name) for name in names]))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask the store; whatever its driver raises becomes an :class:`~ffstream.errors.ArchiveError` in one line."""
        try:
            return question()
        except Exception as error:
            raise ArchiveError(f"archive {self.name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
