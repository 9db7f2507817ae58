"""The chain as Ray actors: one process a layer, each handing on to the next itself.

This package is the only importer of ray. :func:`open_stream` is its front door.
"""

import os
import secrets

os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
"""Ray reads these once, when it is imported. On Linux nothing but the first keeps its sockets on the address it is given."""

from ffstream.actors.chain import RayChain
from ffstream.actors.open import open_stream

__all__ = ["RayChain", "open_stream"]
