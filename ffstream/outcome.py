"""What comes out at the end of the chain, in the order of the stream."""

from dataclasses import dataclass, field

from torch import Tensor

from ffstream.layer import LayerReport
from ffstream.polarity import Polarity
from ffstream.stage import StageWeights
from ffstream.stream.events import Change


@dataclass(frozen=True)
class Learned:
    """A wake event has passed all layers.

    ``ids``, ``labels`` [batch] as fed; ``logits`` [batch, classes] of the neutral view, computed by every layer before it
    learned from these frames: the prequential prediction. ``reports`` has one entry a layer when any frame had a label.
    """

    seq: int
    ids: Tensor
    labels: Tensor
    logits: Tensor
    reports: tuple[LayerReport, ...]


@dataclass(frozen=True)
class Dreamt:
    """One batch of sleep ``seq`` has passed all layers: negatives, or positives replayed; ``ids`` and ``labels`` [batch]."""

    seq: int
    step: int
    polarity: Polarity
    ids: Tensor
    labels: Tensor
    reports: tuple[LayerReport, ...]


@dataclass(frozen=True)
class Slept:
    """Sleep ``seq`` is over after ``steps`` batches, replayed ones included (0 when there was nothing to dream of).

    Where dreams are other frames than those that they come from, the first few are here to be looked at: ``frames`` [few,
    inputs], with ``labels`` [few], of frames ``ids`` [few].
    """

    seq: int
    steps: int
    frames: Tensor | None = field(default=None, compare=False, repr=False)
    labels: Tensor | None = field(default=None, compare=False, repr=False)
    ids: Tensor | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Passed:
    """Barrier ``seq`` has passed all layers; what they were then is still being written.

    ``oldest`` is the number of the oldest frame that the dreamer remembers there, None while it remembers none.
    """

    seq: int
    oldest: int | None


@dataclass(frozen=True)
class Saved:
    """Every part has written its state as it was at barrier ``seq``. ``files`` maps file names to their sha256."""

    seq: int
    files: dict[str, str]


@dataclass(frozen=True)
class Published:
    """Weights of every stage as they were after event ``seq``, first to last."""

    seq: int
    stages: tuple[StageWeights, ...] = field(repr=False)


@dataclass(frozen=True)
class Restored:
    """Restore ``seq`` has passed all layers; frames up to number ``through`` are learned or left behind."""

    seq: int
    through: int


@dataclass(frozen=True)
class Changed:
    """Event ``seq`` has passed, and changed, all parts."""

    seq: int
    change: Change


Outcome = Learned | Dreamt | Slept | Passed | Saved | Published | Restored | Changed
