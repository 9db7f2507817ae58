"""Fast weights as a simplified transformer: the next character of Aesop's Fables once more (the paper's section 9).

``python -m benchmarks.fast_weights --data FILE`` (or ``make bench-fast-weights AESOP=FILE``). The strings, the layers and the
reading of ``benchmarks.aesop``. Beside its network, which sees ten characters as they are: one that sees the same ten, and what
fast weights recall of them; one whose fast weights recall all of the string that came before; the same with layers that do not
move; and the same with negatives that the network generates itself.
"""

from dataclasses import replace
from typing import Any

from benchmarks import strings
from benchmarks.aesop import CURVES, GENERATED, STILL, TEACHER, UNITS, mean_of, measure, report
from benchmarks.ledger import Ledger
from benchmarks.report import options, verdict
from benchmarks.runs import Run
from ffstream.sequence import CONTEXT

FAST: dict[str, Any] = {"context": CONTEXT, "orders": [1, 2, 3], "decay": 0.98, "strength": 2.0}

WITHIN, STRING, FLOOR, DREAMT = (
    "fast weights, ten characters",
    "fast weights, the string so far",
    "fast weights, the string so far, fixed random layers",
    "fast weights, the string so far, self-generated",
)

SPREAD: dict[str, tuple[str, dict[str, Any]]] = {
    TEACHER: (TEACHER, {}),
    WITHIN: (TEACHER, {"fast_weights": FAST}),
    STRING: (TEACHER, {"fast_weights": FAST, "window": strings.LENGTH - 1}),
    FLOOR: (STILL, {"fast_weights": FAST, "window": strings.LENGTH - 1}),
    DREAMT: (GENERATED, {"fast_weights": FAST, "window": strings.LENGTH - 1}),
}
"""By name: the curve of ``benchmarks.aesop`` whose constants and passes it has, and what differs."""

SHORT = (STRING,)
"""What the README's table shows."""

TARGET = 1.0
"""Of teacher forcing's perplexity on ten characters: what fast weights over the string may have at most."""


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.set_defaults(data="aesop.txt", seeds=1)
    parser.add_argument("--curves", nargs="*", choices=SPREAD, default=list(SPREAD), help="beside the first three")
    given = parser.parse_args()
    record = given.results / "fast_weights.jsonl"
    ledger = Ledger(record, given.data, workers=given.workers, fresh=given.fresh, measure=measure, parts=strings.part_of)
    found = {}
    for name, (like, differs) in SPREAD.items():
        if name in (TEACHER, WITHIN, STRING, *given.curves):
            curve = CURVES[like]
            run = Run("ffstream", curve.constants | differs, UNITS, curve.batch, part="validation", passes=curve.passes)
            runs = [replace(run, seed=seed) for seed in range(given.seeds)]
            ledger.complete(runs)
            found[name] = [ledger[each] for each in runs]
    seeds = "one seed" if given.seeds == 1 else f"means of {given.seeds} seeds"
    report(given.results, found, f"30 kinds of characters, {'-'.join(map(str, UNITS))}, {seeds}", "fast_weights", base=TEACHER)
    perplexity = {name: mean_of(figures, "test") for name, figures in found.items()}
    value = perplexity[STRING] / perplexity[TEACHER]
    verdict(
        "fast-weights",
        value=value,
        target=TARGET,
        met=value <= TARGET,
        perplexity={name: round(each, 3) for name, each in perplexity.items()},
    )


if __name__ == "__main__":
    main()
