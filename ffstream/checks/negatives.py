"""Laws of negative sources: what sleep dreams of."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.checks.law import bits, differing, require, size
from ffstream.labels import UNLABELLED
from ffstream.negatives import Dream, Recall

CAPACITY = 50
CLASSES = 5
INPUTS = 4


class NegativeSource(Protocol):
    """What the dreamer asks of a negative source."""

    def observe(self, ids: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Remember labelled frames: numbers [batch], labels [batch], logits [batch, classes]."""
        ...

    def draw(self, steps: int, batch: int, number: int, recall: Recall) -> Iterator[Dream]:
        """``steps`` batches of ``batch`` dreams for the sleep of that number."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next draw depends on."""
        ...


MakeSource = Callable[[int, int, int], NegativeSource]
"""Makes an empty source from its capacity in frames, the number of classes and a seed."""


def recall(ids: NDArray[np.int64]) -> Tensor:
    """Frames [n, 4] that tell their own number."""
    return torch.from_numpy(ids).float()[:, None].expand(-1, INPUTS)


def label_of(ids: NDArray[np.int64]) -> Tensor:
    """The true label [n] of a frame, by its number."""
    return torch.from_numpy(ids * 7 % CLASSES)


def _observe(source: NegativeSource, first: int, last: int, logits: Tensor | None = None) -> None:
    ids = np.arange(first, last + 1)
    drawn = torch.randn(len(ids), CLASSES, generator=torch.Generator().manual_seed(first))
    source.observe(torch.from_numpy(ids), label_of(ids), drawn if logits is None else logits)


def _dreams(source: NegativeSource, number: int = 1, steps: int = 4, batch: int = 10) -> list[Dream]:
    return list(source.draw(steps, batch, number, recall))


def _same(one: list[Dream], other: list[Dream]) -> bool:
    def flat(dreams: list[Dream]) -> dict[str, Tensor]:
        return {
            "ids": torch.cat([torch.from_numpy(dream.ids) for dream in dreams]),
            "labels": torch.cat([dream.labels for dream in dreams]),
            "frames": torch.cat([dream.frames for dream in dreams]),
        }

    return not differing(flat(one), flat(other))


def check_never_the_true_label(make: MakeSource) -> None:
    """However sure the network is of the true label, or of anything, no dream carries it."""
    ids = np.arange(1, 41)
    sure = torch.nn.functional.one_hot(label_of(ids), CLASSES).float()
    law = "a negative never carries the true label, but another possible one or none"
    for logits in (None, 1e4 * sure, -1e4 * sure, 1e30 * sure, torch.zeros(40, CLASSES)):
        source = make(CAPACITY, CLASSES, 0)
        _observe(source, 1, 40, logits)
        for dream in _dreams(source, steps=50):
            require(not bool((dream.labels == label_of(dream.ids)).any()), law)
            require(bool(((dream.labels >= UNLABELLED) & (dream.labels < CLASSES)).all()), law)


def check_full_batches(make: MakeSource) -> None:
    """Every batch is full, of frames that were observed."""
    source = make(CAPACITY, CLASSES, 0)
    _observe(source, 1, 15)
    for batch in (10, 7):
        dreams = _dreams(source, steps=4, batch=batch)
        found = [(len(dream.labels), len(dream.frames), len(dream.ids)) for dream in dreams]
        require(found == [(batch,) * 3] * 4, "a sleep dreams as many full batches as it was asked to", f"found {found}")
        for dream in dreams:
            seen = bool(((dream.frames >= 1) & (dream.frames <= 15)).all() and ((dream.ids >= 1) & (dream.ids <= 15)).all())
            require(seen, "only observed frames are dreamt of")


def check_keyed(make: MakeSource) -> None:
    """The same seed and sleep give the same dreams; another sleep, or another seed, others."""
    sources = [make(CAPACITY, CLASSES, seed) for seed in (0, 0, 1)]
    for source in sources:
        _observe(source, 1, 40)
    first, again, other = (_dreams(source) for source in sources)
    require(_same(first, again), "the same seed gives the same negatives")
    require(_same(first, _dreams(sources[0])), "drawing again for the same sleep gives the same negatives")
    require(not _same(first, _dreams(sources[0], number=2)), "another sleep gives other negatives")
    require(not _same(first, other), "another seed gives other negatives")


