"""Mortal computation: what one instance of analog hardware has learned, passed on to another that works otherwise.

``python -m benchmarks.mortal --data FOLDER`` (or ``make bench-mortal``; digits when no folder is given). The instances are
emulated (:mod:`ffstream.hardware`): gains, offsets, four ways to bend an input, 4-bit converters, all unknown and different
from unit to unit. A teacher learns in place. Its weights are copied to another instance; and a student with first weights of
its own learns there, from the teacher's answers alone: no true label reaches it. The answers are probabilities that travel in
the frames (:mod:`ffstream.soft`), or only the label that the teacher thinks most probable; for all frames of the stream, or
for a tenth of them, shown as often as makes the same number.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.learners import Frames, Labels
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, table, verdict, write
from benchmarks.runs import Figures, Run, errors_of, part_of
from ffstream import Method, NetworkConfig, Schedule, Stream
from ffstream.classify import Reader
from ffstream.datasets import Dataset
from ffstream.frames import to_tensor
from ffstream.soft import asked, soften

TARGET = 95.0
"""Percent of the teacher's accuracy that the student has to reach."""

PHASE = 10
FEW = 10
"""One in so many frames is shown to those who see few."""

WHO = {
    "exact": "the same network on exact hardware",
    "teacher": "teacher, learning in place on one instance",
    "copied": "its weights on another instance",
    "soft": "student there, the teacher's probabilities",
    "hard": "student there, the teacher's labels",
    "few soft": "student, a tenth of the frames, probabilities",
    "few hard": "student, a tenth of the frames, labels",
}


def passed_on(run: Run, data: str) -> Figures:
    """A teacher, and all that come after it: ``looks`` has their accuracies by method, in the order of :data:`WHO`."""
    frames = part_of(data, run.part)
    figures, began = Figures(), time.perf_counter()
    for name, read in zip(WHO, _all(run, frames), strict=True):
        errors = errors_of(read, frames.y_held)
        figures.looks.append({method: 1 - error for method, error in errors.items()})
        print(f"  {name}: {errors['shortlist']:.2%} wrong", file=sys.stderr, flush=True)
    figures.seconds = time.perf_counter() - began
    figures.held_out.append({"shortlist": 1 - figures.looks[list(WHO).index("soft")]["shortlist"]})
    return figures


def _all(run: Run, frames: Dataset) -> Iterator[dict[str, Labels]]:
    """What each of :data:`WHO` makes of the frames held out."""
    one, other = 2 * run.seed + 1, 2 * run.seed + 2
    config = NetworkConfig(frames.inputs, 10, run.units, batch=run.batch, seed=run.seed)
    order = frames.order(run.passes, run.seed)
    yield _read(_lived(config, frames.x, frames.y, order).reader, frames.x_held)
    teacher = _lived(replace(config, hardware=one), frames.x, frames.y, order).reader
    yield _read(teacher, frames.x_held)
    yield _read(Reader(replace(config, hardware=other), teacher.stages), frames.x_held)
    answers = np.concatenate([teacher.logits(to_tensor(part)).softmax(dim=1).numpy() for part in _parts(frames.x)])
    labels = answers.argmax(axis=1)
    few = np.tile(order[: len(order) // run.passes // FEW], FEW * run.passes)
    student = replace(config, hardware=other, seed=1000 + run.seed)
    soft = replace(student, inputs=frames.inputs + 10, soft_labels=True)
    for rows in (order, few):
        yield _read(_lived(soft, soften(frames.x, answers), labels, rows).reader, asked(frames.x_held, 10))
        yield _read(_lived(student, frames.x, labels, rows).reader, frames.x_held)


def _lived(config: NetworkConfig, x: Frames, y: Labels, rows: Labels) -> Stream:
    stream = Stream.in_process(config, Schedule(every=PHASE * config.batch, idle=None))
    for chosen in np.array_split(rows, 20):
        stream.feed(x[chosen], y[chosen])
    stream.sleep()
    return stream


def _parts(frames: Any) -> list[Any]:
    return np.array_split(frames, max(1, len(frames) // 1000))


def _read(reader: Reader, frames: Any) -> dict[str, Labels]:
    return {
        method.value: np.concatenate([reader.classify(to_tensor(part), method).labels.numpy() for part in _parts(frames)])
        for method in Method
    }


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.set_defaults(data="digits")
    given = parser.parse_args()
    small = given.data == "digits"
    about = "digits" if small else "mnist"
    shape: dict[str, Any] = {"units": (200,) * 3, "batch": 25, "passes": 5} if small else {"units": (500,) * 3}
    path = given.results / f"mortal-{about}.jsonl"
    ledger = Ledger(path, given.data, workers=given.workers, fresh=given.fresh, measure=passed_on)
    runs = [Run("ffstream", {"hardware": True}, seed=seed, **shape) for seed in range(given.seeds)]
    ledger.complete(runs)
    methods = [method.value for method in Method]
    accuracies = {
        name: {method: mean(ledger[run].looks[at][method] for run in runs) for method in methods} for at, name in enumerate(WHO)
    }
    rows = [[said, *(percent(accuracies[name][method]) for method in methods)] for name, said in WHO.items()]
    passes = "five passes over digits" if small else "one pass over MNIST"
    title = f"three layers of {shape['units'][0]}, {passes}, accuracy in %, means of {given.seeds} seeds, two instances each"
    write(given.results / f"mortal-{about}.md", f"# Mortal computation\n\n{title}\n\n{table(['who', *methods], rows)}")
    teacher, copied, soft = (accuracies[name]["shortlist"] for name in ("teacher", "copied", "soft"))
    value, kept = 100 * soft / teacher, 100 * copied / teacher
    verdict("mortal", value=value, target=TARGET, met=value >= TARGET > kept, copied=kept, teacher=100 * teacher)


if __name__ == "__main__":
    main()
