"""The paper's systems in one table: its figure, ours, and the command that remakes it.

``make results`` (``python -m benchmarks.paper``) measures nothing. It reads the ledgers under ``benchmarks/results``, writes
``paper.md`` and its plots beside them, and what is marked as short between two markers in the README. No figure is typed by
hand, but for those of the paper. Another system takes a row in :data:`ROWS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import (
    aesop,
    blocks,
    cifar,
    convolutional,
    fast_weights,
    goodness,
    mnist_local,
    mnist_recurrent,
    mnist_supervised,
    mnist_unsupervised,
    mortal,
    phase_length,
)
from benchmarks.records import Measured, Records, Settings, Value
from benchmarks.report import RESULTS, plot, table
from benchmarks.runs import Figures

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- begin: make results -->\n", "<!-- end: make results -->\n"

HEADER = ("paper", "system", "unit", "the paper", "ours", "command")
MISSING = "not measured"

ERROR, PERPLEXITY = "error, %", "perplexity"

Find = Callable[[Records], Measured | None]


@dataclass(frozen=True)
class Row:
    """A system of the paper.

    Args:
        section: of the paper.
        system: in words.
        unit: of the figures.
        paper: its figure, or what it says where it gives none.
        command: that remakes ours.
        find: ours, in the records.
        short: whether the README shows it.
    """

    section: str
    system: str
    unit: str
    paper: float | str
    command: str
    find: Find
    short: bool = True

    def cells(self, records: Records) -> list[str]:
        """Of the table."""
        found = self.find(records)
        paper = self.paper if isinstance(self.paper, str) else f"{self.paper:.2f}"
        return [self.section, self.system, self.unit, paper, str(found or MISSING), f"`make {self.command}`"]


def error(reading: str) -> Value:
    """Error held out after the last pass, in percent."""
    return lambda figures: 100 * figures.held_out[-1][reading]


def perplexity(figures: Figures) -> float:
    """Held out, at the pass that validation would stop at."""
    return aesop.best(figures)["test"]


def of(ledger: str, value: Value, constants: dict[str, Any], **wanted: Any) -> Find:
    """A figure of the last run whose settings are as wanted, and its constants too: None is a constant that is not set."""

    def has(settings: Settings) -> bool:
        has_constants = all(settings["constants"].get(name) == each for name, each in constants.items())
        return has_constants and all(settings[name] == each for name, each in wanted.items())

    return lambda records: records.measure(ledger, value, has)


def of_units(**constants: Any) -> Find:
    """Of the table of goodness functions; what is not named has to be the default."""
    usual = {"goodness": "opponent_squares", "activation": None, "blocks": None}
    return of("goodness", error("goodness"), usual | constants, part="test")


def best_blocks(records: Records) -> Measured | None:
    """The least error with several blocks."""
    tried = [of_units(blocks=count)(records) for count in blocks.COUNTS if count > 1]
    return min((found for found in tried if found), key=lambda found: found.value, default=None)


def lost(passes: int) -> Find:
    """Points of error by which a stream that was deprived of sleep ends behind an undisturbed one."""
    ends = [of("sleep_deprivation", error("goodness"), {"awake": awake}, part="test", passes=passes) for awake in (True, False)]

    def find(records: Records) -> Measured | None:
        deprived, undisturbed = (end(records) for end in ends)
        if deprived is None or undisturbed is None:
            return None
        return Measured(deprived.value - undisturbed.value, min(deprived.seeds, undisturbed.seeds), passes)

    return find


def recurrent(layers: int) -> Find:
    """Of so many hidden layers, however wide."""

    def has(settings: Settings) -> bool:
        usual = "goodness" not in settings["constants"]
        return usual and settings["part"] == "test" and len(settings["units"]) == layers

    return lambda records: records.measure("mnist_recurrent", error("goodness"), has)


def pictures(system: str, reading: str, layers: int) -> Find:
    """Of CIFAR-10's table, a row, after as many passes over all images as were measured last."""
    run = cifar.run_of(system, layers, "test", cifar.PASSES)
    constants = {"held": None} | dict(run.constants)
    return of("cifar", error(reading), constants, learner=run.learner, part=run.part, frames=None, units=list(run.units))


def named(system: str, reading: str, layers: int) -> str:
    """A row of CIFAR-10's table in words."""
    told = system if system == reading else f"squares {system}, by {reading}"
    return f"CIFAR-10, {layers} layers, {told}"


