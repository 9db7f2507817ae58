"""Keys that let callers in: each has a name, scopes and perhaps a rate, and is kept as a hash in a file.

A key is ``ffs_NAME_SECRET``; the name finds the entry, 256 random bits prove it. The entry has SHA-256 of a salt and of them.
Slow hashes (scrypt, argon2) make guessing a password expensive, because people choose passwords out of few; nobody can guess
one of 2**256 secrets, however fast the hash, and a slow one would give strangers a way to keep the service busy.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from limits import RateLimitItem, parse

from ffstream.errors import ConfigError
from ffstream_gateway.files import read, write

MARK = "ffs"
"""What every key begins with, so that one that has got into a file is found there."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class Scope(StrEnum):
    """What a key may be used for. An ``admin`` may do everything."""

    FEED = "feed"
    CLASSIFY = "classify"
    ADMIN = "admin"


@dataclass(frozen=True)
class Key:
    """A key as it is kept: ``made`` in seconds of Unix time, ``digest`` and ``salt`` in hexadecimal digits."""

    name: str
    scopes: tuple[Scope, ...]
    rate: str | None
    made: float
    salt: str
    digest: str

    @classmethod
    def described(cls, *, scopes: Iterable[str], **members: Any) -> "Key":
        """A key out of what a file has of one.

        Raises:
            ValueError: for a scope or a rate that there is not.
            TypeError: for members that are missing or unknown.
        """
        key = cls(scopes=tuple(Scope(each) for each in scopes), **members)
        if key.rate is not None:
            rate_of(key.rate)
        return key

    def fits(self, secret: str) -> bool:
        """Whether this is the secret, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(self.digest, _digest(self.salt, secret))


def _digest(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}{secret}".encode()).hexdigest()


NOBODY = Key("", (), None, 0.0, secrets.token_hex(16), _digest("", secrets.token_urlsafe(32)))
"""What a key with an unknown name is compared with: it takes as long as any other, and does not fit."""


@lru_cache(maxsize=1024)
def rate_of(text: str) -> RateLimitItem:
    """A rate like ``100/second``.

    Raises:
        ValueError: when it is none.
    """
    try:
        rate = parse(text)
    except ValueError:
        rate = None
    if rate is None or rate.amount < 1 or rate.multiples < 1:
        raise ValueError(f"rate: got {text!r}, expected one like 100/second, 5000 per hour or 10/2 minutes")
    return rate


def keys_in(path: Path) -> dict[str, Key]:
    """The keys in a file, by their names; none when there is no file.

    Raises:
        ConfigError: when it cannot be read.
    """
    if not path.exists():
        return {}
    return read(path, lambda found: {key.name: key for key in (Key.described(**each) for each in found["keys"])})


def add(path: Path, name: str, scopes: Iterable[Scope], rate: str | None = None) -> str:
    """Make a key, which is told here and never again.

    Raises:
        ConfigError: when there is one with this name, or name, scopes or rate will not do.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"name: got {name!r}, expected up to 64 small letters, digits and hyphens")
    salt, secret = secrets.token_hex(16), secrets.token_urlsafe(32)
    chosen = tuple(dict.fromkeys(scopes))
    if not chosen:
        raise ConfigError(f"scope: got none, expected some of {', '.join(Scope)}")
    try:
        key = Key.described(name=name, scopes=chosen, rate=rate, made=time.time(), salt=salt, digest=_digest(salt, secret))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    with _changing(path) as keys:
        if name in keys:
            raise ConfigError(f"name: there is a key {name} already; `ffstream keys remove {name}` takes it away")
        keys[name] = key
    return f"{MARK}_{name}_{secret}"


def remove(path: Path, name: str) -> int:
    """Take a key away; how many are left.

    Raises:
        ConfigError: when there is none with this name.
    """
    with _changing(path) as keys:
        if keys.pop(name, None) is None:
            raise ConfigError(f"name: there is no key {name}; keys: {', '.join(keys) or 'none'}")
    return len(keys)


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, Key]]:
    """The keys of a file, written back when nothing goes wrong; one at a time may change them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"{path.parent}: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        keys = keys_in(path)
        yield keys
        write(path, {"keys": [asdict(key) for key in keys.values()]}, mode=0o600)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    finally:
        os.close(folder)
