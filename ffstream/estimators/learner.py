"""What the estimators have in common: a network in this process that is given rows, sleeps when it is due, and grows.

It is the in-process chain without a journal: nothing outlives the object but by pickling it, which keeps every bit.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.classify import Method, Reader
from ffstream.config import NetworkConfig
from ffstream.frames import check_frames, to_tensor
from ffstream.layer_config import LayerConfig
from ffstream.message import Batch, Position
from ffstream.network import Network
from ffstream.polarity import Polarity
from ffstream.schedule import Schedule, SleepDebt
from ffstream.stream.events import Recorded, Wake

UNITS = (200, 200)
BATCH = 25
"""Of an estimator's network, unless others are asked for; ``benchmarks/README.md`` says how they were chosen."""

MEMORY = 1000
"""Rows that are remembered, or as many as there are between two sleeps."""

AVERAGE_SPAN = 4
"""Updates: tables drift."""


class Settings(Protocol):
    """What estimators have as parameters."""

    units: tuple[int, ...]
    batch: int
    every: int
    standardize: bool
    layer: LayerConfig | None


class Learner:
    """A network, what it remembers, and the sleep that it owes.

    Args:
        config: of the network.
        schedule: when to sleep; only ``every``, ``dreams_per_frame`` and ``cycle`` count.
    """

    def __init__(self, config: NetworkConfig, schedule: Schedule) -> None:
        self.schedule = schedule
        self.network = Network(config, self.recall)
        self.remembered = torch.zeros(config.memory, config.inputs)
        self.debt = SleepDebt()
        self.frames = self.events = self.known = 0
        self._reader: Reader | None = None

    @classmethod
    def of(cls, settings: Settings, inputs: int, classes: int, seed: int) -> Self:
        """As an estimator asks for it; it has at least one input and two labels, whether or not they are known yet."""
        config = NetworkConfig(
            inputs=max(1, inputs),
            classes=max(2, classes),
            units=tuple(settings.units),
            batch=settings.batch,
            memory=max(MEMORY, settings.every + settings.batch),
            seed=seed,
            layer=settings.layer or LayerConfig(),
            standardize=settings.standardize,
            average_span=AVERAGE_SPAN,
        )
        return cls(config, Schedule(every=settings.every, idle=None))

    @property
    def config(self) -> NetworkConfig:
        """Of the network as it is now."""
        return self.network.config

    def recall(self, ids: NDArray[np.int64]) -> Tensor:
        """The remembered frames of these numbers: ``[n, inputs]``."""
        return self.remembered[torch.from_numpy(ids - 1) % self.config.memory]

    def grow(self, inputs: int, classes: int) -> None:
        """Have at least so many inputs and classes; in frames of before, new inputs were 0."""
        wider = replace(self.config, inputs=max(inputs, self.config.inputs), classes=max(classes, self.config.classes))
        if wider != self.config:
            added = wider.inputs - self.config.inputs
            self.network.grow(wider)
            self.remembered = torch.nn.functional.pad(self.remembered, (0, added))
            self._reader = None

    def learn(self, frames: NDArray[np.float32], labels: Iterable[int]) -> None:
        """Learn rows [n, inputs] with labels [n], in micro-batches, with whatever sleep falls due on the way.

        Raises:
            ShapeError: when a number is not finite; nothing was learned then.
        """
        rows, known = to_tensor(check_frames(frames, self.config.inputs)), torch.tensor(list(labels))
        for first in range(0, len(rows), self.config.batch):
            part = slice(first, first + self.config.batch)
            self._wake(rows[part], known[part])
            self._sleep_when_due()
        self.network.outcomes(0)
        self._reader = None

    def scores(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """How probable every label is for rows [n, inputs], by one pass: ``[n, classes]``. Never learns.

        Raises:
            ShapeError: when a number is not finite.
        """
        if self._reader is None:
            self._reader = Reader(self.config, [stage.weights() for stage in self.network.stages])
        found = self._reader.classify(to_tensor(check_frames(frames, self.config.inputs)), Method.ONE_PASS)
        scores: NDArray[np.float32] = found.scores.numpy()
        return scores

    def _wake(self, frames: Tensor, labels: Tensor) -> None:
        ids = torch.arange(self.frames + 1, self.frames + 1 + len(frames))
        self.remembered[(ids - 1) % self.config.memory] = frames
        self.frames += len(frames)
        self.events += 1
        self.known = max(self.known, int(labels.max()) + 1)
        self.network.wake(Batch(Position(self.events), Polarity.POSITIVE, frames, labels, ids))
        if self.known > 1:
            self.debt.observe(Wake(int(ids[0]), self.frames, labelled=len(frames)))

    def _sleep_when_due(self) -> None:
        """Before a second label is known there is no wrong one to dream of."""
        reason = self.debt.due(self.schedule, idle_for=0.0, day_over=False)
        if reason is not None:
            sleep = self.debt.plan(self.schedule, self.config.batch, reason)
            self.events += 1
            self.network.sleep(Recorded(self.events, sleep, at=0.0), sleep)
            self.debt.observe(sleep)
