"""Convolution: local receptive fields whose weights are the same at every location.

All units of a channel are copies of one, so a layer is one block (see :mod:`ffstream.wiring`) of as many units as there are
channels, and a frame is a row of it at every location ``l``:

    seen [1, locations * rows, width + 1]  =  the field of every location, the label, and the constant 1
    a_cl = relu(sum_k W_ck seen_lk),    W [1, channels, width + 1]

Places over an edge are read as 0, and what a layer is told of the label is told at every location: as the planes of one value
that published convolutional nets of this family lay beside the frame. A direction of the weights is the mean over rows and
locations,

    G_c = 1 / (locations * rows)  sum_rl delta_rcl seen_rl

so that a rate means about what it does in a dense layer, whose ``delta`` of a unit is as large. Goodness is that of all units,
and so is its threshold; peer normalization knows every unit at its place. Pooling is a stride.

Reference: Scodellaro et al. 2025, doi:10.1038/s41598-025-26235-2 (labels that every location of a convolutional net sees). It
leaves Hinton 2022, section 3.2, who keeps to weights of their own because sharing them is not how cortex works.
"""

import numpy as np
import torch
from torch import Tensor

from ffstream.fields import NOTHING, Field


class Convolution:
    """The table of a layer that shares its weights. It is a :class:`~ffstream.wiring.Wiring`.

    Args:
        field: shape of the layer.
        below: side and channels of the map below, with whose numbers an input row begins.
        inputs: numbers in an input row.
        labels: numbers after those of the map, which every location sees.
    """

    def __init__(self, field: Field, below: tuple[int, int], inputs: int, labels: int = 0) -> None:
        side, channels = below
        self.inputs = inputs
        self.width = field.size**2 * channels + labels
        self.blocks, self.units, self.places = 1, field.channels, field.grid**2
        seen = field.seen(side)
        maps = side**2 * np.arange(channels)[:, None, None]
        columns = np.where(seen.T == NOTHING, inputs + 1, maps + seen.T).reshape(-1, self.places)
        told = np.append(side**2 * channels + np.arange(labels), inputs)
        self.index = torch.from_numpy(np.concatenate([columns, told[:, None].repeat(self.places, axis=1)]))
        self.middle = field.grid // 2 * (field.grid + 1)

    def first_weights(self, generator: torch.Generator) -> Tensor:
        """See :class:`~ffstream.wiring.Wiring`; fields over an edge count as whole ones."""
        weights: Tensor = torch.randn(1, self.units, self.width + 1, generator=generator) * self.width**-0.5
        weights[..., -1] = 0
        return weights

    def gather(self, x: Tensor) -> Tensor:
        """See :class:`~ffstream.wiring.Wiring`; all rows of the first location come first."""
        columns = torch.cat([x.t(), x.new_zeros(1, len(x))])
        return columns.index_select(0, self.index.flatten()).view(1, self.width + 1, self.places * len(x)).mT

    def split(self, rows: Tensor) -> Tensor:
        """See :class:`~ffstream.wiring.Wiring`."""
        return rows.reshape(len(rows), self.units, self.places).permute(2, 0, 1).reshape(1, -1, self.units)

    def join(self, blocks: Tensor) -> Tensor:
        """See :class:`~ffstream.wiring.Wiring`."""
        return blocks.view(self.places, -1, self.units).permute(1, 2, 0).flatten(1)

    def as_dense(self, weights: Tensor, units: Tensor | None = None) -> Tensor:
        """See :class:`~ffstream.wiring.Wiring`."""
        chosen = torch.arange(self.units * self.places) if units is None else units
        dense = weights.new_zeros(len(chosen), self.inputs + 2)
        dense.scatter_add_(1, self.index.t()[chosen % self.places], weights[0, chosen // self.places])
        return dense[:, :-1]

    def distinct(self) -> Tensor:
        """See :class:`~ffstream.wiring.Wiring`: one of every channel, in the middle."""
        return self.middle + self.places * torch.arange(self.units)

    def disconnect(self, weights: Tensor) -> None:
        """See :class:`~ffstream.wiring.Wiring`: there are none."""
