"""Polarity belongs to data, phase belongs to time.

A positive row should have high goodness and a negative row low goodness; the network is awake while it
sees positives and asleep while it sees negatives (paper sections 2 and 5.1).
"""

from enum import Enum


class Polarity(Enum):
    """Whether a row is real data or a dream."""

    POSITIVE = "positive"
    NEGATIVE = "negative"

    @property
    def other(self) -> "Polarity":
        """The polarity of the other phase."""
        return Polarity.NEGATIVE if self is Polarity.POSITIVE else Polarity.POSITIVE


class Phase(Enum):
    """What the network is doing now."""

    WAKE = "wake"
    SLEEP = "sleep"
