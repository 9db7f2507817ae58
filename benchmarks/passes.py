"""What benchmarks of many passes share: their options, a record that goes on from checkpoints, and learning curves."""

import argparse
import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.epochs import Epochs
from benchmarks.learners.local_backprop import LocalBackprop
from benchmarks.ledger import Ledger
from benchmarks.report import options
from benchmarks.runs import Figures, Run
from ffstream.precision import AUTO, PRECISIONS, settled


def pass_options(about: str, passes: int) -> argparse.ArgumentParser:
    """A command line with what every benchmark of many passes takes."""
    parser = options(about)
    parser.add_argument("--passes", type=int, default=passes)
    parser.add_argument("--part", choices=("test", "validation"), default="test", help="what is held out")
    parser.add_argument(
        "--checkpoints", type=Path, default=Path("checkpoints"), help="folder; a run goes on from what is there"
    )
    return parser


def precise_options(about: str, passes: int) -> argparse.ArgumentParser:
    """The same for benchmarks of wide layers, which choose the number format of their products."""
    parser = pass_options(about, passes)
    add_precision(parser)
    return parser


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Let the command line choose the number format of large products."""
    parser.add_argument(
        "--precision", choices=PRECISIONS, default=settled(AUTO), help="of large products; the faster one here unless named"
    )


def add_constants(parser: argparse.ArgumentParser) -> None:
    """Let the command line change a network's constants."""
    parser.add_argument("--constants", type=json.loads, default={}, help="those that are to differ, as JSON; writes no table")


def part_options(about: str, passes: int) -> argparse.ArgumentParser:
    """The same for benchmarks of which a part may be measured."""
    parser = pass_options(about, passes)
    parser.add_argument("--held", type=int, help="images held out that are read, where not all are")
    parser.add_argument("--frames", type=int, help="images that are learned, where not all are")
    return parser


def extent(given: argparse.Namespace) -> str:
    """How much was learned and read, in words."""
    of, read = ("all" if limit is None else f"the first {limit}" for limit in (given.frames, given.held))
    return f"{of} images; {given.part}, {read} images held out"


def extent_name(given: argparse.Namespace) -> str:
    """The same in the name of a file."""
    return f"{given.part}-{given.frames}" if given.frames else f"{given.part}"


def whole(given: argparse.Namespace) -> bool:
    """Whether all training images were learned and all test images read."""
    return given.part == "test" and given.held is None and given.frames is None


def open_ledger(given: argparse.Namespace, name: str) -> Ledger:
    """The record called ``name`` of a benchmark with these options; its runs leave checkpoints and go on from them."""
    resumed = functools.partial(measure, given.checkpoints)
    return Ledger(given.results / f"{name}.jsonl", given.data, workers=given.workers, fresh=given.fresh, measure=resumed)


def folder_of(checkpoints: Path, run: Run) -> Path:
    """Where a run leaves its checkpoints: a folder for everything that decides them but the number of passes."""
    settings = {name: value for name, value in run.settings().items() if name != "passes"}
    return checkpoints / hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def measure(checkpoints: Path, run: Run, data: str) -> Figures:
    """The figures of a run, gone on with from its last checkpoint."""
    learner = LocalBackprop if run.learner == "local backprop" else Epochs
    return learner(run, data, folder_of(checkpoints, run)).complete()


def draw_curve(axes: Any, looks: Sequence[dict[str, float]], reading: str, **style: Any) -> None:
    """Error held out against passes, at the looks that were by this way of reading."""
    seen = [look for look in looks if reading in look]
    axes.plot([look["passes"] for look in seen], [100 * look[reading] for look in seen], marker=".", **style)


def draw_target(axes: Any, target: float, whose: str, title: str) -> None:
    """What the curves are to come to, and what the axes are."""
    axes.axhline(target, color="gray", linestyle=":", label=whose)
    axes.set(xlabel="passes", ylabel="error held out, %", title=title)
    axes.legend()
    axes.grid(alpha=0.3, which="both")
