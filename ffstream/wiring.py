"""Which numbers of its input each unit of a local layer is connected to, and how that is computed.

Locations are computed in blocks: a block is a tile of neighbouring locations and sees the union of their fields, gathered from
the input. All blocks are one batched product:

    seen [blocks, rows, width + 1]  =  columns of x by a table, and the constant 1
    a    [blocks, rows, units]      =  relu(seen W'),    W [blocks, units, width + 1]

Weights from within a block's union to a unit whose own field does not have them are kept at 0 (footnote 13 does so with whole
layers). With tiles of one location there are none, and memory and work are those of the connections that there are.

A batch of 100, one thread of a Xeon at 2.5 GHz, milliseconds, gather and forward product + product of the update:

    ================================  =======================  =============
    layer                             blocks                   dense, masked
    ================================  =======================  =============
    3.2, first: 16 x (100 to 128)     0.2 + 0.5 + 0.7          3.9 + 4.3
    3.2, second: 9 x (512 to 220)     0.7 + 2.4 + 2.8          13 + 12
    3.2, third: 4 x (880 to 512)      0.5 + 4.2 + 4.8          13 + 11
    section 4, tiles of 1 location    212 + 50 + 337           64 + 86
    of 2 x 2                          56 + 15 + 25
    of 4 x 4                          11 + 12 + 19
    of 8 x 8                          3.5 + 15 + 19
    of 16 x 16                        2.3 + 37 + 43
    ================================  =======================  =============

and the mask itself takes another 14 ms in the dense layer of section 4. Where a location has three units, as there, tiles
of one location gather each input 120 times to use it thrice; tiles of 8 x 8 have 2.7 times the weights that are needed and are
the fastest.

Layers whose locations share their weights are another :class:`Wiring` (:mod:`ffstream.convolution`).
"""

import functools
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.config import NetworkConfig
from ffstream.convolution import Convolution
from ffstream.fields import NOTHING, Field, FieldsConfig

Connections = list[NDArray[np.int64]]
"""The columns of an input row that each location is connected to, one array a location."""


class Wiring(Protocol):
    """What a layer, its rule and whoever reads its weights ask of how it is connected."""

    inputs: int
    """Numbers in an input row."""
    blocks: int
    units: int
    """Of a block."""
    width: int
    """Numbers that a block sees, but for the constant."""
    places: int
    """Rows of a block that there are of every frame: places at which it is computed with the same weights."""

    def first_weights(self, generator: torch.Generator) -> Tensor:
        """``[blocks, units, width + 1]`` from N(0, 1 / inputs that the unit has); biases are 0."""
        ...

    def gather(self, x: Tensor) -> Tensor:
        """Rows ``[rows, inputs + 1]``, of which the last number is the constant, to ``[blocks, places * rows, width + 1]``."""
        ...

    def split(self, rows: Tensor) -> Tensor:
        """Numbers of units ``[rows, channels * grid * grid]`` to ``[blocks, places * rows, units of a block]``."""
        ...

    def join(self, blocks: Tensor) -> Tensor:
        """The inverse of :meth:`split`."""
        ...

    def as_dense(self, weights: Tensor, units: Tensor | None = None) -> Tensor:
        """The same weights as those of a dense layer, ``[units, inputs + 1]``: much larger, and most of them 0.

        With ``units`` [n] only theirs, ``[n, inputs + 1]``.
        """
        ...

    def distinct(self) -> Tensor:
        """Units [n] none of which has the weights of another."""
        ...

    def disconnect(self, weights: Tensor) -> None:
        """Reset weights ``[blocks, units, width + 1]`` that do not exist to 0, in place."""
        ...


