"""Local receptive fields, as data: without weight sharing (paper sections 3.2 and 4), or with it.

A layer is a map: ``grid x grid`` locations with ``channels`` units each. All units of a location see the same square of the map
below, through weights of their own, or through those of all locations (:mod:`ffstream.convolution`); squares lie ``stride``
apart, the whole grid of them in the middle of what is below, and those that reach over an edge are cut there (footnote 12). A
frame is a map too. Rows hold a map channel after channel, each row by row.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
        shared: whether a channel has the same weights at all locations.
    """

    grid: int
    channels: int
    size: int
    stride: int = 1
    tile: int = 1
    shared: bool = False

    def __post_init__(self) -> None:
        for name in ("grid", "channels", "size", "stride", "tile"):
            if getattr(self, name) < 1:
                raise ConfigError(f"field {name}: got {getattr(self, name)}, expected at least 1")
        if self.grid % self.tile:
            raise ConfigError(f"field tile: got {self.tile}, expected a divisor of the grid's {self.grid}")
        if self.shared and self.tile > 1:
            raise ConfigError(f"field tile: got {self.tile}, but locations that share their weights are one block anyway")

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

    @property
    def shared(self) -> bool:
        """Whether any layer shares weights."""
        return any(field.shared for field in self.layers)

    def check_shared(self, goodness: str, recurrent: bool) -> None:
        """That layers which share weights are of a network in which they can.

        Raises:
            ConfigError: when they are recurrent, as those would see the layer above through as many kinds of windows as the
                stride above has phases, or when units of one channel would speak for a row and against it by turns.
        """
        if self.shared and recurrent:
            raise ConfigError("fields shared: got a recurrent network, of which every location has weights of its own")
        if self.shared and goodness == "detectors_and_constraints":
            raise ConfigError(f"goodness: got {goodness!r}, which would set places of one channel against each other")
        if self.shared and goodness == "opponent_squares" and any(field.shared and field.channels % 2 for field in self.layers):
            raise ConfigError(f"field channels: got an odd number, expected as many for as against in {goodness}")

    def to_dict(self) -> dict[str, Any]:
        """Plain data that :meth:`from_dict` reads back; what came later than the first snapshots is told where it is used."""
        layers = [asdict(field) for field in self.layers]
        for layer in layers:
            if not layer["shared"]:
                del layer["shared"]
        return {"side": self.side, "channels": self.channels, "layers": layers}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From its fields as plain data, as :meth:`to_dict` gives them."""
        return cls(data["side"], data["channels"], tuple(Field(**layer) for layer in data["layers"]))