def check_drawing_changes_nothing(make: MakeSource) -> None:
    """A dream leaves no trace in the source, so that no random state has to be saved."""
    source = make(CAPACITY, CLASSES, 0)
    _observe(source, 1, 40)
    before = bits(source.state())
    _dreams(source)
    require(not differing(before, source.state()), "drawing changes no state")


def check_restore(make: MakeSource) -> None:
    """A new source that is given a snapshot draws the same."""
    source, restored = make(CAPACITY, CLASSES, 0), make(CAPACITY, CLASSES, 0)
    _observe(source, 1, 70)
    for name, tensor in restored.state().items():
        tensor.copy_(source.state()[name])
    _observe(source, 71, 90)
    _observe(restored, 71, 90)
    require(_same(_dreams(source), _dreams(restored)), "snapshot then restore gives the same negatives")


def check_memory_bounded(make: MakeSource) -> None:
    """The source keeps its capacity of frames, the most recent, and no more."""
    source = make(CAPACITY, CLASSES, 0)
    _observe(source, 1, 40)
    before = size(source.state())
    for first in range(41, 1001, 40):
        _observe(source, first, first + 39)
    require(size(source.state()) == before, "memory is bounded")
    ids = np.concatenate([dream.ids for dream in _dreams(source, steps=CAPACITY, batch=10)])
    law = "the most recent frames are remembered, and no more than the capacity"
    require(set(ids.tolist()) == set(range(951, 1001)), law, f"found {sorted(set(ids.tolist()))}")


def check_nothing_observed(make: MakeSource) -> None:
    """Who has seen nothing dreams nothing."""
    source = make(CAPACITY, CLASSES, 0)
    require(not _dreams(source), "nothing observed, no dreams")
    _observe(source, 1, 40)
    require(not _dreams(source, steps=0), "a sleep of no steps dreams nothing")


def check_wrong_labels_leave_frames_alone(make: MakeSource) -> None:
    """A negative that is a frame with a wrong label shows the frame as it was."""
    source = make(CAPACITY, CLASSES, 0)
    _observe(source, 1, 15)
    for dream in _dreams(source):
        require(torch.equal(dream.frames, recall(dream.ids)), "a dream shows the frames of its numbers")
        require(bool((dream.labels != UNLABELLED).all()), "a wrong label is a label")


def check_follows_confusions(make: MakeSource) -> None:
    """A label that the network takes for likely is dreamt more often than one that it rules out."""
    source = make(CAPACITY, CLASSES, 0)
    ids = np.arange(1, 41)
    confused = (label_of(ids) + 1) % CLASSES
    _observe(source, 1, 40, 4 * torch.nn.functional.one_hot(confused, CLASSES).float())
    dreams = _dreams(source, steps=20)
    hits = torch.cat([dream.labels == (label_of(dream.ids) + 1) % CLASSES for dream in dreams]).float().mean()
    require(float(hits) > 1.5 / (CLASSES - 1), "negatives follow the network's confusions", f"found a share of {float(hits)}")


NEGATIVE_CHECKS: tuple[Callable[[MakeSource], None], ...] = (
    check_never_the_true_label,
    check_full_batches,
    check_keyed,
    check_drawing_changes_nothing,
    check_restore,
    check_memory_bounded,
    check_nothing_observed,
)

WRONG_LABEL_CHECKS: tuple[Callable[[MakeSource], None], ...] = (check_wrong_labels_leave_frames_alone,)
"""Of sources whose negatives are frames with wrong labels."""

CONFUSION_CHECKS: tuple[Callable[[MakeSource], None], ...] = (check_follows_confusions,)
"""Of those that draw the wrong label by how probable the network thought it."""
