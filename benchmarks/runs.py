"""One run: one learner, one stream, everything that decides its figures, and the figures."""

import functools
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.learners import Constants, Frames, Labels, Learner, make_learner
from ffstream.datasets import Dataset, load

MARKS = (1_000, 3_000, 10_000, 20_000, 40_000, 60_000)
"""Frames after which the prequential error so far is noted."""

VALIDATION_SHARE = 6
"""One part in so many of what may be learned from, its end, is held out for validation: 10,000 frames of MNIST's 60,000."""

SAY_EVERY = 10_000
"""Frames between two lines of progress."""


@dataclass(frozen=True)
class Run:
    """What is learned, by whom, and how.

    Args:
        learner: a name that :func:`benchmarks.learners.make_learner` knows.
        constants: the learner's own settings.
        units: widths of the hidden layers; empty for a linear model.
        batch: frames in a micro-batch.
        seed: of the first weights and of the order of the frames, which is the same for all learners.
        part: ``"validation"`` learns all but the last sixth of the frames and is scored on that sixth; ``"test"`` learns all
            of them and is scored on the test set.
        passes: over the frames, each in an order of its own.
        frames: the first so many frames of the order only, or where there are checkpoints of the data set; None for all.
    """

    learner: str
    constants: Constants
    units: tuple[int, ...] = ()
    batch: int = 100
    seed: int = 0
    part: str = "test"
    passes: int = 1
    frames: int | None = None

    def settings(self) -> dict[str, Any]:
        """Everything that decides the figures, as plain data: what the run is recorded under."""
        settings = asdict(self) | {"units": list(self.units)}
        if self.learner == "ffstream":
            from benchmarks.learners.forward_forward import fields_config, fingerprint, layer_config, video_config

            fields = fields_config(self.constants)
            settings["fingerprint"] = fingerprint(
                layer_config(self.constants),
                video_config(self.constants),
                self.constants.get("standardize", False),
                local=fields is not None,
                shared=fields is not None and fields.shared,
            )
        return settings

    def __str__(self) -> str:
        words = [self.learner, *(f"{name}={value}" for name, value in self.constants.items())]
        words += ["-".join(map(str, self.units)), f"batch={self.batch}", f"seed={self.seed}", self.part]
        return " ".join(word for word in words if word)


@dataclass
class Figures:
    """What a run gave. Errors are shares of frames, by way of reading.

    ``prequential`` is over the first pass, ``curve`` its value after each of :data:`MARKS`; ``held_out`` has one entry a
    pass; ``looks`` has what else was read on the way; ``seconds`` are those of predicting and learning, without the held-out
    part.
    """

    prequential: dict[str, float] = field(default_factory=dict)
    curve: dict[str, dict[str, float]] = field(default_factory=dict)
    held_out: list[dict[str, float]] = field(default_factory=list)
    looks: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


def execute(run: Run, data: str) -> Figures:
    """Give the frames of data set ``data`` to the run's learner, once a pass, each predicted before it is learned."""
    frames = part_of(data, run.part)
    order = frames.order(run.passes, run.seed).reshape(run.passes, -1)[:, : run.frames]
    updates = run.passes * -(-order.shape[1] // run.batch)
    learner = make_learner(run.learner, run, frames.inputs, frames.classes, updates)
    figures = Figures()
    for number, rows in enumerate(order, start=1):
        began = time.perf_counter()
        errors = _one_pass(learner, frames, rows, run, f"{run} pass {number}/{run.passes}")
        figures.seconds += time.perf_counter() - began
        if number == 1:
            figures.prequential = {reading: float(wrong.mean()) for reading, wrong in errors.items()}
            figures.curve = {reading: at_marks(wrong) for reading, wrong in errors.items()}
        figures.held_out.append(errors_of(learner.read(frames.x_held), frames.y_held))
    return figures


def _one_pass(learner: Learner, data: Dataset, rows: Labels, run: Run, what: str) -> dict[str, Frames]:
    """Which predictions were wrong [frames], by way of reading."""
    wrong: dict[str, list[Frames]] = {}
    for start in range(0, len(rows), run.batch):
        chosen = rows[start : start + run.batch]
        for reading, labels in learner.step(data.x[chosen], data.y[chosen]).items():
            wrong.setdefault(reading, []).append(labels != data.y[chosen])
        seen = start + len(chosen)
        if seen // SAY_EVERY > start // SAY_EVERY:
            so_far = ", ".join(f"{reading} {np.concatenate(each).mean():.2%}" for reading, each in wrong.items())
            print(f"  {what}: {seen} frames, {so_far} wrong", file=sys.stderr, flush=True)
    learner.rest()
    return {reading: np.concatenate(each) for reading, each in wrong.items()}


def at_marks(wrong: Frames) -> dict[str, float]:
    """The share that was wrong up to each of :data:`MARKS`."""
    return {str(mark): float(wrong[:mark].mean()) for mark in MARKS if mark <= len(wrong)}


def errors_of(predicted: Mapping[str, Labels], labels: Labels) -> dict[str, float]:
    """Share of predictions that are wrong, by way of reading."""
    return {reading: float((each != labels).mean()) for reading, each in predicted.items()}


@functools.cache
def part_of(data: str, part: str) -> Dataset:
    """The data set, with its test set or its validation part held out."""
    whole = load(data)
    if part == "test":
        return whole
    kept = len(whole.x) - len(whole.x) // VALIDATION_SHARE
    return replace(whole, x=whole.x[:kept], y=whole.y[:kept], x_held=whole.x[kept:], y_held=whole.y[kept:])
