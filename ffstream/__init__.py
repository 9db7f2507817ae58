"""ffstream: Forward-Forward networks that keep learning while they serve."""

from ffstream.classify import Classification, Method, Reader
from ffstream.config import ADAM, PLAIN, RECURRENT, UNSUPERVISED, LayerConfig, NetworkConfig, ReadoutConfig
from ffstream.errors import FFStreamError
from ffstream.layer import Layer, LayerReport
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
    "Classification",
    "FFStreamError",
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
