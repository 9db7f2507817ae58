"""Label views: how a frame and a label become one input row.

The label is a one-of-classes vector beside the frame (paper section 3.3 overwrites the first ten pixels, which
are blank in MNIST; a frame of another kind has none to spare). In wake a labelled frame travels as two views: with its
true label, which is learned, and with the neutral label, from which it is predicted. A dream is a frame with a wrong label.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ffstream.fast_weights import FastWeights
from ffstream.normalize import normalize
from ffstream.scales import spread
from ffstream.symbols import one_of_n

UNLABELLED = -1
"""The label of a frame whose label is not known."""


class LabelViews:
    """Encodes frames with labels.

        row = normalize([normalize(frame), strength sqrt(inputs) label])

    The frame is normalized first, so that its brightness matters neither to the layers nor to the weight of the label.

    Args:
        classes: number of labels.
        strength: length of the label's vector as a share of the frame's.
        symbols: kinds of symbols in a frame, each of which becomes one-of-n; None when a frame is what it is.
        moments: mean and variance of every number of a frame [2, inputs], by which it is standardized (:mod:`ffstream.scales`),
            as they are whenever a row is made; None when a frame is what it is.
        fast: what is seen of a window of symbols, where that is not all of them as they are.
        soft: whether frames end with how probable each label is, of which a view shows nothing (:mod:`ffstream.soft`).
    """

    def __init__(
        self,
        classes: int,
        strength: float,
        symbols: int | None = None,
        moments: Tensor | None = None,
        fast: FastWeights | None = None,
        soft: bool = False,
    ) -> None:
        self.classes = classes
        self.strength = strength
        self.symbols = symbols
        self.moments = moments
        self.fast = fast
        self.soft = soft

    def told(self, frames: Tensor) -> Tensor | None:
        """What frames [batch, inputs] say of their labels, ``[batch, classes]``; None when they say nothing."""
        return frames[:, -self.classes :] if self.soft else None

    def labelled(self, frames: Tensor, labels: Tensor) -> Tensor:
        """Frames [batch, inputs] and labels [batch] to rows [batch, inputs + classes]."""
        return self._join(frames, one_hot(labels, self.classes).float())

    def neutral(self, frames: Tensor) -> Tensor:
        """Frames [batch, inputs] with every label equally likely: [batch, inputs + classes]."""
        return self._join(frames, torch.full((len(frames), self.classes), 1 / self.classes))

    def _join(self, frames: Tensor, label: Tensor) -> Tensor:
        if self.soft:
            frames = frames[:, : -self.classes]
        if self.symbols is not None:
            frames = self.fast.see(frames, self.symbols) if self.fast else one_of_n(frames, self.symbols)
        if self.moments is not None:
            frames = spread(frames, self.moments)
        weight = self.strength * frames.shape[1] ** 0.5
        return normalize(torch.cat([normalize(frames), label * weight], dim=1))
