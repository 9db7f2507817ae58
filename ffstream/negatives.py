"""Negatives: what sleep unlearns, made offline from what was seen while awake.

In wake the neutral view of a frame ends in a prediction, made before the frame is learned. Frame number, label and logits are
kept for the most recent frames; activities and pixels are not. In sleep the same frames return as something that they are
not: with a wrong label, or mixed with another frame. A source of negatives is a :class:`DreamMemory` that says how; it
is named in :data:`NEGATIVES` so that a configuration can ask for it by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.labels import UNLABELLED
from ffstream.masks import blobs
from ffstream.seeds import keyed

FAINTEST = 1e-12
"""The least probability, against the likeliest, that a label is drawn with."""

Recall = Callable[[NDArray[np.int64]], Tensor]
"""Reads frames back by number: ``[n]`` to ``[n, inputs]``."""


@dataclass(frozen=True)
class Dream:
    """One batch of negatives: frames [batch, inputs] with labels [batch] that are not theirs, or with none.

    ``ids`` [batch] are the numbers of the frames that they come from; ``seen`` [batch, inputs] and ``own`` [batch] are those
    frames as they were, and their labels.
    """

    frames: Tensor
    labels: Tensor
    ids: NDArray[np.int64]
    seen: Tensor
    own: Tensor


class DreamMemory(ABC):
    """The most recent frames that were learned from, and how a dream is made of them; bounded and offline.

    Args:
        capacity: recent frames that are remembered.
        classes: number of labels.
        seed: of the network.
    """

    wrong_labels: ClassVar[bool] = True
    """Whether a negative is a frame with a wrong label. Then a frame with its label is a positive, and one without teaches
    nothing; else every frame is a positive as it is."""

    negatives_per_frame: ClassVar[int] = 1
    """Negatives of one frame in a batch."""

    def __init__(self, capacity: int, classes: int, seed: int = 0) -> None:
        self.capacity = capacity
        self.seed = seed
        self.ids = torch.zeros(capacity, dtype=torch.int64)
        self.labels = torch.zeros(capacity, dtype=torch.int64)
        self.logits = torch.zeros(capacity, classes)
        self.observed = torch.zeros((), dtype=torch.int64)

    def __len__(self) -> int:
        return min(int(self.observed), self.capacity)

    @property
    def oldest(self) -> int | None:
        """Number of the oldest frame that is remembered; None while none is."""
        return int(self.ids[: len(self)].min()) if len(self) else None

    def observe(self, ids: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Remember frames: numbers [batch], labels [batch], neutral-view logits [batch, classes]."""
        slots = (int(self.observed) + torch.arange(len(ids))) % self.capacity
        self.ids[slots], self.labels[slots], self.logits[slots] = ids, labels, logits
        self.observed += len(ids)

    def draw(self, steps: int, batch: int, number: int, recall: Recall) -> Iterator[Dream]:
        """Dream of the most recent frames in random order, one batch a step.

        When fewer are remembered than are needed they are dreamt of several times, differently each time.

        Args:
            steps: batches to draw; none is drawn while nothing has been observed.
            batch: rows a batch.
            number: of the sleep, which keys the random numbers.
            recall: reads frames back.
        """
        frames = -(-batch // self.negatives_per_frame)
        recent = min(len(self), steps * frames)
        if not recent:
            return
        rng = keyed(self.seed, "dream", number)
        slots = (int(self.observed) - 1 - np.arange(recent)) % self.capacity
        rounds = -(-steps * frames // recent)
        order = np.concatenate([rng.permutation(slots) for _ in range(rounds)])
        for step in range(steps):
            chosen = torch.from_numpy(order[step * frames : (step + 1) * frames])
            yield self._dream(chosen, rng, recall, batch)

    @abstractmethod
    def _dream(self, slots: Tensor, rng: np.random.Generator, recall: Recall, batch: int) -> Dream:
        """Negatives [batch] of the remembered frames ``slots``."""

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next draw depends on, by name."""
        return {"ids": self.ids, "labels": self.labels, "logits": self.logits, "observed": self.observed}


class ConfusedLabels(DreamMemory):
    """A wrong label drawn by how probable the network thought it: hard negatives, for no extra forward pass (section 3.3).

    It is drawn from ``softmax(logits)`` with the true class masked out, and with it those drawn before for the same frame.
    """

    def _dream(self, slots: Tensor, rng: np.random.Generator, recall: Recall, batch: int) -> Dream:
        labels = self._wrong_labels(slots, rng).reshape(-1)[:batch]
        slots = slots.repeat_interleave(self.negatives_per_frame)[:batch]
        ids = self.ids[slots].numpy()
        seen = recall(ids)
        return Dream(seen, labels, ids, seen, self.labels[slots])

    def _wrong_labels(self, slots: Tensor, rng: np.random.Generator) -> Tensor:
        """``[frames]`` to ``[frames, negatives_per_frame]``: inverse-transform sampling, in double precision."""
        p = self._likely(slots).scatter_(1, self.labels[slots, None], 0.0)
        drawn = []
        for _ in range(self.negatives_per_frame):
            cumulative = p.cumsum(dim=1)
            below_total = cumulative[:, -1:] * (1 - 1e-12)
            at = torch.from_numpy(rng.random((len(slots), 1))) * below_total
            drawn.append(torch.searchsorted(cumulative, at, right=True))
            p.scatter_(1, drawn[-1], 0.0)
        return torch.cat(drawn, dim=1)

    def _likely(self, slots: Tensor) -> Tensor:
        """Probabilities [frames, classes], up to a constant a row; none is 0."""
        logits = self.logits[slots].double()
        return (logits - logits.amax(dim=1, keepdim=True)).exp().add_(FAINTEST)


class UniformLabels(ConfusedLabels):
    """A wrong label drawn evenly: what the paper begins with, and what needs no prediction."""

    def _likely(self, slots: Tensor) -> Tensor:
        return torch.ones(len(slots), self.logits.shape[1], dtype=torch.float64)


class TwoConfusedLabels(ConfusedLabels):
    """Two different wrong labels a frame, side by side in one batch; with ``dreams_per_frame`` 2 all frames get them."""

    negatives_per_frame: ClassVar[int] = 2


class HybridFrames(DreamMemory):
    """Two frames mixed by a mask of large regions; labels play no part (section 3.2, figure 1).

    ``mask x + (1 - mask) x'``: locally like a frame, far apart like none, so that a layer has to learn what goes
    together over a distance. Frames must be square.
    """

    wrong_labels: ClassVar[bool] = False

    def _dream(self, slots: Tensor, rng: np.random.Generator, recall: Recall, batch: int) -> Dream:
        ids = self.ids[slots].numpy()
        others = self.ids[(slots + 1 + torch.from_numpy(rng.integers(max(1, len(self) - 1), size=batch))) % len(self)].numpy()
        seen = recall(ids)
        mask = blobs(batch, seen.shape[1], rng)
        mixed = mask * seen + (1 - mask) * recall(others)
        return Dream(mixed, torch.full((batch,), UNLABELLED), ids, seen, self.labels[slots])


NEGATIVES: dict[str, type[DreamMemory]] = {
    "confused_labels": ConfusedLabels,
    "uniform_labels": UniformLabels,
    "two_confused_labels": TwoConfusedLabels,
    "hybrid_frames": HybridFrames,
}
"""The sources of negatives that a configuration can name."""
