"""What enters the chain and what travels in it: up, and in a recurrent network down as well, tick by tick."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ffstream.labels import UNLABELLED, LabelViews
from ffstream.layer import LayerReport
from ffstream.polarity import Polarity

BUNDLE = 4
"""Batches that may travel together where a hop is dear; each is learned by itself."""


class Position(NamedTuple):
    """A place in the stream: the event's number, and the step within it (0, or 1 to n for the dreams of a sleep)."""

    seq: int
    step: int = 0

    def follows(self, last: "Position") -> bool:
        """Whether this place comes directly after ``last``."""
        return self in (Position(last.seq, last.step + 1), Position(last.seq + 1, 0))


@dataclass(frozen=True)
class Batch:
    """Frames as they enter the chain.

    ``frames`` [batch, inputs]; ``labels`` [batch], :data:`~ffstream.labels.UNLABELLED` where not known (for negatives: the
    wrong labels); ``ids`` [batch], the numbers of the frames in the journal. ``exact`` tells that it is one frame with a label,
    to be learned in one step (:mod:`ffstream.exact`).
    """

    position: Position
    polarity: Polarity
    frames: Tensor
    labels: Tensor
    ids: Tensor
    exact: bool = False


@dataclass(frozen=True)
class Message:
    """What one layer hands to the next.

    ``activity`` [rows, units] holds normalized rows, as precise as the layers' products are. The first ``taught`` are learned;
    in wake the last of them are the neutral view of all frames, from which ``logits`` [batch, classes] accumulate, as the
    readouts of the moment have it for the next one to correct, and ``prediction`` [batch, classes], as the averaged readouts
    have it. ``labels`` and ``ids`` [batch] are those of the frames; ``reports`` has one entry for every layer passed that
    learned. Rows and logits of an ``exact`` message are those of :func:`ffstream.exact.enter`. ``told`` [batch, classes] is
    what frames with soft labels say of them (:mod:`ffstream.soft`); ``carried`` [batch, units] is what the layers passed made
    of the neutral views, one after another, for a joint readout.
    """

    position: Position
    polarity: Polarity
    activity: Tensor
    taught: int
    labels: Tensor
    ids: Tensor
    logits: Tensor
    prediction: Tensor
    reports: tuple[LayerReport, ...] = field(default=())
    exact: bool = False
    told: Tensor | None = None
    carried: Tensor | None = None

    def to(self, device: torch.device) -> "Message":
        """The same with what is computed with on a device; labels and what is told of them stay in host memory."""
        if self.activity.device == device:
            return self
        activity, logits, prediction = (each.to(device) for each in (self.activity, self.logits, self.prediction))
        carried = None if self.carried is None else self.carried.to(device)
        return replace(self, activity=activity, logits=logits, prediction=prediction, carried=carried)

    @property
    def known(self) -> Tensor:
        """Which frames have a label: ``[batch]`` of bool."""
        return self.labels != UNLABELLED


@dataclass(frozen=True)
class States:
    """What a layer of a recurrent network shows its two neighbours at one tick; the frame and the label look the same to them.

    A micro-batch is split into ``lanes`` that take turns; this is lane ``lane`` of it, after tick ``tick``. ``labels`` [rows]
    are those of its frames. ``live`` [known, units] are the normalized states of the view that is learned from: the frames
    that have a label, with it. ``steady`` [rows, units] are those of the neutral view through the averaged weights, which do
    not change within an event, so that a prediction owes nothing to its labels; it has no rows in a dream.
    """

    position: Position
    polarity: Polarity
    lane: int
    lanes: int
    tick: int
    labels: Tensor
    live: Tensor
    steady: Tensor

    def to(self, device: torch.device) -> "States":
        """The same with what is computed with on a device."""
        if self.live.device == device:
            return self
        return replace(self, live=self.live.to(device), steady=self.steady.to(device))

    @property
    def place(self) -> tuple[Position, int, int]:
        """Where it comes in the order in which a neighbour shows its states."""
        return self.position, self.tick, self.lane


def enter(batch: Batch, views: LabelViews, wrong_labels: bool = True) -> Message:
    """Give frames their label views.

    In wake: true-label rows of the labelled frames, then neutral rows of all. In sleep: wrong-label rows only. Where negatives
    are not made of ``wrong_labels``: neutral rows only, which are all taught.
    """
    if not wrong_labels:
        rows = [views.neutral(batch.frames)]
    elif batch.polarity is Polarity.NEGATIVE:
        rows = [views.labelled(batch.frames, batch.labels)]
    else:
        known = batch.labels != UNLABELLED
        rows = [views.labelled(batch.frames[known], batch.labels[known]), views.neutral(batch.frames)]
    return Message(
        position=batch.position,
        polarity=batch.polarity,
        activity=torch.cat(rows),
        taught=len(rows[0]),
        labels=batch.labels,
        ids=batch.ids,
        logits=torch.zeros(len(batch.labels), views.classes),
        prediction=torch.zeros(len(batch.labels), views.classes),
        told=views.told(batch.frames),
    )
