"""Local receptive fields without weight sharing, as data (paper sections 3.2 and 4).

A layer is a map: ``grid x grid`` locations with ``channels`` units each. All units of a location see the same square of the map
below, through weights of their own; squares lie ``stride`` apart, the whole grid of them in the middle of what is below, and
those that reach over an edge are cut there (footnote 12). A frame is a map too. Rows hold a map channel after channel, each
row by row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ffstream.errors import ConfigError

NOTHING = -1
"""Stands where a field reaches over an edge."""


@dataclass(frozen=True)
class Field:
    """What every location of a layer sees of the map below it.

    Args:
        grid: locations along a side of the layer.
        channels: units at a location.
        size: places of the map below along a side of a field.
        stride: places between two neighbouring fields.
        tile: locations along a side of those that are computed together, as one block that sees the union of their fields
            (see :mod:`ffstream.wiring`); it divides ``grid``.
    """

    grid: int
    channels: int
    size: int
    stride: int = 1
    tile: int = 1

    def __post_init__(self) -> None:
        for name in ("grid", "channels", "size", "stride", "tile"):
            if getattr(self, name) < 1:
                raise ConfigError(f"field {name}: got {getattr(self, name)}, expected at least 1")
        if self.grid % self.tile:
            raise ConfigError(f"field tile: got {self.tile}, expected a divisor of the grid's {self.grid}")

    @property
    def units(self) -> int:
        """Of the layer."""
        return self.grid**2 * self.channels

    def seen(self, side: int) -> NDArray[np.int64]:
        """Places of a map below, ``side x side``, that each location sees: ``[locations, size * size]``."""
        first = (side - (self.grid - 1) * self.stride - self.size) // 2
        along = first + self.stride * np.arange(self.grid)[:, None] + np.arange(self.size)
        inside = (along >= 0) & (along < side)
        places = along[:, None, :, None] * side + along[None, :, None, :]
        there = inside[:, None, :, None] & inside[None, :, None, :]
        return np.where(there, places, NOTHING).reshape(self.grid**2, self.size**2)


@dataclass(frozen=True)
class FieldsConfig:
    """Fields of every layer.

    Args:
        side: places along a side of a frame.
        channels: numbers at each of them.
        layers: first to last.

    >>> FieldsConfig(28, 1, (Field(4, 128, 10, 6), Field(3, 220, 2), Field(2, 512, 2))).units  # footnote 8
    (2048, 1980, 2048)
    """

    side: int
    channels: int
    layers: tuple[Field, ...]

    def __post_init__(self) -> None:
        if self.side < 1 or self.channels < 1:
            raise ConfigError(
                f"fields: got a frame of {self.side} x {self.side} x {self.channels}, expected at least 1 of each"
            )
        for index, field in enumerate(self.layers):
            places = field.seen(self.map_below(index)[0])
            if (places == NOTHING).all(axis=1).any():
                raise ConfigError(f"field of layer {index}: got a grid of which some locations see nothing: {field}")

    @property
    def units(self) -> tuple[int, ...]:
        """Width of every layer, as a network's configuration asks for it."""
        return tuple(field.units for field in self.layers)

    @property
    def inputs(self) -> int:
        """Numbers in a frame."""
        return self.side**2 * self.channels

    def map_below(self, index: int) -> tuple[int, int]:
        """Side and channels of what is below layer ``index``."""
        if index == 0:
            return self.side, self.channels
        below = self.layers[index - 1]
        return below.grid, below.channels

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From its fields as plain data, as ``asdict`` gives them."""
        return cls(data["side"], data["channels"], tuple(Field(**layer) for layer in data["layers"]))