def phase(length: int, passes: int) -> Find:
    """Of the library's own rule, negatives only."""
    wanted = {"rule": None, "cycle": None, "enough": None, "phase": length}
    return of("phase_length", error("goodness"), wanted, part="test", passes=passes)


def told(name: str) -> Find:
    """Of a curve of the sequence benchmark."""
    curve = aesop.CURVES[name]
    constants = {key: each for key, each in curve.constants.items() if each is not None}
    return of("aesop", perplexity, constants, learner=curve.learner, batch=curve.batch, passes=curve.passes)


def recalled(name: str) -> Find:
    """Of a curve with fast weights, or beside them."""
    usual = {"fast_weights": None, "window": None} | aesop.CURVES[aesop.TEACHER].constants
    return of("fast_weights", perplexity, usual | fast_weights.SPREAD[name], part="validation")


def associated(name: str) -> Find:
    """Of the pairs that fast weights are asked for."""
    usual = {"fast_weights": None} | fast_weights.ASSOCIATIONS[name]
    return of("fast_weights", error("one_pass"), usual, part="test")


def of_digits(benchmark: str, value: Value, **constants: Any) -> Find:
    """Ours in a benchmark of small digits."""
    return of(f"{benchmark}-digits", value, constants, part="test", learner="ffstream")


def read_by(who: str) -> Value:
    """Error in percent by shortlist of one of :data:`benchmarks.mortal.WHO`."""
    return lambda figures: 100 * (1 - figures.looks[list(mortal.WHO).index(who)]["shortlist"])


SUPERVISED = of("mnist_supervised", error("goodness"), {"shift": None}, part="test")
SHIFTED = of("mnist_supervised", error("goodness"), {"shift": 2}, part="test")
CONVOLUTIONAL = of("convolutional-mnist", error("goodness"), {}, part="test", learner="ffstream", frames=None)
LOCAL = of("mnist_local", error("one_pass"), {}, part="test")
WIDE = list(mnist_unsupervised.UNITS)
UNSUPERVISED = of("mnist_unsupervised", error("one_pass"), {"labels": None}, part="test", units=WIDE)
ONE_SHOT = of_digits("one_shot", error("one_shot"))
BOXES = of_digits("black_box", error("goodness"), box={"kind": "unknown", "strength": 0.5})
COPIED, DISTILLED = (of_digits("mortal", read_by(who)) for who in ("copied", "soft"))

PUBLISHED = f"{convolutional.TASKS['mnist'].published[convolutional.SCODELLARO]:.2f} by others"

PAPER_ON_UNITS = {
    "squares up, ReLU": "used throughout",
    "squares down, ReLU": "slightly better",
    "activities down, ReLU": "works well",
}

ROWS = (
    Row("3.2", "unsupervised, 4 x 2000", ERROR, mnist_unsupervised.TARGET, "bench-mnist-unsupervised", UNSUPERVISED),
    Row("3.2", "unsupervised, local receptive fields", ERROR, mnist_local.TARGET, "bench-mnist-local", LOCAL),
    Row("3.3", "label in the input, 4 x 2000", ERROR, mnist_supervised.TARGET, "bench-mnist-supervised", SUPERVISED),
    Row("3.3", "the same, shifted", ERROR, mnist_supervised.SHIFTED_TARGET, "bench-mnist-supervised", SHIFTED, short=False),
    *(
        Row("3.4", f"images as videos, {n} layers", ERROR, mnist_recurrent.TARGET, "bench-mnist-recurrent", recurrent(n))
        for n in (2, 3)
    ),
    *(
        Row("4", named(*row), ERROR, paper, "bench-cifar", pictures(*row), short=row[0] == "minimised")
        for row, (_, paper) in cifar.PAPER.items()
    ),
    *(
        Row("4.1", f"next character, {name}", PERPLEXITY, "figure 5", "bench-aesop", told(name))
        for name in aesop.CURVES
        if name != aesop.BACKPROP
    ),
    Row("5.3", "one block, one decision", ERROR, "", "bench-blocks", of_units()),
    Row("5.3", "the best of more blocks", ERROR, "proposed", "bench-blocks", best_blocks),
    *(
        Row("5.3", f"{count} blocks", ERROR, "proposed", "bench-blocks", of_units(blocks=count), short=False)
        for count in blocks.COUNTS
        if count > 1
    ),
    Row("6", "small digits, two of them shown once", ERROR, "asked", "bench-one-shot", ONE_SHOT),
    Row("6", "small digits, through boxes, noise half the signal", ERROR, "asked", "bench-black-box", BOXES),
    Row("8", "small digits, weights copied to other hardware", ERROR, "lost", "bench-mortal", COPIED),
    Row("8", "small digits, distilled to other hardware", ERROR, "proposed", "bench-mortal", DISTILLED),
    *(
        Row("9", name, ERROR, PAPER_ON_UNITS.get(name, "asked"), "bench-goodness", of_units(**constants))
        for name, constants in goodness.ROWS.items()
    ),
    *(
        Row("9", f"phases of {length}:{length} micro-batches", ERROR, "asked", "bench-phase-length", phase(length, passes))
        for length, passes in ((1, 5), (100, 5), (600, 5), (6000, 10))
    ),
    Row("9", "a third of a pass without sleep, then it all: lost", "points", "asked", "bench-sleep-deprivation", lost(1)),
    Row("9", "ten passes without sleep, then it all: lost", "points", "asked", "bench-sleep-deprivation", lost(12)),
    *(
        Row("9", f"next character, {name}", PERPLEXITY, "asked", "bench-fast-weights", recalled(name), name != aesop.TEACHER)
        for name in fast_weights.SPREAD
    ),
    *(
        Row("9", f"one of four {name}", ERROR, "asked", "bench-fast-weights", associated(name))
        for name in fast_weights.ASSOCIATIONS
    ),
    Row("beyond", "convolutional, label told everywhere", ERROR, PUBLISHED, "bench-convolutional", CONVOLUTIONAL),
)


