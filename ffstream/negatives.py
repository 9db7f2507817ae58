"""Negatives: what wake confused becomes what sleep unlearns.

In wake the neutral view of a labelled frame ends in a prediction, made before the frame is learned. Frame number, label
and logits are kept for the most recent frames; activities and pixels are not. In sleep the same frames return with a
wrong label, drawn by how probable the network thought it: hard negatives, made offline, for no extra forward pass.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.seeds import keyed

Recall = Callable[[NDArray[np.int64]], Tensor]
"""Reads frames back by number: ``[n]`` to ``[n, inputs]``."""


@dataclass(frozen=True)
class Dream:
    """One batch of negatives: frames [batch, inputs] with labels [batch] that are not theirs."""

    frames: Tensor
    labels: Tensor
    ids: NDArray[np.int64]


class ConfusionMemory:
    """The wrong-label negative source (paper section 3.3), bounded and offline.

    Args:
        capacity: recent labelled frames that are remembered.
        classes: number of labels.
        seed: of the network.
    """

    def __init__(self, capacity: int, classes: int, seed: int = 0) -> None:
        self.capacity = capacity
        self.seed = seed
        self.ids = torch.zeros(capacity, dtype=torch.int64)
        self.labels = torch.zeros(capacity, dtype=torch.int64)
        self.logits = torch.zeros(capacity, classes)
        self.observed = torch.zeros((), dtype=torch.int64)

    def __len__(self) -> int:
        return min(int(self.observed), self.capacity)

    def observe(self, ids: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Remember labelled frames: numbers [batch], labels [batch], neutral-view logits [batch, classes]."""
        slots = (int(self.observed) + torch.arange(len(ids))) % self.capacity
        self.ids[slots], self.labels[slots], self.logits[slots] = ids, labels, logits
        self.observed += len(ids)

    def draw(self, steps: int, batch: int, number: int, recall: Recall) -> Iterator[Dream]:
        """Dream the most recent ``steps * batch`` frames, in random order, one batch a step.

        When fewer are remembered they are dreamt several times, with a fresh draw each time. The wrong label is drawn from
        ``softmax(logits)`` with the true class masked out.

        Args:
            steps: batches to draw; none is drawn while nothing has been observed.
            batch: rows a batch.
            number: of the sleep, which keys the random numbers.
            recall: reads frames back.
        """
        recent = min(len(self), steps * batch)
        if not recent:
            return
        rng = keyed(self.seed, "dream", number)
        slots = (int(self.observed) - 1 - np.arange(recent)) % self.capacity
        rounds = -(-steps * batch // recent)
        order = np.concatenate([rng.permutation(slots) for _ in range(rounds)])
        for step in range(steps):
            chosen = torch.from_numpy(order[step * batch : (step + 1) * batch])
            ids = self.ids[chosen].numpy()
            yield Dream(recall(ids), self._wrong_labels(chosen, rng), ids)

    def _wrong_labels(self, slots: Tensor, rng: np.random.Generator) -> Tensor:
        """Inverse-transform sampling of the masked softmax, in double precision; never the true label."""
        logits = self.logits[slots].double()
        true = self.labels[slots, None]
        p = (logits - logits.amax(dim=1, keepdim=True)).exp().add_(1e-12).scatter_(1, true, 0.0)
        cumulative = p.cumsum(dim=1)
        below_total = cumulative[:, -1:] * (1 - 1e-12)
        drawn = torch.from_numpy(rng.random((len(slots), 1))) * below_total
        return torch.searchsorted(cumulative, drawn, right=True).squeeze(1)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next draw depends on, by name."""
        return {"ids": self.ids, "labels": self.labels, "logits": self.logits, "observed": self.observed}
