"""Prequential evaluation: every labelled frame is predicted before it is learned, so the stream is its own test set."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from torch import Tensor

WINDOW = 500
"""Labelled frames in the window, unless another is asked for."""


class Prequential:
    """Accuracy of predictions made before learning, over the whole stream and over a window.

    Args:
        window: labelled frames in the window.

    >>> import torch
    >>> score = Prequential(window=2)
    >>> score.update(torch.tensor([1, 1, 0]), torch.tensor([0, 1, 0]))
    >>> score.windowed, round(score.overall, 3)
    (1.0, 0.667)

    Reference: Dawid 1984, "Present position and potential developments: the prequential approach".
    """

    def __init__(self, window: int = WINDOW) -> None:
        self.frames = 0
        self.correct = 0
        self._recent: deque[bool] = deque(maxlen=window)

    def update(self, labels: Tensor, predictions: Tensor) -> None:
        """Score a batch: true and predicted labels, both [batch]."""
        hits: list[bool] = (labels == predictions).tolist()
        self.frames += len(hits)
        self.correct += sum(hits)
        self._recent.extend(hits)

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which :meth:`restore` goes on."""
        return {"frames": self.frames, "correct": self.correct, "recent": [int(hit) for hit in self._recent]}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what :meth:`to_dict` gave."""
        self.frames, self.correct = int(saved["frames"]), int(saved["correct"])
        self._recent.clear()
        self._recent.extend(map(bool, saved["recent"]))

    @property
    def recent(self) -> list[bool]:
        """Whether the last ``window`` predictions, oldest first, were right."""
        return list(self._recent)

    @property
    def overall(self) -> float | None:
        """Share correct of all frames; None before the first."""
        return self.correct / self.frames if self.frames else None

    @property
    def windowed(self) -> float | None:
        """Share correct of the last ``window`` frames; None before the first."""
        return sum(self._recent) / len(self._recent) if self._recent else None
