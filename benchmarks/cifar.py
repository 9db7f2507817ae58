"""The paper's section 4: CIFAR-10 with local receptive fields, a recurrent network and the label above its last layer.

``python -m benchmarks.cifar --data FOLDER`` (or ``make bench-cifar``): table 1. Two and three hidden layers of 32 x 32 places
with three units each, which see 11 x 11 places of the layer below and of the layer above; ten ticks, of which the fourth to
the sixth are read; squares maximised and minimised for positives, every label's goodness and the softmax of one pass; and
backpropagation through the same fields beside it. A pass takes long: a run leaves a checkpoint after every one and goes on
from it, and one that was asked for fewer passes is the beginning of one that is asked for more.

Of the ticks the fifth is learned, the middle one of those that are read. The paper's ten then end with the sixth: what comes
after it is neither read nor learned. Constants are chosen on validation data, those of Forward-Forward on images of half the
side (``--half``).
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.passes import add_constants, add_precision, draw_curve, extent, extent_name, open_ledger, part_options, whole
from benchmarks.report import percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run
from ffstream import Field, FieldsConfig
from ffstream.datasets import load

TARGET = 41.0
"""Test error in percent of the best row (the paper's best of Forward-Forward)."""

LEEWAY = 1.0
"""Points by which a row may be behind the paper's."""

PAPER = {
    ("backprop", "backprop", 2): (0, 37),
    ("minimised", "goodness", 2): (20, 41),
    ("minimised", "one_pass", 2): (31, 45),
    ("maximised", "goodness", 2): (25, 44),
    ("maximised", "one_pass", 2): (33, 46),
    ("backprop", "backprop", 3): (2, 39),
    ("minimised", "goodness", 3): (24, 41),
    ("minimised", "one_pass", 3): (32, 44),
    ("maximised", "goodness", 3): (21, 44),
    ("maximised", "one_pass", 3): (31, 46),
}
"""Table 1: error in percent on the training images and on the test images, by system, way of reading and hidden layers."""

GOODNESS = {"minimised": "negative_mean_of_squares", "maximised": "mean_of_squares"}
SYSTEMS = ("backprop", *GOODNESS)

FIELD, HALF = Field(grid=32, channels=3, size=11, tile=8), Field(grid=16, channels=3, size=5, tile=4)
"""Of every layer, and of those that see images of half the side."""

VIDEO = {"ticks": 6, "kept": 0.3, "read": [4, 6], "lanes": 1, "learn": [5, 5]}
READ = {"centred": True, "fit": 2000}
CONSTANTS = {
    "phase": 1,
    "directions": 16,
    "damping": 0.3,
    "rate": 0.25,
    "sharpness": 60.0,
    "weight_cost": 0.0005,
    "label_strength": 0.4,
    "average_span": 2000,
    "negatives": "uniform_labels",
    "readout": {"weight_cost": 0.01},
    "video": VIDEO,
    "methods": ["one_pass", "goodness"],
} | READ
BACKPROP = {"rate": 0.001, "weight_decay": 0.5} | READ
PASSES = 60

Measured = dict[tuple[str, int], Figures]


def run_of(
    system: str,
    layers: int,
    part: str,
    passes: int,
    held: int | None = None,
    frames: int | None = None,
    *,
    field: Field = FIELD,
    changed: Mapping[str, Any] | None = None,
) -> Run:
    """One of table 1's networks, with other fields or some constants changed."""
    fields = FieldsConfig(field.grid, 3, (field,) * layers)
    shape: dict[str, Any] = {"fields": fields.to_dict()} | dict(changed or {})
    if held is not None:
        shape["held"] = held
    if system == "backprop":
        return Run("local backprop", BACKPROP | shape, fields.units, 100, 0, part, passes, frames)
    constants = CONSTANTS | {"goodness": GOODNESS[system]} | shape
    return Run("ffstream", constants, fields.units, 100, 0, part, passes, frames)


def halved(data: str, folder: Path) -> str:
    """Name of a data set in ``folder`` with the images of ``data`` at half their side, every pixel the mean of four."""
    path = folder / f"{Path(data).name}-half.npz"
    if not path.exists():
        whole = load(data)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, x=_halve(whole.x), y=whole.y, x_test=_halve(whole.x_held), y_test=whole.y_held)
    return str(path)


