"""ffstream: Forward-Forward networks that keep learning while they serve.

Each name is imported when it is first asked for: ``import ffstream.client`` does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffstream.classify import Classification, Method, Reader
    from ffstream.config import NetworkConfig
    from ffstream.errors import FFStreamError
    from ffstream.fields import Field, FieldsConfig
    from ffstream.layer import Layer, LayerReport
    from ffstream.layer_config import ADAM, PLAIN, RECURRENT, UNSUPERVISED, UNSUPERVISED_READOUT, LayerConfig, ReadoutConfig
    from ffstream.network import Network
    from ffstream.polarity import Phase, Polarity
    from ffstream.prequential import Prequential
    from ffstream.schedule import Schedule
    from ffstream.stream.stream import Stream
    from ffstream.video import VideoConfig

__version__ = "0.1.0"

__all__ = [
    "ADAM",
    "PLAIN",
    "RECURRENT",
    "UNSUPERVISED",
    "UNSUPERVISED_READOUT",
    "Classification",
    "FFStreamError",
    "Field",
    "FieldsConfig",
    "Layer",
    "LayerConfig",
    "LayerReport",
    "Method",
    "Network",
    "NetworkConfig",
    "Phase",
    "Polarity",
    "Prequential",
    "Reader",
    "ReadoutConfig",
    "Schedule",
    "Stream",
    "VideoConfig",
]

_HOMES = {
    "ffstream.classify": ("Classification", "Method", "Reader"),
    "ffstream.config": ("NetworkConfig",),
    "ffstream.errors": ("FFStreamError",),
    "ffstream.fields": ("Field", "FieldsConfig"),
    "ffstream.layer": ("Layer", "LayerReport"),
    "ffstream.layer_config": (
        "ADAM",
        "PLAIN",
        "RECURRENT",
        "UNSUPERVISED",
        "UNSUPERVISED_READOUT",
        "LayerConfig",
        "ReadoutConfig",
    ),
    "ffstream.network": ("Network",),
    "ffstream.polarity": ("Phase", "Polarity"),
    "ffstream.prequential": ("Prequential",),
    "ffstream.schedule": ("Schedule",),
    "ffstream.stream.stream": ("Stream",),
    "ffstream.video": ("VideoConfig",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A name of the library, from the module that it is at home in."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return found
