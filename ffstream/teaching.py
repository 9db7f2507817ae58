"""Whether a phase has anything left to teach."""

from collections import deque
from collections.abc import Iterable, Sequence
from statistics import fmean

from ffstream.layer import LayerReport

WINDOW = 5
"""Batches: a phase is never shorter than that for having nothing to teach."""


class Teaching:
    """Shares of rows that the layers still learned from, batch by batch, in one phase.

    Batches come back late, and how late depends on how fast the layers are. So that no decision does, a decision rests on those
    batches only that are back in any case.

    Args:
        under_way: batches that may not be back yet when a decision is made.
        known: numbers and shares of the latest batches, as :meth:`latest` gave them.
    """

    def __init__(self, under_way: int, known: Iterable[tuple[int, float]] = ()) -> None:
        self.under_way = under_way
        self._taught = deque(((number, share) for number, share in known), maxlen=WINDOW + under_way)

    def observe(self, number: int, reports: Sequence[LayerReport]) -> None:
        """Batch ``number`` has passed all layers; its share is the mean of ``taught`` over them."""
        self._taught.append((number, fmean(report.taught for report in reports)))

    def is_over(self, enough: float | None, sent: int) -> bool:
        """Whether no more than ``enough`` of the latest rows still taught, as is certain once batch ``sent`` is sent."""
        certain = [share for number, share in self._taught if number <= sent + 1 - self.under_way][-WINDOW:]
        return enough is not None and len(certain) == WINDOW and fmean(certain) <= enough

    def latest(self) -> list[tuple[int, float]]:
        """What later decisions depend on."""
        return list(self._taught)
