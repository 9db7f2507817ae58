"""What a network is, as data: frozen, comparable, written into every snapshot."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from ffstream.boxes import BoxConfig
from ffstream.errors import ConfigError
from ffstream.fast_weights import FastWeights
from ffstream.fields import FieldsConfig
from ffstream.layer_config import LayerConfig, ReadoutConfig, unusual
from ffstream.masks import side_of
from ffstream.negatives import NEGATIVES
from ffstream.scales import width
from ffstream.symbols import LARGEST
from ffstream.video import VideoConfig

ENCODINGS = ("numbers", "symbols")
"""What a frame can be."""

AVERAGE_SPAN = 200
"""Updates that the averaged weights span at most, unless a configuration says otherwise."""

CERTAINTY = 0.99
"""Probability that an exact step leads to, unless a configuration says otherwise."""

USUAL: dict[str, Any] = {
    "video": None,
    "encoding": "numbers",
    "standardize": False,
    "average_span": AVERAGE_SPAN,
    "certainty": CERTAINTY,
    "fields": None,
    "fast_weights": None,
    "box": None,
    "hardware": None,
    "soft_labels": False,
}
"""Settings of a network that came later than the first snapshots, as those were made."""

PARTS: dict[str, Any] = {"video": VideoConfig, "fields": FieldsConfig, "fast_weights": FastWeights, "box": BoxConfig}
"""Settings of a network that are configurations of their own, where there are any."""


@dataclass(frozen=True)
class NetworkConfig:
    """A whole network: its shape, its labels, its constants, its seed.

    Args:
        inputs: numbers in a frame.
        classes: number of labels, at least 2.
        units: width of every layer, first to last.
        batch: frames in a full micro-batch, and dreams in a batch of negatives. A smaller micro-batch counts as that
            share of an update, so that learning does not depend on how the stream trickles in.
        label_strength: length of the label's vector as a share of the frame's length.
        negatives: name in :data:`ffstream.negatives.NEGATIVES`, which also decides what a positive is. For frames that stay
            ambiguous ``"uniform_labels"`` leave more in the goodness.
        memory: recent frames that are kept for dreaming of.
        seed: of the first weights and, with the event's number, of every dream.
        video: makes the network recurrent (:class:`~ffstream.video.VideoConfig`); None for feed-forward.
        encoding: ``"numbers"`` when a frame is what it is; ``"symbols"`` when it is a window of ``inputs`` symbols, each from 0
            to ``classes - 1``, and its label the one that follows (:mod:`ffstream.symbols`).
        standardize: whether the numbers of a frame are scaled by their running means and variances (:mod:`ffstream.scales`);
            for tables, whose columns have scales of their own.
        average_span: updates that the averaged weights, which are what is read, span at most (:mod:`ffstream.average`). Few
            follow what drifts, many read better what does not.
        certainty: probability with which every layer takes a frame that it has learned in one step for a positive, and denies
            it with any other label (:mod:`ffstream.exact`). The higher, the further it is carried over to other frames.
        fields: gives every layer local receptive fields (:class:`~ffstream.fields.FieldsConfig`), of which ``units`` are then
            those; None for dense layers.
        fast_weights: what the first layer sees of a window of symbols, where that is more than the symbols as they are
            (:class:`~ffstream.fast_weights.FastWeights`).
        box: what stands between every two layers (:class:`~ffstream.boxes.BoxConfig`); None for nothing.
        hardware: number of the emulated instance that layers run on (:mod:`ffstream.hardware`); None for one that is exact.
        soft_labels: whether the last ``classes`` numbers of a frame are how probable each label is (:mod:`ffstream.soft`).

    >>> NetworkConfig(inputs=64, classes=10, units=(200, 200)).depth
    2
    """

    inputs: int
    classes: int
    units: tuple[int, ...] = (500, 500, 500)
    batch: int = 100
    label_strength: float = 1.5
    negatives: str = "confused_labels"
    memory: int = 10_000
    seed: int = 0
    layer: LayerConfig = field(default_factory=LayerConfig)
    readout: ReadoutConfig = field(default_factory=ReadoutConfig)
    video: VideoConfig | None = None
    encoding: str = "numbers"
    standardize: bool = False
    average_span: int = AVERAGE_SPAN
    certainty: float = CERTAINTY
    fields: FieldsConfig | None = None
    fast_weights: FastWeights | None = None
    box: BoxConfig | None = None
    hardware: int | None = None
    soft_labels: bool = False

    def __post_init__(self) -> None:
        for name in ("inputs", "batch", "memory", "average_span"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: got {getattr(self, name)}, expected at least 1")
        if self.classes < 2:
            raise ConfigError(f"classes: got {self.classes}, expected at least 2 (a dream needs a wrong label)")
        if not self.units or min(self.units) < 1:
            raise ConfigError(f"units: got {self.units}, expected one positive width a layer")
        if self.layer.blocks > min(self.units):
            raise ConfigError(f"blocks: got {self.layer.blocks}, but a layer has {min(self.units)} units: a block needs one")
        if self.seed < 0:
            raise ConfigError(f"seed: got {self.seed}, expected at least 0")
        if not 0.5 < self.certainty < 1:
            raise ConfigError(f"certainty: got {self.certainty}, expected a probability above 0.5 and below 1")
        if not 0 < self.label_strength < math.inf:
            raise ConfigError(f"label_strength: got {self.label_strength}, expected a number above 0")
        self._check_encoding()
        self._check_negatives()
        self._check_soft_labels()
        self._check_hardware()
        self._check_video()
        self._check_fields()

    def _check_soft_labels(self) -> None:
        if self.soft_labels and (self.standardize or not self.wrong_labels or self.inputs <= self.classes):
            raise ConfigError(
                "soft_labels: expected frames of numbers as they are, one more for every label, beside which it is told"
            )

    def _check_hardware(self) -> None:
        if self.hardware is not None and self.hardware < 0:
            raise ConfigError(f"hardware: got {self.hardware}, expected the number of an instance, at least 0")
        if self.hardware is not None and self.layer.activation != "relu":
            raise ConfigError(f"activation: got {self.layer.activation!r}, but units on an instance of hardware have their own")

    def _check_fields(self) -> None:
        if self.fields is None:
            return
        if self.fields.units != self.units:
            raise ConfigError(f"units: got {self.units}, expected the {self.fields.units} of the fields")
        if self.fields.inputs != self.pixels:
            raise ConfigError(f"inputs: got {self.pixels} numbers at once, expected the {self.fields.inputs} that fields see")
        if self.symbols is not None or self.standardize:
            raise ConfigError("fields: they are of pictures, whose numbers are seen as they are")
        self.fields.check_shared(self.layer.goodness, recurrent=self.video is not None)

    def _check_video(self) -> None:
        if self.video is None:
            return
        if self.inputs % self.video.clip:
            raise ConfigError(f"inputs: got {self.inputs}, expected a multiple of the {self.video.clip} frames of a clip")
        if not self.wrong_labels:
            raise ConfigError(f"negatives: got {self.negatives!r}, but a recurrent network learns from wrong labels")
        if self.symbols is not None:
            raise ConfigError(f"encoding: got {self.encoding!r}, but a recurrent network sees numbers")
        for name in ("standardize", "box", "hardware", "soft_labels"):
            if getattr(self, name) != USUAL[name]:
                raise ConfigError(f"{name}: got {getattr(self, name)}, which a recurrent network does not have")
        if self.readout.joint:
            raise ConfigError("readout joint: a recurrent network has a slice beside each layer")

    def _check_encoding(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ConfigError(f"encoding: got {self.encoding!r}, expected one of {list(ENCODINGS)}")
        if self.symbols is not None and self.symbols > LARGEST + 1:
            raise ConfigError(f"classes: got {self.classes}, expected at most {LARGEST + 1} kinds of symbols")
        fast = self.fast_weights
        if fast is not None and (self.symbols is None or fast.shortest > self.inputs):
            raise ConfigError(f"fast_weights: got {self.inputs} {self.encoding}, expected at least {fast.shortest} symbols")
        if self.symbols is not None and self.standardize:
            raise ConfigError(f"standardize: numbers have a scale, but got encoding {self.encoding!r}")

    def _check_negatives(self) -> None:
        if self.negatives not in NEGATIVES:
            raise ConfigError(f"negatives: got {self.negatives!r}, expected one of {sorted(NEGATIVES)}")
        if NEGATIVES[self.negatives].negatives_per_frame >= self.classes:
            raise ConfigError(f"classes: got {self.classes}, but {self.negatives} draws that many wrong labels for a frame")
        if self.generates and self.symbols is None:
            raise ConfigError(f"negatives: {self.negatives} are made of symbols: got encoding {self.encoding!r}")
        if not self.wrong_labels:
            side_of(self.inputs)

    @property
    def wrong_labels(self) -> bool:
        """Whether negatives are frames with wrong labels; else labels are for the readout only."""
        return NEGATIVES[self.negatives].wrong_labels

    @property
    def generates(self) -> bool:
        """Whether the network makes its negatives itself."""
        return NEGATIVES[self.negatives].generates

    @property
    def symbols(self) -> int | None:
        """Kinds of symbols in a frame; None when frames are numbers."""
        return self.classes if self.encoding == "symbols" else None

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.units)

    @property
    def pixels(self) -> int:
        """Numbers that are seen at once: a frame, without what it says of its label, or one of a clip's."""
        inputs = self.inputs - self.classes if self.soft_labels else self.inputs
        return inputs if self.video is None else inputs // self.video.clip

    def sources(self, index: int) -> tuple[int, ...]:
        """Widths of what layer ``index`` is wired to.

        Feed-forward: the frame and the label for the first, the layer below for every other. Recurrent: what is below, the
        frame or a layer, and what is above, a layer or the label.
        """
        below = self._seen if index == 0 else self.units[index - 1]
        if self.video is None:
            return (below, self.classes) if index == 0 else (below,)
        return below, self.classes if index == self.depth - 1 else self.units[index + 1]

    @property
    def _seen(self) -> int:
        """Numbers that the first layer sees of what is seen at once."""
        if self.fast_weights is not None:
            return self.fast_weights.width(self.classes)
        return width(self.inputs) if self.standardize else self.pixels * (self.symbols or 1)

    def read_beside(self, index: int) -> tuple[int, ...]:
        """Widths of the layers whose activities the readout beside layer ``index`` reads."""
        if not self.readout.joint:
            return (self.units[index],)
        return self.units if index == self.depth - 1 else ()

    def layer_inputs(self, index: int) -> int:
        """Numbers that layer ``index`` receives from all its sources."""
        return sum(self.sources(index))

    def to_dict(self) -> dict[str, Any]:
        """Plain data that :meth:`from_dict` reads back.

        What is as in :data:`USUAL` is not mentioned: such a network has the digest that it had before there were others.
        """
        plain = asdict(self)
        for name in ("video", "fields"):
            if (part := getattr(self, name)) is not None:
                plain[name] = part.to_dict()
        plain["layer"], plain["readout"] = self.layer.to_dict(), self.readout.to_dict()
        return unusual(plain, USUAL)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`; unknown names are a :class:`ConfigError`."""
        plain = dict(data)
        unknown = set(plain) - {each.name for each in fields(cls)}
        if unknown:
            raise ConfigError(f"network configuration: unknown names {sorted(unknown)}")
        try:
            plain["units"] = tuple(plain["units"])
            plain["layer"] = LayerConfig(**plain["layer"])
            plain["readout"] = ReadoutConfig(**plain["readout"])
            for name, kind in PARTS.items():
                if plain.get(name) is not None:
                    plain[name] = kind.from_dict(plain[name])
            return cls(**plain)
        except (KeyError, TypeError) as error:
            raise ConfigError(f"network configuration: {error}") from error

    def digest(self) -> str:
        """A sha256 that differs when anything differs."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()
