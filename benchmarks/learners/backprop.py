"""Backpropagation in PyTorch: rectified layers and cross-entropy, stepped by Adam, by SGD with momentum or by Muon."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Muon, Optimizer
from torch.optim.lr_scheduler import LinearLR

from benchmarks.learners import Constants, Frames, Labels, Shape
from ffstream.average import Average
from ffstream.config import AVERAGE_SPAN
from ffstream.normalize import normalize


class Backprop:
    """A perceptron, read from its live weights and from their running average, which is ffstream's own kind of average.

    Constants: ``rate``; ``decay``, ``"constant"`` or ``"linear"`` (to 0 at the end of the stream); ``inputs``, one of
    ``"unit"`` (0 to 1), ``"rms"`` (every frame divided by its root mean square, as ffstream has it) and ``"standard"``
    (mean 0 and deviation 1 over the pixels of the first micro-batch); ``start``, the first weights: PyTorch's own or
    ``"he"`` (N(0, 2 / inputs), biases 0).

    Args:
        widths: inputs, hidden units, classes.
        seed: of the first weights.
        constants: see above.
    """

    def __init__(self, widths: tuple[int, ...], seed: int, constants: Constants) -> None:
        torch.manual_seed(seed)
        self.linear = [nn.Linear(below, above) for below, above in pairwise(widths)]
        if constants["start"] == "he":
            for layer in self.linear:
                nn.init.normal_(layer.weight, std=(2 / layer.in_features) ** 0.5)
                nn.init.zeros_(layer.bias)
        parameters = [parameter for layer in self.linear for parameter in layer.parameters()]
        self.average = Average({str(place): parameter.detach() for place, parameter in enumerate(parameters)}, AVERAGE_SPAN)
        self.live = list(self.average.live.values())
        self.inputs: str = constants["inputs"]
        self.shift, self.scale = 0.0, 0.0
        self.optimizers: list[Optimizer] = []
        self.decays: list[LinearLR] = []

    def use(self, optimizers: list[Optimizer], updates: int | None) -> "Backprop":
        """Step by these; rates fall to 0 in ``updates`` steps, or stay when it is None."""
        self.optimizers = optimizers
        if updates is not None:
            self.decays = [LinearLR(each, 1.0, 1 / updates, total_iters=updates - 1) for each in optimizers]
        return self

    def step(self, frames: Frames, labels: Labels) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`."""
        x = self.rows(frames)
        logits = forward([parameter for layer in self.linear for parameter in layer.parameters()], x)
        predicted = {"live": logits.argmax(dim=1).numpy(), "averaged": self._predict(list(self.average.mean.values()), x)}
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers:
            optimizer.step()
        for decay in self.decays:
            decay.step()
        self.average.follow()
        return predicted

    def forget(self, what: str) -> None:
        """Begin anew with the optimizers' running means, the average, and the ``"output"`` layer or ``"all"`` of them."""
        for layer in self.linear if what == "all" else self.linear[-1:]:
            layer.reset_parameters()
        for optimizer in self.optimizers:
            optimizer.state.clear()
        self.average.forget()

    def rest(self) -> None:
        """See :class:`~benchmarks.learners.Learner`; there is no sleep."""

    def read(self, frames: Frames) -> dict[str, Labels]:
        """See :class:`~benchmarks.learners.Learner`."""
        x = self.rows(frames)
        return {"live": self._predict(self.live, x), "averaged": self._predict(list(self.average.mean.values()), x)}

    def _predict(self, parameters: list[Tensor], x: Tensor) -> Labels:
        with torch.no_grad():
            return forward(parameters, x).argmax(dim=1).numpy()

    def rows(self, frames: Frames) -> Tensor:
        """Frames [n, inputs] as the network sees them."""
        x = torch.from_numpy(np.asarray(frames, dtype=np.float32) / 255)
        if self.inputs == "rms":
            return normalize(x)
        if self.inputs == "standard":
            if not self.scale:
                self.shift, self.scale = float(x.mean()), float(x.std())
            x = (x - self.shift) / self.scale
        return x


def forward(parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """Logits [n, classes]: ``parameters`` are weights and biases in turn, ``x`` [n, inputs]."""
    for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        x = torch.addmm(bias, x, weight.t()).relu()
    return torch.addmm(parameters[-1], x, parameters[-2].t())


def make_adam(shape: Shape, inputs: int, classes: int, updates: int) -> Backprop:
    """Adam with PyTorch's betas."""
    network = _network(shape, inputs, classes)
    adam = Adam(_all(network), lr=shape.constants["rate"])
    return network.use([adam], _decay(shape, updates))


def make_sgd(shape: Shape, inputs: int, classes: int, updates: int) -> Backprop:
    """SGD with momentum 0.9."""
    network = _network(shape, inputs, classes)
    sgd = SGD(_all(network), lr=shape.constants["rate"], momentum=0.9)
    return network.use([sgd], _decay(shape, updates))


def make_muon(shape: Shape, inputs: int, classes: int, updates: int) -> Backprop:
    """Muon (orthogonalised momentum) for the hidden layers' matrices, Adam for the biases and the output layer."""
    network, constants = _network(shape, inputs, classes), shape.constants
    matrices = [layer.weight for layer in network.linear[:-1]]
    others = [layer.bias for layer in network.linear[:-1]] + list(network.linear[-1].parameters())
    muon = Muon(matrices, lr=constants["rate"], weight_decay=constants["weight_decay"])
    return network.use([muon, Adam(others, lr=constants["adam_rate"])], _decay(shape, updates))


def _network(shape: Shape, inputs: int, classes: int) -> Backprop:
    return Backprop((inputs, *shape.units, classes), shape.seed, shape.constants)


def _all(network: Backprop) -> list[nn.Parameter]:
    return [parameter for layer in network.linear for parameter in layer.parameters()]


def _decay(shape: Shape, updates: int) -> int | None:
    return updates if shape.constants["decay"] == "linear" else None
