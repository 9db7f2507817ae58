"""What learning speed is compared with: PyTorch's fastest backpropagation, and Forward-Forward as one would first write it."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot, softplus

FORMATS = ("float32", "autocast", "bfloat16")
"""Number formats of backpropagation: float32; products in bfloat16 (``torch.autocast``); everything in bfloat16."""

RATE, PORT_RATE = 0.001, 0.03
"""Adam's, for backpropagation and for the port; they do not change what a step costs."""

THRESHOLD = 2.0
TINY = 1e-4
"""Goodness between positives and negatives, and what is added to a length that is divided by."""


class FastBackprop:
    """A rectified perceptron with cross-entropy and PyTorch's fused Adam.

    Args:
        widths: inputs, hidden units, classes.
        format: one of :data:`FORMATS`.
        compiled: whether ``torch.compile`` makes the forward and backward pass, which takes a C++ compiler.
        seed: of the first weights.
    """

    def __init__(self, widths: tuple[int, ...], format: str = "float32", *, compiled: bool = False, seed: int = 0) -> None:
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for below, above in pairwise(widths):
            layers += [nn.Linear(below, above), nn.ReLU()]
        self.type = torch.bfloat16 if format == "bfloat16" else torch.float32
        self.autocast = format == "autocast"
        self.network = nn.Sequential(*layers[:-1]).to(self.type)
        self.adam = torch.optim.Adam(self.network.parameters(), lr=RATE, fused=True)
        self._loss = torch.compile(self._forward) if compiled else self._forward

    def _forward(self, x: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            return cross_entropy(self.network(x.to(self.type)), labels)

    def step(self, x: Tensor, labels: Tensor) -> float:
        """Learn ``x`` [batch, inputs] with ``labels`` [batch]; returns the loss before."""
        self.adam.zero_grad()
        loss: Tensor = self._loss(x, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        return float(loss.detach())


class StraightPort:
    """Forward-Forward from the paper's equations with autograd, one loss a layer and PyTorch's Adam.

        y = relu(W x / |x| + b)
        loss = mean softplus(threshold - mean(y^2)) over positives + mean softplus(mean(y^2) - threshold) over negatives

    Every frame comes as a positive with its label and as a negative with a wrong one, drawn evenly, both in the same step; the
    label replaces the first pixels. No gradient leaves a layer. There is no readout: it is read by trying every label.

    Args:
        widths: inputs, hidden units.
        classes: number of labels.
        seed: of the first weights and the wrong labels.

    Reference: Hinton 2022, sections 2 and 3.3.
    """

    def __init__(self, widths: tuple[int, ...], classes: int, *, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.classes = classes
        self.layers = nn.ModuleList(nn.Linear(below, above) for below, above in pairwise(widths))
        self.adam = torch.optim.Adam(self.layers.parameters(), lr=PORT_RATE)

    def step(self, x: Tensor, labels: Tensor) -> float:
        """Learn ``x`` [batch, inputs] with ``labels`` [batch]; returns the sum of the layers' losses before."""
        wrong = (labels + torch.randint(1, self.classes, labels.shape)) % self.classes
        y, losses = torch.cat([self._view(x, labels), self._view(x, wrong)]), []
        for layer in self.layers:
            y = layer(_direction(y.detach())).relu()
            positive, negative = y.square().mean(dim=1).chunk(2)
            losses.append(softplus(THRESHOLD - positive).mean() + softplus(negative - THRESHOLD).mean())
        loss = torch.stack(losses).sum()
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        return float(loss.detach())

    def goodness(self, x: Tensor) -> Tensor:
        """Sum over the layers for every label: [batch, classes]."""
        return torch.stack([self._goodness(x, label) for label in range(self.classes)], dim=1)

    @torch.no_grad()
    def _goodness(self, x: Tensor, label: int) -> Tensor:
        y, found = self._view(x, torch.full((len(x),), label)), torch.zeros(len(x))
        for layer in self.layers:
            y = layer(_direction(y)).relu()
            found += y.square().mean(dim=1)
        return found

    def _view(self, x: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([one_hot(labels, self.classes).to(x.dtype), x[:, self.classes :]], dim=1)


def _direction(x: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / (length + TINY)
