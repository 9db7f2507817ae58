"""The chain as Ray actors: one process a layer, each handing on to the next itself.

This package is the only importer of ray. :func:`open_stream` is its front door.
"""

import os
import secrets

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
if os.environ.get("RAY_ADDRESS", "local") in ("", "local"):
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
"""Ray reads these once, when it is imported. On Linux nothing but the second keeps its sockets on the address it is given. A
cluster that is joined has its own addresses and its own token, which Ray finds as it always does."""

from ffstream.actors.chain import RayChain
from ffstream.actors.open import open_stream
from ffstream.actors.placement import Placement

__all__ = ["Placement", "RayChain", "open_stream"]
