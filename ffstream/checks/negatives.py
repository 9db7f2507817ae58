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
from ffstream.symbols import Predict, to_symbols

CAPACITY = 50
CLASSES = 5
INPUTS = 4


class NegativeSource(Protocol):
    """What the dreamer asks of a negative source."""

    def observe(self, ids: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Remember labelled frames: numbers [batch], labels [batch], logits [batch, classes]."""
        ...

    def draw(self, steps: int, batch: int, number: int, recall: Recall, predict: Predict) -> Iterator[Dream]:
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


def predict(frames: Tensor) -> Tensor:
    """Logits [n, classes] that differ from frame to frame."""
    return 2 * torch.sin(to_symbols(frames).sum(dim=1, keepdim=True) * torch.arange(1, CLASSES + 1))


def _observe(source: NegativeSource, first: int, last: int, logits: Tensor | None = None) -> None:
    ids = np.arange(first, last + 1)
    drawn = torch.randn(len(ids), CLASSES, generator=torch.Generator().manual_seed(first))
    source.observe(torch.from_numpy(ids), label_of(ids), drawn if logits is None else logits)


def _dreams(
    source: NegativeSource, number: int = 1, steps: int = 4, batch: int = 10, predict: Predict = predict
) -> list[Dream]:
    return list(source.draw(steps, batch, number, recall, predict))


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
    law = "a frame as it was never carries the true label in a dream, but another possible one or none"
    for logits in (None, 1e4 * sure, -1e4 * sure, 1e30 * sure, torch.zeros(40, CLASSES)):
        source = make(CAPACITY, CLASSES, 0)
        _observe(source, 1, 40, logits)
        for dream in _dreams(source, steps=50):
            as_it_was = (dream.frames == recall(dream.ids)).all(dim=1)
            require(not bool((as_it_was & (dream.labels == label_of(dream.ids))).any()), law)
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
            require(bool(((dream.ids >= 1) & (dream.ids <= 15)).all()), "only observed frames are dreamt of")
            require(bool(((dream.seen >= 1) & (dream.seen <= 15)).all()), "what is replayed was observed")


def check_shows_observed_frames(make: MakeSource) -> None:
    """A dream that is not generated shows nothing that was not observed."""
    source = make(CAPACITY, CLASSES, 0)
    _observe(source, 1, 15)
    for dream in _dreams(source):
        require(bool(((dream.frames >= 1) & (dream.frames <= 15)).all()), "a dream shows observed frames")


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
    ids = np.concatenate([dream.ids for dream in _dreams(source, steps=10 * CAPACITY, batch=10)])
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


def check_goes_on_from_observed_frames(make: MakeSource) -> None:
    """A generated window is an observed one that has moved on, and what it has lost in front it has gained behind."""
    source = make(CAPACITY, CLASSES, 0)
    _observe(source, 1, 15)
    for dream in _dreams(source):
        begun = recall(dream.ids)
        moved = [_moved_on(dream.frames, begun, by) for by in range(INPUTS + 1)]
        require(bool(torch.stack(moved).any(dim=0).all()), "a generated window goes on from an observed frame")
        require(bool(moved[0].any() and not moved[0].all()), "windows on the way are dreamt too, from the first on")


def _moved_on(frames: Tensor, begun: Tensor, by: int) -> Tensor:
    """Which windows are those they began from, ``by`` generated symbols later: [batch]."""
    kept = (frames[:, : INPUTS - by] == begun[:, by:]).all(dim=1)
    return kept & (to_symbols(frames[:, INPUTS - by :]) < CLASSES).all(dim=1)


def check_says_what_the_network_says(make: MakeSource) -> None:
    """What is generated is what the network thinks likely, and the first symbol is not the true one."""
    source = make(CAPACITY, CLASSES, 0)
    _observe(source, 1, 40)
    sure = 1e4 * torch.nn.functional.one_hot(torch.tensor(2), CLASSES)
    for dream in _dreams(source, predict=lambda frames: sure.expand(len(frames), -1)):
        likely = (dream.labels == 2) | (dream.frames == recall(dream.ids)).all(dim=1)
        require(bool(likely.all()), "a network generates what it predicts")
    one, other = (_dreams(source, predict=asked) for asked in (predict, lambda frames: -predict(frames)))
    require(not _same(one, other), "another network generates something else")


NEGATIVE_CHECKS: tuple[Callable[[MakeSource], None], ...] = (
    check_never_the_true_label,
    check_full_batches,
    check_keyed,
    check_drawing_changes_nothing,
    check_restore,
    check_memory_bounded,
    check_nothing_observed,
)

OBSERVED_CHECKS: tuple[Callable[[MakeSource], None], ...] = (check_shows_observed_frames,)
"""Of sources that do not generate."""

GENERATOR_CHECKS: tuple[Callable[[MakeSource], None], ...] = (
    check_goes_on_from_observed_frames,
    check_says_what_the_network_says,
)
"""Of sources that generate symbols."""

WRONG_LABEL_CHECKS: tuple[Callable[[MakeSource], None], ...] = (check_wrong_labels_leave_frames_alone,)
"""Of sources whose negatives are frames with wrong labels."""

CONFUSION_CHECKS: tuple[Callable[[MakeSource], None], ...] = (check_follows_confusions,)
"""Of those that draw the wrong label by how probable the network thought it."""
