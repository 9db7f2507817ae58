"""The paper's section 3.3: MNIST with the label in the input and hard negatives, here with separated wake and sleep.

``python -m benchmarks.mnist_supervised --data FOLDER`` (or ``make bench-mnist-supervised``). Every constant was chosen on the
last 10,000 training images; the test set is read at the end, by all three methods. A run takes hours: it leaves a checkpoint
after every pass and goes on from it. ``--shift 2`` moves every frame by up to two pixels each time it is seen.
"""

from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.epochs import Epochs
from benchmarks.passes import draw_curve, draw_target, folder_of, open_ledger, precise_options
from benchmarks.report import percent, picture, plot, table, verdict, write
from benchmarks.runs import Figures, Run
from ffstream import Method, Reader
from ffstream.masks import side_of

TARGET = 1.36
"""Test error in percent, by goodness (the paper's, after 60 epochs)."""

SHIFTED_TARGET = 0.64
"""The paper's with frames moved by up to two pixels, after 500 epochs."""

UNITS = (2000, 2000, 2000, 2000)
PASSES = 5
SEEDS = 3
CONSTANTS = {"phase": 10}

FIELDS = 100
"""First-layer units whose receptive fields are drawn, as in figure 2."""


def draw_fields(figure: Any, reader: Reader) -> None:
    """The weights from the pixels to the first hundred units, each scaled to its own range (figure 2)."""
    side = side_of(reader.config.inputs)
    fields = reader.stages[0].layer[:FIELDS, : side * side].reshape(-1, side, side)
    for place, field in zip(figure.subplots(10, 10).flat, fields, strict=False):
        limit = float(field.abs().max())
        place.imshow(field, cmap="gray", vmin=-limit, vmax=limit)
        place.axis("off")


def report(results: Path, runs: list[Run], figures: list[Figures], title: str, name: str) -> dict[str, float]:
    """Table and learning curves; returns the mean error in percent by every method."""
    means = {method.value: 100 * mean(each.held_out[-1][method.value] for each in figures) for method in Method}
    rows = [
        [f"seed {run.seed}", *(percent(each.held_out[-1][name]) for name in means), f"{each.seconds / 3600:.1f}"]
        for run, each in zip(runs, figures, strict=True)
    ]
    rows.append(["mean", *(f"{value:.2f}" for value in means.values()), ""])
    header = ["error in %", *means, "hours"]
    write(results / f"{name}.md", f"# MNIST, supervised\n\n{title}\n\n{table(header, rows)}")
    plot(results / f"{name}.png", lambda axes: _draw_curves(axes, figures, title))
    return means


def _draw_curves(axes: Any, figures: list[Figures], title: str) -> None:
    for colour, method in enumerate(Method):
        for each in figures:
            label = method.value if each is figures[0] else None
            draw_curve(axes, each.looks, method.value, color=f"C{colour}", label=label)
    draw_target(axes, TARGET, "Hinton 2022, 60 epochs", title)


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = precise_options(__doc__, PASSES)
    parser.add_argument("--units", default=",".join(map(str, UNITS)), help="widths, like 2000,2000,2000,2000")
    parser.add_argument("--shift", type=int, default=0, help="pixels by which a frame is moved at most")
    given = parser.parse_args()

    ledger = open_ledger(given, "mnist_supervised")
    units = tuple(int(width) for width in given.units.split(","))
    constants = CONSTANTS | {"precision": given.precision} | ({"shift": given.shift} if given.shift else {})
    runs = [Run("ffstream", constants, units, 100, seed, given.part, given.passes) for seed in range(given.seeds)]
    ledger.complete(runs)

    widths = "-".join(map(str, units))
    name = f"mnist_supervised-{widths}-{given.part}" + (f"-shift{given.shift}" if given.shift else "")
    title = f"784-{widths}, {given.passes} passes, {given.part}, {given.precision}"
    if given.shift:
        title += f", frames moved by up to {given.shift} pixels"
    means = report(given.results, runs, [ledger[run] for run in runs], title, name)
    reader = Epochs(runs[0], given.data, folder_of(given.checkpoints, runs[0])).reader()
    picture(given.results / f"{name}-fields.png", lambda figure: draw_fields(figure, reader))
    value, target = means["goodness"], SHIFTED_TARGET if given.shift else TARGET
    met = value <= target and given.part == "test" and given.seeds >= SEEDS
    verdict("mnist-supervised", value=value, target=target, met=met, **means, passes=given.passes, seeds=given.seeds)


if __name__ == "__main__":
    main()
