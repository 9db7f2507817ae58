"""JSON that tells when it is not what was written."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def encode(content: Mapping[str, Any]) -> bytes:
    """Content with its sha256 in it."""
    return json.dumps({**content, "sha256": sha256(content)}, indent=1).encode()


def decode(encoded: bytes) -> dict[str, Any]:
    """The inverse of :func:`encode`.

    Raises:
        ValueError: when it is not what was encoded.
    """
    try:
        content: dict[str, Any] = json.loads(encoded)
        found = content.pop("sha256")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError("it is not what was written") from error
    if found != sha256(content):
        raise ValueError("its sha256 is not the one in it")
    return content


def sha256(content: Mapping[str, Any]) -> str:
    """Of content in the order in which it is written."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
