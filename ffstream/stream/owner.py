"""Who archives: which stream, from which folder. It keeps two streams, or two lives of one, from mixing in one archive."""

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from ffstream.errors import ConfigError
from ffstream.stream import signed
from ffstream.stream.snapshot import write_whole

OWNER = "archive.json"
"""Name of the file in the folder of a stream."""


@dataclass(frozen=True)
class Owner:
    """A stream in a folder.

    ``stream`` is a random name that the stream has wherever it goes on, ``folder`` one of the folder alone. ``after`` is the
    number of the archived state as which the folder was fetched, None when the stream began in it.
    """

    stream: str
    folder: str
    after: int | None = None

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Who a folder is; one that has not been asked before gets its names.

        Raises:
            ConfigError: when its file cannot be read.
        """
        path = folder / OWNER
        if not path.exists():
            cls(_name(), _name()).keep(folder)
        try:
            return cls.decode(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot be read ({error})") from error

    def fetched(self, number: int) -> "Owner":
        """The same stream in another folder, that holds its archived state of this number."""
        return Owner(self.stream, _name(), number)

    def keep(self, folder: Path) -> None:
        """Write the file of a folder."""
        write_whole(folder / OWNER, self.encode())

    def encode(self) -> bytes:
        """As JSON, with a digest of its own."""
        return signed.encode(asdict(self))

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The inverse of :meth:`encode`.

        Raises:
            ValueError: when it is not what was encoded.
        """
        return cls(**signed.decode(content))


def _name() -> str:
    return secrets.token_hex(16)