def _halve(images: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Images [n, 3 * 32 * 32], whose planes come one after another."""
    fours = images.reshape(-1, 3, HALF.grid, 2, HALF.grid, 2)
    means = [part.mean(axis=(3, 5)).round().astype(np.uint8) for part in np.array_split(fours, 50)]
    return np.concatenate(means).reshape(len(images), -1)


def rows_of(found: Measured) -> list[tuple[tuple[str, str, int], float, float]]:
    """Of what was measured, each row of the table: which one, errors in percent on learned images and on those held out."""
    rows = []
    for row in PAPER:
        system, reading, layers = row
        if (system, layers) in found:
            last = found[system, layers].looks[-1]
            rows.append((row, 100 * last[f"learned, {reading}"], 100 * last[reading]))
    return rows


def report(results: Path, found: Measured, name: str, title: str) -> None:
    """Table 1 and the curves; every network is there after as many passes as were measured of it."""
    lines = []
    for row, learned, held in rows_of(found):
        system, reading, layers = row
        figures = found[system, layers]
        last = figures.looks[-1]
        ours = [f"{learned:.1f}", f"{held:.1f}", percent(last["learned"])]
        spent = [str(last["passes"]), f"{figures.seconds / 3600:.2f}"]
        lines.append([system, reading, str(layers), *ours, *spent, *map(str, PAPER[row])])
    header = ["squares of positives", "read by", "hidden layers", "learned images, %", "held out, %"]
    header += ["before learning, last pass, %", "passes", "hours", "paper: learned", "paper: test"]
    write(results / f"{name}.md", f"# CIFAR-10\n\n{title}\n\n{table(header, lines)}")
    plot(results / f"{name}.png", lambda axes: _draw_curves(axes, found, title))


def _draw_curves(axes: Any, found: Measured, title: str) -> None:
    for colour, ((system, layers), figures) in enumerate(found.items()):
        for style, reading in zip(("-", ":"), {row[1]: None for row in PAPER if row[0] == system}, strict=False):
            label = f"{system}, {layers} layers, {reading}"
            draw_curve(axes, figures.looks, reading, color=f"C{colour}", linestyle=style, label=label)
    axes.axhline(TARGET, color="gray", linestyle="--", label="Hinton 2022, best of Forward-Forward")
    axes.set(title=title, xlabel="passes", ylabel="error held out, %")
    axes.legend()


def met(found: Measured, complete: bool) -> bool:
    """Whether every row of the table is there, of ``complete`` training and test sets, and none is far behind the paper's."""
    rows = rows_of(found)
    level = all(error <= PAPER[row][1] + LEEWAY for row, _, error in rows)
    return level and len(rows) == len(PAPER) and best(found) <= TARGET and complete


def best(found: Measured) -> float:
    """Of the rows of Forward-Forward, or of all when there are none."""
    rows = rows_of(found)
    return min([error for (system, *_), _, error in rows if system != "backprop"] or [error for *_, error in rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = part_options(__doc__, PASSES)
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 3], help="hidden layers")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--half", action="store_true", help="images of half the side, fields of 5 x 5: to choose constants by")
    add_precision(parser)
    add_constants(parser)
    given = parser.parse_args(arguments)

    if given.half:
        given.data = halved(given.data, given.checkpoints)
    ledger = open_ledger(given, "cifar-half" if given.half else "cifar")
    asked = {(system, layers): _asked(given, system, layers) for layers in given.layers for system in given.systems}
    ledger.complete(asked.values())

    found = {which: ledger[run] for which, run in asked.items()}
    own = not given.half and not given.constants
    if own:
        longest = {(system, layers): ledger.furthest(_asked(given, system, layers)) for system, _, layers in PAPER}
        found = {which: figures for which, figures in longest.items() if figures}
        report(given.results, found, f"cifar-{extent_name(given)}", f"over {extent(given)}")
    verdict("cifar", value=best(found), target=TARGET, met=met(found, own and whole(given)), passes=given.passes)


def _asked(given: argparse.Namespace, system: str, layers: int) -> Run:
    """One of the networks, as the command line would have it."""
    changed = given.constants if system == "backprop" else {"precision": given.precision} | given.constants
    field = HALF if given.half else FIELD
    return run_of(system, layers, given.part, given.passes, given.held, given.frames, field=field, changed=changed)


if __name__ == "__main__":
    main()
