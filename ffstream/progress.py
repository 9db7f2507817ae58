"""What a stream has learned so far, folded from its outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ffstream.layer import LayerReport
from ffstream.outcome import Changed, Dreamt, Learned, Outcome, Restored, Slept
from ffstream.polarity import Phase, Polarity
from ffstream.prequential import WINDOW, Prequential
from ffstream.stream.events import Drift

COUNTS = ("frames", "dreams", "sleeps", "drifts", "through")
"""What a snapshot keeps of a moment, beside the score."""


@dataclass(frozen=True)
class Progress:
    """A moment of a stream. Replaced as a whole, so that any thread may read it.

    Every frame up to number ``through`` is learned, or was left behind by a restore. ``goodness`` holds the
    latest report of every layer by polarity; accuracies are shares, None before the first labelled frame.
    """

    seq: int = 0
    frames: int = 0
    dreams: int = 0
    sleeps: int = 0
    drifts: int = 0
    phase: Phase = Phase.WAKE
    accuracy: float | None = None
    accuracy_overall: float | None = None
    labelled: int = 0
    through: int = 0
    goodness: dict[Polarity, tuple[LayerReport, ...]] = field(default_factory=dict)


class ProgressFold:
    """Keeps :class:`Progress` up to date; ``window`` labelled frames count for the windowed accuracy."""

    def __init__(self, window: int = WINDOW) -> None:
        self.now = Progress()
        self._score = Prequential(window)

    def phase(self, phase: Phase) -> None:
        """The network has fallen asleep or woken up."""
        self.now = replace(self.now, phase=phase)

    def observe(self, outcome: Outcome) -> None:
        """Take in what came out of the chain."""
        match outcome:
            case Learned():
                self._learned(outcome)
            case Dreamt():
                dreams = self.now.dreams + (len(outcome.labels) if outcome.polarity is Polarity.NEGATIVE else 0)
                self.now = replace(self.now, dreams=dreams, goodness=self._with(outcome.polarity, outcome.reports))
            case Changed():
                drifts = self.now.drifts + isinstance(outcome.change, Drift)
                self.now = replace(self.now, seq=outcome.seq, drifts=drifts)
            case Restored():
                self.now = replace(self.now, seq=outcome.seq, through=outcome.through)
            case Slept():
                self.now = replace(self.now, seq=outcome.seq, sleeps=self.now.sleeps + 1, phase=Phase.WAKE)

    def _learned(self, outcome: Learned) -> None:
        known = outcome.labels >= 0
        self._score.update(outcome.labels[known], outcome.logits[known].argmax(dim=1))
        self.now = replace(
            self.now,
            seq=outcome.seq,
            frames=self.now.frames + len(outcome.labels),
            through=int(outcome.ids[-1]),
            goodness=self._with(Polarity.POSITIVE, outcome.reports),
            **self._scores(),
        )

    def _scores(self) -> dict[str, Any]:
        score = self._score
        return {"accuracy": score.windowed, "accuracy_overall": score.overall, "labelled": score.frames}

    def _with(self, polarity: Polarity, reports: tuple[LayerReport, ...]) -> dict[Polarity, tuple[LayerReport, ...]]:
        return self.now.goodness | ({polarity: reports} if reports else {})

    @property
    def recent(self) -> list[bool]:
        """Whether the last predictions, oldest first, were right."""
        return self._score.recent

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which :meth:`restore` goes on."""
        now = self.now
        return {name: getattr(now, name) for name in COUNTS} | {"score": self._score.to_dict()}

    def restore(self, seq: int, saved: Mapping[str, Any]) -> None:
        """Go on from what :meth:`to_dict` gave after event ``seq``."""
        self._score.restore(saved["score"])
        counts: dict[str, Any] = {name: int(saved.get(name, 0)) for name in COUNTS}
        self.now = replace(self.now, seq=seq, **counts, **self._scores())
