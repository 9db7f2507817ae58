"""What makes a network recurrent, as data: ticks, damping, and what is read of them (paper section 3.4, figure 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from ffstream.errors import ConfigError
from ffstream.layer_config import unusual

USUAL_OF_VIDEOS: dict[str, Any] = {"learn": None}
"""Settings that came later than the first snapshots, as those were made: plain data does not mention them."""


@dataclass(frozen=True)
class VideoConfig:
    """The "video" wiring: every layer has two sources, the layer below and the layer above, both a tick ago.

    The frame is below the first layer, the label above the last. After one bottom-up pass, in which all that is above is
    silent, all layers step together ``ticks`` times:

        a(t) = relu(W [h_below(t-1), h_above(t-1)] + b)
        s(t) = kept s(t-1) + (1 - kept) a(t)
        h(t) = normalize(s(t))

    Args:
        ticks: steps after the bottom-up pass.
        clip: moving frames in one frame of the journal, which holds them one after another: 1 for a still image that is shown
            at every tick, otherwise as many as there are ticks, one a tick.
        kept: share of the old state, before its normalization, that stays.
        read: first and last tick of those whose goodness and states are read, counted from 1.
        lanes: parts of a micro-batch that take turns, so that a layer has another one to work on while its neighbours answer.
        learn: first and last tick of those that are learned; None for all. A micro-batch counts as one update whichever they
            are, and a tick of a layer takes several times as long to learn as to compute.

    Raises:
        ConfigError: when a setting cannot work.

    Reference: Hinton 2022, sections 3.4 and 3.5.
    """

    ticks: int = 8
    clip: int = 1
    kept: float = 0.3
    read: tuple[int, int] = (3, 5)
    lanes: int = 2
    learn: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("ticks", "clip", "lanes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"video {name}: got {getattr(self, name)}, expected at least 1")
        if self.clip not in (1, self.ticks):
            raise ConfigError(f"video clip: got {self.clip} frames for {self.ticks} ticks, expected 1 or one a tick")
        if not 0 <= self.kept < 1:
            raise ConfigError(f"video kept: got {self.kept}, expected a share of at least 0 and below 1")
        for name, (first, last) in {"read": self.read, "learn": self.learned}.items():
            if not 1 <= first <= last <= self.ticks:
                raise ConfigError(f"video {name}: got ticks {first} to {last}, expected two of 1 to {self.ticks}, in order")

    @property
    def learned(self) -> tuple[int, int]:
        """First and last tick of those that are learned."""
        return self.learn or (1, self.ticks)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without what is as in :data:`USUAL_OF_VIDEOS`."""
        return unusual(asdict(self), USUAL_OF_VIDEOS)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`; lists may stand for pairs."""
        windows = {name: _window(data[name]) for name in ("read", "learn") if data.get(name) is not None}
        return cls(**{**data, **windows})


def _window(ticks: Sequence[int]) -> tuple[int, int]:
    try:
        first, last = ticks
    except (TypeError, ValueError) as error:
        raise ConfigError(f"video: got ticks {ticks!r}, expected a first and a last one") from error
    return first, last