def whole(records: Records) -> str:
    """All rows, as a file."""
    about = (
        "Errors are of MNIST's test set, by goodness; in section 3.2 by one pass. "
        "Small digits are scikit-learn's, with three layers of 200, by goodness, on hardware by shortlist. Networks of "
        "sections 4.1, 5.3 and 9 are of 500-500-500 units. Ours are means over seeds of the last runs on record."
    )
    return f"# The paper's systems\n\n{about}\n\n{table(HEADER, [row.cells(records) for row in ROWS])}"


def in_readme(text: str, records: Records) -> str:
    """The README with its table made anew.

    Raises:
        ValueError: when the markers are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README: expected the lines {BEGIN.strip()} and {END.strip()}")
    rows = [row.cells(records) for row in ROWS if row.short]
    return before + begin + table(HEADER, [row for row in rows if MISSING not in row]) + end + after


def _draw_figures(axes: Any, records: Records) -> None:
    """Ours as a multiple of the paper's figure, where it gives one."""
    found = [(row, each, row.paper) for row in ROWS if isinstance(row.paper, float) and (each := row.find(records))]
    multiples = [each.value / paper for _, each, paper in found]
    axes.barh([f"{row.section} {row.system}" for row, _, _ in found], multiples, height=0.4)
    for place, (multiple, (_, each, paper)) in enumerate(zip(multiples, found, strict=True)):
        axes.annotate(f" {each.value:.2f} beside {paper:.2f}", (multiple, place), va="center", fontsize=8)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set(xlabel="our error, as a multiple of the paper's", xlim=(0, 1.3 * max([1.0, *multiples])))
    axes.grid(alpha=0.3, axis="x")


def _draw_phases(axes: Any, records: Records) -> None:
    """Phases of one micro-batch to 6,000."""
    lengths = [(length, 5) for length in phase_length.PHASES] + [(6000, 10)]
    found = {length: each for length, passes in lengths if (each := phase(length, passes)(records))}
    axes.plot(found.keys(), [each.value for each in found.values()], marker="o", label="ours, 5 passes; of 6000, 10")
    published = phase_length.PUBLISHED
    wrong = [100 - right for right in published.values()]
    axes.plot(published.keys(), wrong, ":", color="gray", marker="s", label="Lica and Dinucu-Jianu 2023")
    axes.set(
        xscale="log", yscale="log", xlabel="micro-batches of 100 awake, then as many asleep", ylabel="test error by goodness, %"
    )
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend()
    axes.grid(alpha=0.3, which="both")


def main() -> None:
    """Make the table and the plots from what is recorded."""
    records = Records(RESULTS)
    (RESULTS / "paper.md").write_text(whole(records))
    README.write_text(in_readme(README.read_text(), records))
    plot(RESULTS / "paper.png", lambda axes: _draw_figures(axes, records))
    plot(RESULTS / "paper-phases.png", lambda axes: _draw_phases(axes, records))
    print(whole(records), flush=True)


if __name__ == "__main__":
    main()
