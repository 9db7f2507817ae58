"""Drift: the stream has changed, labels mean something else or inputs look different. How it is noticed, and what is done.

A network that is to learn something else is held up less by its weights than by what it has fitted to the stream around them:
averages that span two hundred updates, the second moment of inputs that come no more, a readout that is sure of itself, and
dreams of frames whose labels hold no more. Forgetting these, and nothing else, is what helps most (``benchmarks/README.md``).

Detection is River's ADWIN on the errors made before learning. It needs labels: a stream without any cannot be watched.
"""

import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ffstream.errors import ConfigError
from ffstream.labels import UNLABELLED
from ffstream.stream.events import Drift

REACTIONS = ("tell", "sleep", "forget")
"""What can be done about a drift, beside journaling it."""


@dataclass(frozen=True)
class DriftConfig:
    """How a stream is watched.

    Args:
        reaction: ``"tell"`` only journals what was found; ``"sleep"`` also falls asleep at once, for ``dreams`` negatives;
            ``"forget"`` has every part begin anew with what it fitted to the stream (:meth:`ffstream.stage.Stage.forget`), the
            dreamer but for the frames since the change.
        delta: probability of a false alarm that ADWIN is held to; less for fewer and later ones.
        dreams: of the sleep that is a reaction.
    """

    reaction: str = "forget"
    delta: float = 0.002
    dreams: int = 2000

    def __post_init__(self) -> None:
        if self.reaction not in REACTIONS:
            raise ConfigError(f"drift reaction: got {self.reaction!r}, expected one of {list(REACTIONS)}")
        if not 0 < self.delta < 1:
            raise ConfigError(f"drift delta: got {self.delta}, expected a probability between 0 and 1")
        if self.dreams < 1:
            raise ConfigError(f"drift dreams: got {self.dreams}, expected at least 1")


class DriftWatch:
    """Watches predictions that were made before learning; a change for the better is none.

    Args:
        config: how.

    Raises:
        ConfigError: when River is not installed.

    Reference: Bifet and Gavalda 2007, "Learning from time-changing data with adaptive windowing".
    """

    def __init__(self, config: DriftConfig) -> None:
        if importlib.util.find_spec("river") is None:
            raise ConfigError("watching for drift needs River: pip install 'ffstream[drift]'")
        self.config = config
        self.begin()

    def begin(self, recent: Sequence[bool] = (), told: int = 0) -> None:
        """Begin anew.

        Args:
            recent: whether the last predictions, oldest first, were right.
            told: the event up to which everything that was found has been journaled.
        """
        self._recent, self._told = recent, told
        self.__dict__.pop("_errors", None)

    @functools.cached_property
    def _errors(self) -> Any:
        """River's window, which takes a second to import: a service listens before that."""
        from river.drift import ADWIN

        errors = ADWIN(delta=self.config.delta)
        for right in self._recent:
            errors.update(not right)
        return errors

    def observe(self, seq: int, labels: Tensor, predictions: Tensor) -> Drift | None:
        """Take in what was predicted before event ``seq`` was learned; the last drift found there, unless it was journaled.

        Args:
            seq: of the event.
            labels: [batch], some of which may not be known.
            predictions: [batch].
        """
        found = None
        for wrong in (predictions != labels)[labels != UNLABELLED].tolist():
            before = self._errors.estimation
            self._errors.update(wrong)
            since = self._errors.estimation
            if self._errors.drift_detected and since > before:
                found = Drift(seq, int(self._errors.width), before, since, self.config.reaction)
        return found if seq > self._told else None
