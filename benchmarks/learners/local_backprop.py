"""Backpropagation through local receptive fields, many passes, with a checkpoint after each (the paper's section 4)."""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import AdamW

from benchmarks.epochs import EndlessFrames, beginning
from benchmarks.learners import Frames, Labels
from benchmarks.learners.forward_forward import fields_config
from benchmarks.runs import Figures, Run, part_of
from ffstream.average import Average
from ffstream.config import AVERAGE_SPAN
from ffstream.layer import forward
from ffstream.normalize import normalize
from ffstream.wiring import wire

CHECKPOINT = "backprop.safetensors"


class LocalBackprop:
    """The same fields as ffstream's, rectified, a softmax on the last layer, cross-entropy, Adam with decoupled weight decay.

    It is read from the running average of its weights, as ffstream is.

    Args:
        run: with the constants ``fields``, ``rate``, ``weight_decay``, ``centred``, and ``held`` and ``fit`` as
            :class:`~benchmarks.epochs.Epochs` has them.
        data: name of the data set.
        checkpoints: folder of this run's checkpoint; what is found there is gone on from.
    """

    def __init__(self, run: Run, data: str, checkpoints: Path) -> None:
        self.run, self.data, self.path = run, beginning(part_of(data, run.part), run.frames), checkpoints / CHECKPOINT
        self.frames = EndlessFrames(self.data, run.seed, centred=run.constants.get("centred", False))
        fields = fields_config(run.constants)
        assert fields is not None
        widths = list(pairwise((fields.inputs, *fields.units)))
        self.wirings = [wire(fields, index, (below,)) for index, (below, _) in enumerate(widths)]
        generator = torch.Generator().manual_seed(run.seed)
        hidden = [2**0.5 * wiring.first_weights(generator) for wiring in self.wirings]
        self.weights = [nn.Parameter(each) for each in (*hidden, torch.zeros(self.data.classes, fields.units[-1] + 1))]
        self.average = Average({str(at): each.detach() for at, each in enumerate(self.weights)}, AVERAGE_SPAN)
        self.adam = AdamW(self.weights, lr=run.constants["rate"], weight_decay=run.constants["weight_decay"])
        self.figures = Figures()
        if self.path.exists():
            self._restore()

    def complete(self) -> Figures:
        """The passes that are missing."""
        while len(self.figures.looks) < self.run.passes:
            began = time.perf_counter()
            learned = self._one_pass()
            self.figures.seconds += time.perf_counter() - began
            self._look(learned)
            self._save()
        return self.figures

    def logits(self, weights: list[Tensor], frames: Tensor) -> Tensor:
        """Of frames [n, inputs]: ``[n, classes]``."""
        h = normalize(frames)
        for each, wiring in zip(weights, self.wirings, strict=False):
            h = forward(each, h, wiring=wiring)
        return torch.addmm(weights[-1][:, -1], h, weights[-1][:, :-1].t())

    def _one_pass(self) -> float:
        """Share of frames that were wrong before they were learned."""
        length, batch = len(self.data.x), self.run.batch
        first, wrong = len(self.figures.looks) * length + 1, 0
        for start in range(first, first + length, batch):
            numbers = np.arange(start, min(start + batch, first + length))
            labels = torch.from_numpy(self.data.y[self.frames.rows(numbers)])
            logits = self.logits(list(self.weights), self.frames.recall(numbers))
            wrong += int((logits.argmax(dim=1) != labels).sum())
            self.adam.zero_grad()
            nn.functional.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
            self.adam.step()
            for wiring, weights in zip(self.wirings, self.weights, strict=False):
                wiring.disconnect(weights.detach())
            self.average.follow()
        return wrong / length

    def _look(self, learned: float) -> None:
        constants, data = self.run.constants, self.data
        held, fit = slice(constants.get("held")), slice(constants.get("fit"))
        found = {"backprop": self._error(data.x_held[held], data.y_held[held])}
        self.figures.held_out.append(found)
        look = {"passes": len(self.figures.looks) + 1, "learned": learned, **found}
        look["learned, backprop"] = self._error(data.x[fit], data.y[fit])
        self.figures.looks.append(look)
        said = ", ".join(f"{name} {value:.2%}" for name, value in look.items() if name != "passes")
        print(f"backprop {self.run.units} pass {look['passes']}/{self.run.passes}: {said}", file=sys.stderr, flush=True)

    @torch.no_grad()
    def _error(self, frames: Frames, labels: Labels) -> float:
        parts = np.array_split(frames, max(1, len(frames) // 500))
        mean = list(self.average.mean.values())
        predicted = np.concatenate([self.logits(mean, self.frames.seen(part)).argmax(dim=1).numpy() for part in parts])
        return float((predicted != labels).mean())

    def _state(self) -> dict[str, Tensor]:
        state = {f"weights.{at}": each.detach() for at, each in enumerate(self.weights)}
        state |= {f"average.{name}": each for name, each in self.average.state().items()}
        for at, each in enumerate(self.weights):
            state |= {f"adam.{at}.{name}": value for name, value in self.adam.state[each].items()}
        return state

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        said = {name: json.dumps(getattr(self.figures, name)) for name in ("looks", "held_out", "seconds")}
        beside = self.path.with_suffix(".new")
        save_file({name: each.contiguous() for name, each in self._state().items()}, beside, said)
        beside.replace(self.path)

    def _restore(self) -> None:
        for each in self.weights:
            self.adam.state[each] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(each),
                "exp_avg_sq": torch.zeros_like(each),
            }
        with safe_open(self.path, "pt") as file:
            self.figures = Figures(**{name: json.loads(said) for name, said in file.metadata().items()})
            for name, tensor in self._state().items():
                tensor.copy_(file.get_tensor(name))
