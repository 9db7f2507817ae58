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
from ffstream.sampling import draw, likely
from ffstream.seeds import keyed
from ffstream.symbols import Predict, follow, to_frames

GENERATED = 5
"""Symbols that are generated after one window."""

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

    def split(self, batch: int) -> Iterator["Dream"]:
        """In batches of ``batch`` rows."""
        for first in range(0, len(self.labels), batch):
            rows = slice(first, first + batch)
            yield Dream(self.frames[rows], self.labels[rows], self.ids[rows], self.seen[rows], self.own[rows])


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

    generates: ClassVar[bool] = False
    """Whether it asks the network as it fell asleep what comes next. Then frames are windows of symbols."""

    batches_at_once: ClassVar[int] = 1
    """Batches that are made together."""

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

    def draw(self, steps: int, batch: int, number: int, recall: Recall, predict: Predict | None = None) -> Iterator[Dream]:
        """Dream of the most recent frames in random order, one batch a step.

        When fewer are remembered than are needed they are dreamt of several times, differently each time.

        Args:
            steps: batches to draw; none is drawn while nothing has been observed.
            batch: rows a batch.
            number: of the sleep, which keys the random numbers.
            recall: reads frames back.
            predict: the network as it fell asleep; needed by a source that generates.
        """
        frames = -(-batch // self.negatives_per_frame)
        recent = min(len(self), steps * frames)
        if not recent:
            return
        rng = keyed(self.seed, "dream", number)
        slots = (int(self.observed) - 1 - np.arange(recent)) % self.capacity
        rounds = -(-steps * frames // recent)
        order = np.concatenate([rng.permutation(slots) for _ in range(rounds)])
        for first in range(0, steps, self.batches_at_once):
            last = min(steps, first + self.batches_at_once)
            chosen = torch.from_numpy(order[first * frames : last * frames])
            yield from self._dream(chosen, rng, recall, (last - first) * batch, predict).split(batch)

    def forget(self, kept: int) -> None:
        """Remember the last ``kept`` frames only."""
        last = (int(self.observed) - torch.arange(min(kept, len(self)), 0, -1)) % self.capacity
        ids, labels, logits = self.ids[last], self.labels[last], self.logits[last]
        self.observed.zero_()
        self.observe(ids, labels, logits)

    @abstractmethod
    def _dream(self, slots: Tensor, rng: np.random.Generator, recall: Recall, rows: int, predict: Predict | None) -> Dream:
        """Negatives [rows] of the remembered frames ``slots``."""

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next draw depends on, by name."""
        return {"ids": self.ids, "labels": self.labels, "logits": self.logits, "observed": self.observed}


class ConfusedLabels(DreamMemory):
    """A wrong label drawn by how probable the network thought it: hard negatives, for no extra forward pass (section 3.3).

    It is drawn from ``softmax(logits)`` with the true class masked out, and with it those drawn before for the same frame.

    Where the network is mostly unsure, they leave little to the goodness: a layer is at rest where its evidence is how much
    likelier a label ``y`` is awake, ``p(y)``, than asleep. With probabilities that are right,

        k (g(y) - threshold) = log p(y) - log sum_t p(t) p(y) / (1 - p(t)) = -log sum_t p(t) / (1 - p(t)),    t != y

    which is about the same for all labels while none is likely: those that are drawn the most are unlearned the most, and the
    prediction takes its own evidence away. :class:`UniformLabels` leave all of it in the goodness.
    """

    def _dream(self, slots: Tensor, rng: np.random.Generator, recall: Recall, rows: int, predict: Predict | None) -> Dream:
        labels = self._wrong_labels(slots, rng).reshape(-1)[:rows]
        slots = slots.repeat_interleave(self.negatives_per_frame)[:rows]
        ids = self.ids[slots].numpy()
        seen = recall(ids)
        return Dream(seen, labels, ids, seen, self.labels[slots])

    def _wrong_labels(self, slots: Tensor, rng: np.random.Generator) -> Tensor:
        """``[frames]`` to ``[frames, negatives_per_frame]``."""
        p = self._likely(slots).scatter_(1, self.labels[slots, None], 0.0)
        drawn = []
        for _ in range(self.negatives_per_frame):
            drawn.append(draw(p, rng))
            p.scatter_(1, drawn[-1], 0.0)
        return torch.cat(drawn, dim=1)

    def _likely(self, slots: Tensor) -> Tensor:
        """Probabilities [frames, classes], up to a constant a row; none is 0."""
        return likely(self.logits[slots])


class UniformLabels(ConfusedLabels):
    """A wrong label drawn evenly: what the paper begins with, and what needs no prediction.

    A layer is at rest where ``k (g(y) - threshold) = log p(y) / (1 - p(y))``, up to a constant: the better choice for frames
    that stay ambiguous (``benchmarks/README.md``, ``cifar``).
    """

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

    def _dream(self, slots: Tensor, rng: np.random.Generator, recall: Recall, rows: int, predict: Predict | None) -> Dream:
        ids = self.ids[slots].numpy()
        others = self.ids[(slots + 1 + torch.from_numpy(rng.integers(max(1, len(self) - 1), size=rows))) % len(self)].numpy()
        seen = recall(ids)
        mask = blobs(rows, seen.shape[1], rng)
        mixed = mask * seen + (1 - mask) * recall(others)
        return Dream(mixed, torch.full((rows,), UNLABELLED), ids, seen, self.labels[slots])


class GeneratedSymbols(DreamMemory):
    """What the network itself would have gone on to say: free-running generation, made offline (section 4.1).

    From the window of a frame the network, as it fell asleep, goes on by itself for :data:`GENERATED` symbols, each drawn from
    what it predicts after those before. Every window on the way is a negative, with the symbol that was drawn as its label.
    The first symbol drawn is never the true one, so that what was generated differs from what was seen. Frames must be
    windows of symbols.
    """

    generates: ClassVar[bool] = True
    batches_at_once: ClassVar[int] = 10

    def _dream(self, slots: Tensor, rng: np.random.Generator, recall: Recall, rows: int, predict: Predict | None) -> Dream:
        assert predict is not None, "who generates has to be given a network to ask"
        seen = recall(self.ids[slots].numpy())
        inputs = seen.shape[1]
        begun = -(-rows // GENERATED)
        said = follow(predict, seen[:begun], GENERATED, rng, never=self.labels[slots[:begun]])
        unfolded = said.unfold(1, inputs + 1, 1).reshape(-1, inputs + 1)
        chosen = torch.from_numpy(rng.permutation(rows))
        made, start = unfolded[chosen], chosen // GENERATED
        return Dream(to_frames(made[:, :-1]), made[:, -1], self.ids[slots[start]].numpy(), seen, self.labels[slots])


NEGATIVES: dict[str, type[DreamMemory]] = {
    "confused_labels": ConfusedLabels,
    "uniform_labels": UniformLabels,
    "two_confused_labels": TwoConfusedLabels,
    "hybrid_frames": HybridFrames,
    "generated_symbols": GeneratedSymbols,
}
"""The sources of negatives that a configuration can name."""
