"""The paper's systems in one table: its figure, ours, and the command that remakes it.

``make results`` (``python -m benchmarks.paper``) measures nothing. It reads the ledgers under ``benchmarks/results``, writes
``paper.md`` and its plots beside them, and the short form between two markers in the README. No figure is typed by hand, but for
those of the paper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import aesop, fast_weights, goodness, mnist_recurrent, mnist_supervised, mnist_unsupervised, phase_length
from benchmarks.records import Measured, Records, Settings, Value
from benchmarks.report import RESULTS, plot, table
from benchmarks.runs import Figures

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- begin: make results -->\n", "<!-- end: make results -->\n"

ASKED = "asked"
"""What the paper says of a system that it only proposes."""

MISSING = "not measured"
HEADER = ("paper", "system", "the paper's figure", "ours", "command")


@dataclass(frozen=True)
class Row:
    """A system of the paper.

    Args:
        section: of the paper.
        system: in words.
        paper: its figure, or what it says where it gives none.
        command: that remakes ours.
        measure: finds ours in the records.
        unit: of both.
        short: whether the README shows it.
    """

    section: str
    system: str
    paper: float | str
    command: str
    measure: Callable[[Records], Measured | None]
    unit: str = " %"
    short: bool = False

    def cells(self, records: Records) -> list[str]:
        """Of the table."""
        return [self.section, self.system, self._figure(self.paper), self._ours(self.measure(records)), f"`make {self.command}`"]

    def _figure(self, figure: float | str) -> str:
        return figure if isinstance(figure, str) else f"{figure:.2f}{self.unit}"

    def _ours(self, found: Measured | None) -> str:
        if found is None:
            return MISSING
        seeds = "1 seed" if found.seeds == 1 else f"{found.seeds} seeds"
        passes = "1 pass" if found.passes == 1 else f"{found.passes} passes"
        return f"**{self._figure(found.value)}** ({passes}, {seeds})"


def error(reading: str) -> Value:
    """Error held out after the last pass, in percent."""
    return lambda figures: 100 * figures.held_out[-1][reading]


def perplexity(figures: Figures) -> float:
    """Held out, at the pass that validation would stop at."""
    return aesop.best(figures)["test"]


def of(ledger: str, value: Value, **wanted: Any) -> Callable[[Records], Measured | None]:
    """A figure of the last run with these settings; ``constants`` are those that have to be among the run's."""
    named = wanted.pop("constants", {})

    def has(settings: Settings) -> bool:
        constants = settings["constants"]
        return all(settings[name] == each for name, each in wanted.items()) and all(
            constants.get(name) == each for name, each in named.items()
        )

    return lambda records: records.measure(ledger, value, has)


def _of_units(**constants: Any) -> Callable[[Records], Measured | None]:
    """Of the table of goodness functions; what is not named has to be the default."""
    usual: dict[str, Any] = {"goodness": "opponent_squares", "activation": None, "blocks": None}
    return of("goodness", error("goodness"), part="test", constants=usual | constants)


def _lost(records: Records) -> Measured | None:
    """Points by which the deprived stream ends behind the undisturbed one."""
    ends = [
        of("sleep_deprivation", error("goodness"), part="test", passes=1, constants={"awake": awake})(records)
        for awake in (True, False)
    ]
    deprived, undisturbed = ends
    if deprived is None or undisturbed is None:
        return None
    return Measured(deprived.value - undisturbed.value, min(deprived.seeds, undisturbed.seeds), 1)


def _phase(phase: int, passes: int, **constants: Any) -> Callable[[Records], Measured | None]:
    usual = {"rule": None, "cycle": None, "enough": None}
    wanted = usual | {"phase": phase} | constants
    return of("phase_length", error("goodness"), part="test", passes=passes, constants=wanted)


def _told(name: str) -> Callable[[Records], Measured | None]:
    curve = aesop.CURVES[name]
    wanted = {key: value for key, value in curve.constants.items() if value is not None}
    return of("aesop", perplexity, learner=curve.learner, batch=curve.batch, passes=curve.passes, constants=wanted)


def _recalled(name: str) -> Callable[[Records], Measured | None]:
    like, differs = fast_weights.SPREAD[name]
    wanted = {"fast_weights": None, "window": None} | aesop.CURVES[like].constants | differs
    return of("fast_weights", perplexity, constants=wanted)


UNITS = [
    Row("9", f"{name}, {activation}", paper, "bench-goodness", _of_units(**constants), short=short)
    for activation, name, paper, constants, short in (
        ("ReLU", "squares up for positives", "most of the paper", goodness.GOODNESS["squares up"], True),
        ("ReLU", "squares down", "slightly better", goodness.GOODNESS["squares down"], True),
        ("ReLU", "activities down, hidden by their sum", "works well", goodness.GOODNESS["activities down"], True),
        ("ReLU", "detectors and constraints, deciding together", ASKED, goodness.GOODNESS["opponent squares"], True),
        (
            "ReLU",
            "detectors and constraints, each deciding",
            ASKED,
            goodness.GOODNESS["detectors and constraints, each deciding"],
            True,
        ),
    )
]
