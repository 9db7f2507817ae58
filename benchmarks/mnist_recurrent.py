"""The paper's section 3.4: MNIST as a rather boring video, for a recurrent network with two or three hidden layers.

``python -m benchmarks.mnist_recurrent --data FOLDER`` (or ``make bench-mnist-recurrent``). Every constant was chosen on the
last 10,000 training images; the test set is read at the end, by all three methods. A run takes long: it leaves a checkpoint
after every pass and goes on from it. ``--reversed`` has layers fall silent for positives, as in section 3.5.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.passes import draw_curve, draw_target, open_ledger, precise_options
from benchmarks.report import percent, plot, table, verdict, write
from benchmarks.runs import Figures, Run
from ffstream import Method

TARGET = 1.31
"""Test error in percent, by goodness (the paper's, 2000 units a layer, after 60 epochs)."""

NETWORKS = "500,500 500,500,500"
PASSES = 5
SEEDS = 1
VIDEO = {"ticks": 8, "kept": 0.3, "read": [3, 5], "lanes": 2}
CONSTANTS = {
    "phase": 1,
    "directions": 16,
    "damping": 0.3,
    "label_strength": 1.5,
    "video": VIDEO,
}
REVERSED = {"goodness": "negative_mean_of_squares"}

Runs = Sequence[tuple[Run, Figures]]


def report(results: Path, runs: Runs, name: str, title: str) -> None:
    """Table and learning curves."""
    rows = []
    for run, figures in runs:
        errors = [percent(figures.held_out[-1][method.value]) for method in Method]
        rows.append([_network(run), str(run.seed), *errors, f"{figures.seconds / 3600:.2f}"])
    header = ["network", "seed", *(f"{method.value}, %" for method in Method), "hours"]
    write(results / f"{name}.md", f"# MNIST, recurrent\n\n{title}\n\n{table(header, rows)}")
    plot(results / f"{name}.png", lambda axes: _draw_curves(axes, runs, title))


def _network(run: Run) -> str:
    return "-".join(map(str, run.units))


def _draw_curves(axes: Any, runs: Runs, title: str) -> None:
    for colour, (run, figures) in enumerate(runs):
        for style, method in zip((":", "-", "--"), Method, strict=True):
            label = f"{_network(run)}, seed {run.seed}, {method.value}"
            draw_curve(axes, figures.looks, method.value, linestyle=style, color=f"C{colour}", label=label)
    draw_target(axes, TARGET, "Hinton 2022, 60 epochs", title)


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = precise_options(__doc__, PASSES)
    parser.set_defaults(seeds=SEEDS)
    parser.add_argument("--networks", default=NETWORKS, help=f"widths of the hidden layers, like '{NETWORKS}'")
    parser.add_argument("--reversed", action="store_true", help="low squares for positives, as in predictive coding")
    given = parser.parse_args()

    ledger = open_ledger(given, "mnist_recurrent")
    constants = CONSTANTS | {"precision": given.precision} | (REVERSED if given.reversed else {})
    networks = [tuple(int(width) for width in widths.split(",")) for widths in given.networks.split()]
    runs = [
        Run("ffstream", constants, units, 100, seed, given.part, given.passes)
        for units in networks
        for seed in range(given.seeds)
    ]
    ledger.complete(runs)

    shown = "_".join(dict.fromkeys(map(_network, runs)))
    name = f"mnist_recurrent-{shown}-{given.part}" + ("-reversed" if given.reversed else "")
    title = f"{given.passes} passes, {given.part}, {given.precision}" + (", sign reversed" if given.reversed else "")
    report(given.results, [(run, ledger[run]) for run in runs], name, title)
    errors = {
        _network(Run("", {}, units)): 100 * mean(ledger[run].held_out[-1]["goodness"] for run in runs if run.units == units)
        for units in networks
    }
    value = errors[_network(runs[0])]
    met = value <= TARGET and given.part == "test"
    verdict("mnist-recurrent", value=value, target=TARGET, met=met, **errors, passes=given.passes, seeds=given.seeds)


if __name__ == "__main__":
    main()
