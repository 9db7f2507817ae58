"""Sequences in the bodies of requests: text, or the symbols themselves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffstream.alphabet import Alphabet
from ffstream.symbols import windows
from ffstream_gateway import bodies
from ffstream_gateway.problems import Problem

TEXT = "text/plain"
MEMBERS = {"text", "symbols"}


def read(content_type: str, raw: bytes, alphabet: Alphabet, context: int) -> bodies.Body | None:
    """The windows of a sequence, and what follows each; None when the body holds windows already.

    The first ``context`` symbols are learned from, but not learned: who goes on with a sequence begins with the last ones of
    what came before.

    Raises:
        Problem: 422 for what is no sequence, or one too short.
    """
    kind = content_type.split(";")[0].strip().lower()
    if kind == TEXT:
        symbols = alphabet.encode(_decoded(raw))
    elif kind == bodies.JSON and (content := _sequence(raw)) is not None:
        symbols = symbols_of(content.get("text"), content.get("symbols"), alphabet)
    else:
        return None
    return bodies.Body(*windows(symbols, context))


def symbols_of(text: Any, symbols: Any, alphabet: Alphabet) -> NDArray[np.uint8]:
    """Symbols [n] from text, or from themselves.

    Raises:
        Problem: 422 when there is not one of both, or what is given is none.
    """
    if (text is None) == (symbols is None):
        raise Problem(422, "shape", "body: expected either text or symbols", place="body")
    if text is not None:
        if not isinstance(text, str):
            raise Problem(422, "shape", f"text: got {bodies.name_of(text)}, expected a string", place="text")
        return alphabet.encode(text)
    if not isinstance(symbols, Sequence) or isinstance(symbols, str):
        raise Problem(422, "shape", f"symbols: got {bodies.name_of(symbols)}, expected a list", place="symbols")
    for index, each in enumerate(symbols):
        if type(each) is not int or not 0 <= each < alphabet.size:
            place = f"symbols[{index}]"
            got = each if type(each) in (int, float) else bodies.name_of(each)
            raise Problem(422, "shape", f"{place}: got {got}, expected 0 to {alphabet.size - 1}", place=place)
    return np.array(symbols, np.uint8)


def _sequence(raw: bytes) -> dict[str, Any] | None:
    """The object in a body when it has a sequence in it."""
    content = bodies.parse(raw, "body")
    if not isinstance(content, dict) or not content.keys() & MEMBERS:
        return None
    return bodies.members(content, MEMBERS, "body")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Problem(422, "text", f"body: not text in UTF-8: {error}", place="body") from error
