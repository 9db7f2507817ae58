"""What makes a network recurrent, as data: ticks, damping, and what is read of them (paper section 3.4, figure 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ffstream.errors import ConfigError


@dataclass(frozen=True)
class VideoConfig:
    """The "video" wiring: every layer has two sources, the layer below and the layer above, both a tick ago.

    The frame is below the first layer, the label above the last. After one bottom-up pass, in which all that is above is
    silent, all layers step together ``ticks`` times:

        a(t) = relu(W [h_below(t-1), h_above(t-1)] + b)
        s(t) = kept s(t-1) + (1 - kept) a(t)
        h(t) = normalize(s(t))

    Args:
        ticks: steps after the bottom-up pass; every one of them is learned.
        clip: moving frames in one frame of the journal, which holds them one after another: 1 for a still image that is shown
            at every tick, otherwise as many as there are ticks, one a tick.
        kept: share of the old state, before its normalization, that stays.
        read: first and last tick of those whose goodness and states are read, counted from 1.
        lanes: parts of a micro-batch that take turns, so that a layer has another one to work on while its neighbours answer.

    Raises:
        ConfigError: when a setting cannot work.

    Reference: Hinton 2022, sections 3.4 and 3.5.
    """

    ticks: int = 8
    clip: int = 1
    kept: float = 0.3
    read: tuple[int, int] = (3, 5)
    lanes: int = 2

    def __post_init__(self) -> None:
        for name in ("ticks", "clip", "lanes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"video {name}: got {getattr(self, name)}, expected at least 1")
        if self.clip not in (1, self.ticks):
            raise ConfigError(f"video clip: got {self.clip} frames for {self.ticks} ticks, expected 1 or one a tick")
        if not 0 <= self.kept < 1:
            raise ConfigError(f"video kept: got {self.kept}, expected a share of at least 0 and below 1")
        first, last = self.read
        if not 1 <= first <= last <= self.ticks:
            raise ConfigError(f"video read: got ticks {first} to {last}, expected two of 1 to {self.ticks}, in order")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From its fields as plain data, as ``asdict`` gives them."""
        first, last = data["read"]
        return cls(**{**data, "read": (first, last)})
