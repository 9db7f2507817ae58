"""Many passes over a data set by the library's own network, with a checkpoint after each.

Frames are numbered on and on, pass after pass, so that a dream finds the frame that was seen, shifted as it was seen.
"""

import functools
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.learners.forward_forward import network_config
from benchmarks.runs import Figures, Run, errors_of, part_of
from ffstream import Method, Network, NetworkConfig, Reader
from ffstream.datasets import Dataset
from ffstream.frames import to_tensor
from ffstream.labels import UNLABELLED
from ffstream.masks import side_of
from ffstream.message import Batch, Position
from ffstream.outcome import Learned, Published, Saved
from ffstream.polarity import Polarity
from ffstream.seeds import keyed
from ffstream.stream.events import Barrier, Recorded, Sleep
from ffstream.stream.snapshot import Manifest, manifests, remove_older, write_manifest

LOOK_EVERY = 5
"""Passes between two looks at the held-out frames by every method; one pass is read after each."""


@dataclass(frozen=True)
class EndlessFrames:
    """Passes over a data set's frames, each in an order of its own.

    Args:
        data: whose frames are passed over.
        seed: of the orders and shifts.
        shift: pixels by which a square frame is moved at most, along both axes, anew every time it is seen.
        centred: whether the mean of the data set's frames is taken off every frame.
    """

    data: Dataset
    seed: int
    shift: int = 0
    centred: bool = False

    @functools.cached_property
    def _centre(self) -> Tensor:
        parts = np.array_split(self.data.x, max(1, len(self.data.x) // 1000))
        return torch.stack([to_tensor(part).mean(dim=0) for part in parts]).mean(dim=0)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The data set's row of every frame [n]; frame numbers count from 1."""
        passes, places = np.divmod(numbers - 1, len(self.data.x))
        rows = np.empty_like(numbers)
        for each in np.unique(passes):
            here = passes == each
            rows[here] = _order(self.seed, int(each), len(self.data.x))[places[here]]
        return rows

    def recall(self, numbers: NDArray[np.int64]) -> Tensor:
        """Frames [n, inputs] by number, as the dreamer asks for them."""
        frames = self.seen(self.data.x[self.rows(numbers)])
        return shifted(frames, self._shifts(numbers)) if self.shift else frames

    def seen(self, frames: NDArray[np.generic]) -> Tensor:
        """Frames [n, inputs] as the network is given them."""
        return to_tensor(frames) - self._centre if self.centred else to_tensor(frames)

    def _shifts(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows and columns [n, 2] to move by, a function of the frame's number alone."""
        side = 2 * self.shift + 1
        mixed = np.array([keyed(self.seed, "shift", int(number)).integers(side * side) for number in numbers])
        return np.stack(np.divmod(mixed, side), axis=1) - self.shift


def shifted(frames: Tensor, shifts: NDArray[np.int64]) -> Tensor:
    """Square frames [n, side * side], each moved by its row and column [n, 2]; what comes in is 0.

    >>> shifted(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), np.array([[1, 0]]))
    tensor([[0., 0., 1., 2.]])
    """
    side = side_of(frames.shape[1])
    margin = int(np.abs(shifts).max(initial=0))
    padded = torch.nn.functional.pad(frames.view(-1, side, side), (margin,) * 4)
    starts = torch.from_numpy(margin - shifts)
    across = torch.arange(side)
    down, right = starts[:, :1, None] + across[None, :, None], starts[:, 1:, None] + across[None, None, :]
    return padded[torch.arange(len(frames))[:, None, None], down, right].reshape(len(frames), -1)


@functools.lru_cache(maxsize=2)
def _order(seed: int, number: int, frames: int) -> NDArray[np.int64]:
    """The order of pass ``number``; a sleep may look back to the one before."""
    return keyed(seed, "order", number).permutation(frames)


def some_labels(data: Dataset, count: int | None) -> NDArray[np.int64]:
    """Labels of the data set's frames, all but ``count`` of them taken away; as many of every class as can be."""
    if count is None:
        return data.y
    order = keyed(0, "labels", count).permutation(len(data.y))
    by_class = [order[data.y[order] == label] for label in range(data.classes)]
    kept = [rows[place] for place in range(max(map(len, by_class))) for rows in by_class if place < len(rows)][:count]
    labels = np.full_like(data.y, UNLABELLED)
    labels[kept] = data.y[kept]
    return labels


def beginning(data: Dataset, frames: int | None) -> Dataset:
    """The same with no more than so many frames to learn from."""
    return replace(data, x=data.x[:frames], y=data.y[:frames])


class Epochs:
    """One run: passes of wake and sleep, a checkpoint and a look after each.

    Args:
        run: the network's constants, with ``phase`` micro-batches a phase, ``shift`` and ``centred`` where frames are to be
            moved or centred, ``labels`` where so many frames only have one, the same for all seeds; ``methods`` are those of
            reading, ``held`` is how many of the frames held out are read where not all are, ``fit`` how many of those learned.
        data: name of the data set.
        checkpoints: folder of this run's checkpoints; what is found there is gone on from.
    """

    def __init__(self, run: Run, data: str, checkpoints: Path) -> None:
        self.run = run
        self.data = beginning(part_of(data, run.part), run.frames)
        self.config: NetworkConfig = network_config(run.constants, run, self.data.inputs, self.data.classes)
        shift, centred = run.constants.get("shift", 0), run.constants.get("centred", False)
        self.frames = EndlessFrames(self.data, run.seed, shift, centred)
        self.labels = some_labels(self.data, run.constants.get("labels"))
        self.checkpoints = checkpoints
        start = next(manifests(checkpoints, self.config.digest()), None)
        self.seq = start.seq if start else 0
        self.passes = start.progress["passes"] if start else 0
        self.figures = Figures(**start.progress["figures"]) if start else Figures()
        self.network = Network(self.config, self.frames.recall, snapshots=checkpoints, start=start)

    def complete(self) -> Figures:
        """The passes that are missing, and a whole look after the last.

        Raises:
            ValueError: when the checkpoint has gone further than it was asked to.
        """
        if self.passes > self.run.passes:
            raise ValueError(f"{self.checkpoints}: asked for {self.run.passes} passes, but there are {self.passes} already")
        while self.passes < self.run.passes:
            began = time.perf_counter()
            wrong = self._one_pass()
            self.passes += 1
            self.figures.seconds += time.perf_counter() - began
            self._look(wrong)
            self._save()
        figures = self.figures
        if not (figures.held_out and figures.held_out[-1].items() <= figures.looks[-1].items()):
            self._look(figures.looks.pop()["learned"])
        return figures

    def _one_pass(self) -> float:
        """Wake and sleep by turns, once over all frames; the share that was predicted wrongly before it was learned."""
        batch, phase, length = self.config.batch, self.run.constants["phase"], len(self.data.x)
        first = self.passes * length + 1
        wrong = 0
        for number, start in enumerate(range(first, first + length, batch), start=1):
            numbers = np.arange(start, min(start + batch, first + length))
            labels = torch.from_numpy(self.labels[self.frames.rows(numbers)])
            position = Position(self._next())
            self.network.wake(
                Batch(position, Polarity.POSITIVE, self.frames.recall(numbers), labels, torch.from_numpy(numbers))
            )
            if number % phase == 0 or numbers[-1] == first + length - 1:
                self._sleep(steps=(number - 1) % phase + 1)
            for outcome in self.network.outcomes(0):
                if isinstance(outcome, Learned):
                    known = outcome.labels != UNLABELLED
                    wrong += int((outcome.logits.argmax(dim=1) != outcome.labels)[known].sum())
        return wrong / int((self.labels != UNLABELLED).sum())

    def _sleep(self, steps: int) -> None:
        sleep = Sleep(steps, self.config.batch, "every")
        self.network.sleep(Recorded(self._next(), sleep, time.time()), sleep)

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def reader(self) -> Reader:
        """What classifies with the network as it is."""
        self.network.publish(self.seq)
        published = next(each for each in self.network.outcomes(0) if isinstance(each, Published))
        return Reader(self.config, published.stages, published.seq)

    def _look(self, wrong: float) -> None:
        every = self.passes % LOOK_EVERY == 0 or self.passes == self.run.passes
        named = self.run.constants.get("methods", [method.value for method in Method])
        methods = [Method(name) for name in named] if every and self.config.wrong_labels else [Method.ONE_PASS]
        reader, data, constants = self.reader(), self.data, self.run.constants
        held = slice(constants.get("held"))
        look = self._read(reader, methods, data.x_held[held], data.y_held[held])
        if every and (fit := constants.get("fit")):
            learned = self._read(reader, methods, data.x[:fit], data.y[:fit])
            look |= {f"learned, {name}": error for name, error in learned.items()}
        self.figures.looks.append({"passes": self.passes, "learned": wrong, **look})
        if every:
            self.figures.held_out.append(look)
        said = ", ".join(f"{name} {share:.2%}" for name, share in {"before learning": wrong, **look}.items())
        print(
            f"{self.run} pass {self.passes}/{self.run.passes}: {said}, {self.figures.seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )

    def _read(
        self, reader: Reader, methods: list[Method], frames: NDArray[np.generic], labels: NDArray[np.int64]
    ) -> dict[str, float]:
        parts = [self.frames.seen(part) for part in np.array_split(frames, max(1, len(frames) // 500))]
        predicted = {
            method.value: np.concatenate([reader.classify(part, method).labels.numpy() for part in parts]) for method in methods
        }
        return errors_of(predicted, labels)

    def _save(self) -> None:
        barrier = Barrier("every")
        self.network.barrier(Recorded(self._next(), barrier, time.time()), barrier)
        saved = next(each for each in self.network.outcomes(0) if isinstance(each, Saved))
        progress: dict[str, Any] = {"passes": self.passes, "figures": asdict(self.figures)}
        write_manifest(self.checkpoints, Manifest(saved.seq, self.config.digest(), saved.files, progress))
        remove_older(self.checkpoints, saved.seq, [saved.seq])
