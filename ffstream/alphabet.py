"""Text as symbols: which characters there are, and what becomes of the others."""

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ffstream.errors import ConfigError
from ffstream.symbols import LARGEST

TOKENS = "tokens:"
WHITE = re.compile(r"\s+")


class Alphabet(Protocol):
    """What turns text into symbols, each from 0 to ``size - 1``, and back."""

    @property
    def name(self) -> str:
        """What :func:`alphabet` makes the same one of."""
        ...

    @property
    def size(self) -> int:
        """How many symbols there are."""
        ...

    def encode(self, text: str) -> NDArray[np.uint8]:
        """Text to symbols [n]."""
        ...

    def decode(self, symbols: NDArray[np.integer]) -> str:
        """Symbols [n] to text."""
        ...


@dataclass(frozen=True)
class Characters:
    """A few characters, the first of which is symbol 0.

    Text is read as the paper reads it: in lower case when there are no capitals here, with one space for any white space, and
    without the characters that are not here.

    >>> few = Characters("abc .")
    >>> few.decode(few.encode("Cab\\nabc!"))
    'cab abc'

    Raises:
        ConfigError: when a character is there twice, or there are too few or too many.

    Reference: Hinton 2022, section 4.1.
    """

    characters: str

    def __post_init__(self) -> None:
        if not 2 <= self.size <= LARGEST + 1:
            raise ConfigError(f"alphabet: got {self.size} characters, expected 2 to {LARGEST + 1}")
        if len(set(self.characters)) < self.size:
            twice = next(each for each in self.characters if self.characters.count(each) > 1)
            raise ConfigError(f"alphabet: got {twice!r} more than once")

    @property
    def name(self) -> str:
        """See :class:`Alphabet`."""
        return "letters" if self == LETTERS else self.characters

    @property
    def size(self) -> int:
        """See :class:`Alphabet`."""
        return len(self.characters)

    def encode(self, text: str) -> NDArray[np.uint8]:
        """See :class:`Alphabet`."""
        if not any(each.isupper() for each in self.characters):
            text = text.lower()
        numbers = {character: number for number, character in enumerate(self.characters)}
        spaced = WHITE.sub(" ", text) if " " in numbers and "\n" not in numbers else text
        return np.array([numbers[each] for each in spaced if each in numbers], np.uint8)

    def decode(self, symbols: NDArray[np.integer]) -> str:
        """See :class:`Alphabet`."""
        return "".join(self.characters[each] for each in symbols)


class Bytes:
    """The bytes of text in UTF-8: every language, 256 symbols.

    >>> Bytes().decode(Bytes().encode("déjà vu"))
    'déjà vu'
    """

    name = "bytes"
    size = LARGEST + 1

    def encode(self, text: str) -> NDArray[np.uint8]:
        """See :class:`Alphabet`."""
        return np.frombuffer(text.encode(), np.uint8)

    def decode(self, symbols: NDArray[np.integer]) -> str:
        """See :class:`Alphabet`. Bytes that are no text become U+FFFD."""
        return symbols.astype(np.uint8).tobytes().decode(errors="replace")


@dataclass(frozen=True)
class Tokens:
    """So many tokens without characters; in text they are numbers with spaces between them.

    >>> Tokens(40).encode("3 17 0").tolist()
    [3, 17, 0]

    Raises:
        ConfigError: when there are too few or too many.
    """

    size: int

    def __post_init__(self) -> None:
        if not 2 <= self.size <= LARGEST + 1:
            raise ConfigError(f"alphabet: got {self.size} tokens, expected 2 to {LARGEST + 1}")

    @property
    def name(self) -> str:
        """See :class:`Alphabet`."""
        return f"{TOKENS}{self.size}"

    def encode(self, text: str) -> NDArray[np.uint8]:
        """See :class:`Alphabet`. What is no token is left out."""
        numbers = (int(each) for each in text.split() if each.isdecimal())
        return np.array([each for each in numbers if each < self.size], np.uint8)

    def decode(self, symbols: NDArray[np.integer]) -> str:
        """See :class:`Alphabet`."""
        return " ".join(str(each) for each in symbols)


LETTERS = Characters("abcdefghijklmnopqrstuvwxyz ,;.")
"""The paper's thirty."""


def alphabet(name: str) -> Alphabet:
    """The alphabet called ``"letters"``, ``"bytes"`` or ``"tokens:N"``, or else the one of these very characters.

    Raises:
        ConfigError: when they are no alphabet.
    """
    named: dict[str, Alphabet] = {"letters": LETTERS, "bytes": Bytes()}
    if name.startswith(TOKENS) and name.removeprefix(TOKENS).isdecimal():
        return Tokens(int(name.removeprefix(TOKENS)))
    return named[name] if name in named else Characters(name)
