"""Goodness block by block: error and convergence against the number of blocks that decide for themselves (section 5.3).

``python -m benchmarks.blocks --data FOLDER`` (or ``make bench-blocks``). One pass over MNIST in phases of 10:10 micro-batches
of 100, 784-500-500-500, three seeds: the same forward products and the same updates, whatever the number of blocks. Rate and
sharpness of one block are tuned as in ``benchmarks.goodness``, whose record this one shares, and the sharpness of more.
"""

from statistics import mean
from typing import Any

from benchmarks.goodness import HEADER, TUNED, Row, cells, frame_options, label_axes, measured, stream_once, title_of
from benchmarks.ledger import Ledger
from benchmarks.report import plot, table, verdict, write
from benchmarks.search import Axis

COUNTS = (1, 2, 5, 10, 50)

CURVES = {"opponent squares": "opponent_squares", "squares up": "mean_of_squares"}
"""The library's goodness, and the paper's."""

SHARPNESS = Axis("sharpness", (10.0, 25.0, 60.0))
"""What is tuned with more than one block."""

TARGET = 1.0
"""Of the error with one block, by goodness after one pass: the best number of blocks has to stay below it."""


def _draw(axes: Any, found: dict[str, dict[int, Row]], title: str) -> None:
    for colour, (name, curve) in enumerate(found.items()):
        for style, reading in (("-", "goodness"), ("--", "one_pass")):
            errors = [100 * row.mean_of(reading) for row in curve.values()]
            axes.plot(curve.keys(), errors, style, color=f"C{colour}", marker="o", label=f"{name}, test, {reading}")
        early = [100 * mean(each.curve["live"]["3000"] for each in row.figures) for row in curve.values()]
        axes.plot(curve.keys(), early, ":", color=f"C{colour}", marker=".", label=f"{name}, the first 3,000, before learning")
    label_axes(axes, "blocks that decide for themselves", "error, %", title)


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = frame_options(__doc__)
    parser.add_argument("--counts", nargs="*", type=int, default=list(COUNTS), help="of blocks a layer")
    parser.add_argument("--curves", nargs="*", choices=CURVES, default=list(CURVES))
    given = parser.parse_args()
    ledger = Ledger(given.results / "goodness.jsonl", given.data, workers=given.workers, fresh=given.fresh, measure=stream_once)
    found: dict[str, dict[int, Row]] = {}
    for name in given.curves:
        found[name] = {}
        for count in sorted({1, *given.counts}):
            chosen = {"goodness": CURVES[name]} | ({"blocks": count} if count > 1 else {})
            if count > 1:
                chosen["rate"] = found[name][1].constants["rate"]
            tuned = TUNED if count == 1 else (SHARPNESS,)
            found[name][count] = measured(ledger, chosen, range(given.seeds), given.frames, tuned)
    title = title_of(given)
    about = f"{title} (and their standard deviation); errors in %, so far and on the test set"
    rows = [cells(f"{name}, {count}", row) for name, curve in found.items() for count, row in curve.items()]
    write(given.results / "blocks.md", f"# Blocks\n\n{about}\n\n{table(['goodness, blocks', *HEADER], rows)}")
    plot(given.results / "blocks.png", lambda axes: _draw(axes, found, title))
    ratios = {name: _ratios(curve) for name, curve in found.items()}
    value = min(ratio for ratio in ratios[given.curves[0]].values())
    verdict("blocks", value=value, target=TARGET, met=value < TARGET, of_one_block=ratios)


def _ratios(curve: dict[int, Row]) -> dict[int, float]:
    """Error by goodness of more than one block, of that with one."""
    one = curve[1].mean_of("goodness")
    return {count: round(row.mean_of("goodness") / one, 3) for count, row in curve.items() if count > 1}


if __name__ == "__main__":
    main()
