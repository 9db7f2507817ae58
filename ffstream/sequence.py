"""The network that learns sequences: the library's own, with what was chosen for symbols (section 4.1)."""

from typing import Any

from ffstream.config import NetworkConfig
from ffstream.layer_config import LayerConfig, ReadoutConfig

CONTEXT = 10
"""Symbols in a window (the paper's)."""

LAYER = LayerConfig(damping=0.3)
STRENGTH = 1.5
"""Constants of the layers, and length of the label's vector as a share of the window's."""

READOUT = ReadoutConfig(floor=0.02, damping=3.0)
"""What comes next is never certain: steps that stay large would learn the last few hundred symbols by heart."""


def sequence_network(symbols: int, context: int = CONTEXT, **others: Any) -> NetworkConfig:
    """A network that predicts the next of ``symbols`` kinds of symbols from the ``context`` before, and dreams by itself.

    Args:
        symbols: how many kinds there are, 2 to 256.
        context: symbols in a window.
        others: fields of :class:`~ffstream.config.NetworkConfig` that differ.

    Raises:
        ConfigError: when such a network cannot work.

    >>> sequence_network(30, units=(200, 200)).generates
    True
    """
    chosen: dict[str, Any] = {
        "encoding": "symbols",
        "negatives": "generated_symbols",
        "layer": LAYER,
        "label_strength": STRENGTH,
        "readout": READOUT,
    }
    return NetworkConfig(context, symbols, **(chosen | others))
