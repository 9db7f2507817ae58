"""A wider network out of one that has learned: more labels, or more numbers in a frame.

What a part has learned goes to where it belongs now. In a row, which is one source after another with the bias last, every
source grows at its end; so do labels. What is new is chosen so that old frames with old labels are answered as before, to
rounding, and so that new labels are learned at once:

    w_new = mean w_old + 0.3 N(0, 1 / inputs)   columns of new labels: what the neutral label adds up to stays about the same
    w_new ~ N(0, 1 / inputs)                    columns of new numbers in a frame, which were 0 before: as in a new layer
    w <- w sqrt(inputs before / inputs now)     a first layer's other columns: its rows, of length sqrt(inputs), are longer now
    r_new = 0                                   readout: logits of old labels have mean 0, and so has a label that is new
    C_new = 0, v_new = 0, m_new = 0             moments, running means, memories: nothing was seen yet

Directions of the curvature are 0 in new places, which count as the rest does; those of the spectrum are found anew. A running
average of weights counts no more than :data:`RECENT` updates from then on, which keeps its window short enough to show soon
what has been learned since.

On scikit-learn's digits, columns drawn as in a new layer cost known labels up to 7 points of accuracy by goodness at once,
these none to one. A tenth label, after nine were learned from 10,000 frames, is read in one pass from 93 % of its frames after
1,000 more; with averages that count on from 33 %.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

import torch
from torch import Tensor

from ffstream.config import NetworkConfig
from ffstream.devices import CPU
from ffstream.errors import ConfigError
from ffstream.negatives import DreamMemory
from ffstream.stage import Stage

FRESH = 0.3
"""Of first weights that goes into the columns of a new label: what tells several new ones apart."""

RECENT = 250
"""Updates: fewer show a new label sooner, more keep goodness steadier."""


class Axis(Enum):
    """How an axis grows."""

    ROW = "row"
    """It is a layer's input: every source grows at its end, the bias stays last."""

    END = "end"
    FRONT = "front"
    """New places come after the old ones, or before them."""


COLUMNS = (Axis.END, Axis.ROW)
ROWS = (Axis.END, Axis.END)

LAYOUT: dict[str, tuple[Axis, ...]] = {
    "layer.weights": COLUMNS,
    "layer.rule.velocity": COLUMNS,
    "layer.rule.square": COLUMNS,
    "layer.rule.memory.positive": COLUMNS,
    "layer.rule.memory.negative": COLUMNS,
    "layer.rule.curvature.moment": (Axis.ROW, Axis.ROW),
    "layer.rule.curvature.basis": (Axis.ROW, Axis.FRONT),
    "layer.rule.curvature.gains": (Axis.FRONT,),
    "average.layer": COLUMNS,
    "average.readout": ROWS,
    "readout.weights": ROWS,
    "logits": ROWS,
    "scales.moments": (Axis.END, Axis.END),
    "scales.frames": (Axis.END,),
}
"""Axes of every tensor that can grow, by name. The curvature's directions are in ascending order: new ones have gain 0."""

BASIS = "layer.rule.curvature.basis"
SPECTRUM = "layer.rule.spectrum."
WEIGHTS = ("layer.weights", "average.layer")


def grown(stage: Stage, config: NetworkConfig) -> Stage:
    """A stage that has learned what ``stage`` has, in a network that differs from its own in more classes or inputs only.

    With nothing to grow it is the same to the bit; what grows, grows to the same bits every time.

    Raises:
        ConfigError: when the network cannot become this one.
    """
    check_growth(stage.config, config)
    wider = Stage(config, stage.index)
    before, after = stage.to(CPU).state(), wider.state()
    old, new = stage.config.sources(stage.index), config.sources(stage.index)
    places = _places(old, new)
    for name, tensor in after.items():
        if old == new or not name.startswith(SPECTRUM):
            _carry(name, before[name], tensor, places)
    if old != new:
        shorter = (sum(old) / sum(new)) ** 0.5 if config.video is None else 1.0
        for name in WEIGHTS:
            after[name][:, places[:-1]] *= shorter
            _add_labels(after[name][:, -1 - config.classes : -1], stage.config.classes)
    if old != new or config.classes != stage.config.classes:
        after["average.updates"].clamp_(max=RECENT)
    return wider.to(stage.device)


def grown_memory(memory: DreamMemory, classes: int) -> DreamMemory:
    """A dreamer's memory to which new labels are as probable as the mean of the old ones."""
    wider = type(memory)(memory.capacity, classes, memory.seed)
    for name, tensor in wider.state().items():
        _carry(name, memory.state()[name], tensor, places=torch.arange(0))
    return wider


def check_growth(before: NetworkConfig, config: NetworkConfig) -> None:
    """Refuse what is no growth.

    Raises:
        ConfigError: saying why.
    """
    if config != replace(before, classes=config.classes, inputs=config.inputs):
        raise ConfigError("a network grows in classes and inputs only: everything else has to stay as it is")
    for name, old, new in (("classes", before.classes, config.classes), ("inputs", before.inputs, config.inputs)):
        if new < old:
            raise ConfigError(f"{name}: got {new}, expected at least the {old} that there are: a network does not shrink")
    if config != before and config.symbols is not None:
        raise ConfigError("classes: a network of symbols does not grow, for its frames are made of what its labels are")
    if config != before and config.fields is not None:
        raise ConfigError("classes: a network with local receptive fields does not grow")
    if config != before and config.soft_labels:
        raise ConfigError("classes: a network of soft labels does not grow, for its frames end with them")
    if config.inputs != before.inputs and config.video is not None:
        raise ConfigError("inputs: a recurrent network's frames do not grow, for they are pictures of one size")


def _places(old: Sequence[int], new: Sequence[int]) -> Tensor:
    """Where the numbers of a row of sources ``old``, and its bias, are in a row of sources ``new``."""
    starts = [sum(new[:at]) for at in range(len(new) + 1)]
    return torch.cat([start + torch.arange(width) for start, width in zip(starts, (*old, 1), strict=True)])


def _carry(name: str, old: Tensor, new: Tensor, places: Tensor) -> None:
    """Put old values into a new tensor, which keeps what it has elsewhere."""
    if old.shape == new.shape:
        new.copy_(old)
        return
    if name == BASIS:
        added = new.shape[1] - old.shape[1]
        inserted = torch.ones(len(new), dtype=torch.bool).index_fill_(0, places, value=False).nonzero()[:added, 0]
        new.zero_()[inserted, torch.arange(added)] = 1
    at = []
    for axis, before, now in zip(LAYOUT[name], old.shape, new.shape, strict=True):
        first = now - before if axis is Axis.FRONT else 0
        at.append(places if axis is Axis.ROW else torch.arange(before) + first)
    new[torch.meshgrid(*at, indexing="ij")] = old


def _add_labels(columns: Tensor, known: int) -> None:
    """Columns [units, classes] of labels beyond those ``known``, which are as in a new layer still."""
    columns[:, known:].mul_(FRESH).add_(columns[:, :known].mean(dim=1, keepdim=True))