class Local:
    """The table of a local layer, every location of which has weights of its own. It is a :class:`Wiring`.

    Args:
        field: shape of the layer.
        inputs: numbers in an input row.
        connections: of every location.
    """

    def __init__(self, field: Field, inputs: int, connections: Connections) -> None:
        self.inputs = inputs
        self.tiles, self.tile, self.channels = field.grid // field.tile, field.tile, field.channels
        self.blocks, self.units, self.places = self.tiles**2, field.channels * field.tile**2, 1
        tiles = np.arange(field.grid**2).reshape(self.tiles, self.tile, self.tiles, self.tile)
        locations = tiles.transpose(0, 2, 1, 3).reshape(self.blocks, -1)
        unions = [np.unique(np.concatenate([connections[at] for at in block])) for block in locations]
        self.width = max(map(len, unions))
        index = np.full((self.blocks, self.width + 1), inputs + 1)
        index[:, -1] = inputs
        own = np.zeros((self.blocks, self.tile**2, self.width + 1), dtype=bool)
        for block, union in enumerate(unions):
            index[block, : len(union)] = union
            for place, location in enumerate(locations[block]):
                own[block, place] = np.isin(index[block], connections[location])
        own[:, :, -1] = True
        self.index = torch.from_numpy(index)
        self.connected = torch.from_numpy(own).float().repeat(1, self.channels, 1)

    def first_weights(self, generator: torch.Generator) -> Tensor:
        """See :class:`Wiring`."""
        weights = torch.randn(self.blocks, self.units, self.width + 1, generator=generator) * self.connected
        weights *= (self.connected.sum(dim=2, keepdim=True) - 1).rsqrt()
        weights[..., -1] = 0
        return weights

    def gather(self, x: Tensor) -> Tensor:
        """See :class:`Wiring`."""
        columns = torch.cat([x.t(), x.new_zeros(1, len(x))])
        return columns.index_select(0, self.index.flatten()).view(self.blocks, self.width + 1, len(x)).mT

    def split(self, rows: Tensor) -> Tensor:
        """See :class:`Wiring`."""
        spread = rows.reshape(len(rows), self.channels, self.tiles, self.tile, self.tiles, self.tile)
        return spread.permute(2, 4, 0, 1, 3, 5).reshape(self.blocks, len(rows), self.units)

    def join(self, blocks: Tensor) -> Tensor:
        """See :class:`Wiring`."""
        spread = blocks.view(self.tiles, self.tiles, blocks.shape[1], self.channels, self.tile, self.tile)
        return spread.permute(2, 3, 0, 4, 1, 5).flatten(1)

    def as_dense(self, weights: Tensor, units: Tensor | None = None) -> Tensor:
        """See :class:`Wiring`."""
        blocks = weights.new_zeros(self.blocks, self.units, self.inputs + 2)
        blocks.scatter_add_(2, self.index[:, None].expand_as(weights), weights)
        dense = self.join(blocks[..., :-1].permute(0, 2, 1)).t()
        return dense if units is None else dense[units]

    def distinct(self) -> Tensor:
        """See :class:`Wiring`: all units."""
        return torch.arange(self.blocks * self.units)

    def disconnect(self, weights: Tensor) -> None:
        """See :class:`Wiring`."""
        if self.tile > 1:
            weights.mul_(self.connected)


def wiring_of(config: NetworkConfig, index: int) -> Wiring | None:
    """What layer ``index`` is wired to; None when it is dense."""
    if config.fields is None:
        return None
    labels = config.classes if config.wrong_labels else 0
    return wire(config.fields, index, config.sources(index), labels, recurrent=config.video is not None)


@functools.lru_cache(maxsize=32)
def wire(fields: FieldsConfig, index: int, sources: tuple[int, ...], labels: int = 0, *, recurrent: bool = False) -> Wiring:
    """What a layer of ``fields`` is wired to.

    Below: the layer's own fields. Beside or above: every label at every location, if the layers are told of labels; or
    those locations of the layer above whose fields have the location, as the same connections the other way.

    Args:
        fields: of all layers.
        index: of the layer.
        sources: widths of what it is wired to, as :meth:`~ffstream.config.NetworkConfig.sources` has them.
        labels: that the layers are told of.
        recurrent: whether it sees what is above it.
    """
    field, last = fields.layers[index], index == len(fields.layers) - 1
    if field.shared:
        return Convolution(field, fields.map_below(index), sum(sources), labels if index == 0 else 0)
    below = _columns(field.seen(fields.map_below(index)[0]), *fields.map_below(index))
    if recurrent and not last:
        upper = fields.layers[index + 1]
        second = _columns(_reversed(upper.seen(field.grid), field.grid), upper.grid, upper.channels)
    else:
        told = labels if recurrent or index == 0 else 0
        second = [np.arange(told)] * field.grid**2
    connections = [np.concatenate([seen, sources[0] + other]) for seen, other in zip(below, second, strict=True)]
    return Local(field, sum(sources), connections)


def _columns(places: NDArray[np.int64] | Connections, side: int, channels: int) -> Connections:
    """Places of a map to all their channels' columns, for every location."""
    offsets = side**2 * np.arange(channels)[:, None]
    return [(offsets + seen[seen != NOTHING]).reshape(-1) for seen in places]


def _reversed(seen: NDArray[np.int64], side: int) -> Connections:
    """Of every place below, the locations that see it."""
    return [np.nonzero((seen == place).any(axis=1))[0] for place in range(side**2)]
