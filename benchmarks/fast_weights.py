"""Fast weights as a simplified transformer (the paper's section 9), where they are needed and where the paper's sequences are.

``python -m benchmarks.fast_weights --data FILE`` (or ``make bench-fast-weights AESOP=FILE``). The next character of Aesop's
Fables, with the strings, layers and reading of ``benchmarks.aesop`` and its teacher forcing: from ten characters as they are,
from four, from four and what fast weights recall of the ten, and of the string so far. And a task like Ba and others' (2016):
four letters, each with a digit behind it, and then one of the letters again: which digit was it?
"""

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import strings
from benchmarks.aesop import CURVES, TEACHER, UNITS, Ours, mean_of, measure, report
from benchmarks.ledger import Ledger
from benchmarks.report import options, percent, table, verdict, write
from benchmarks.runs import Figures, Run
from ffstream.datasets import Dataset
from ffstream.frames import to_tensor
from ffstream.seeds import keyed

FAST: dict[str, Any] = {"context": 4, "orders": [0, 1], "decay": 0.8, "strength": 3.0}
"""Chosen on validation strings, by backpropagation of one layer (``benchmarks/README.md``)."""

FOUR, WITHIN, STRING = "four characters", "four, and fast weights over ten", "four, and fast weights over the string so far"

SPREAD: dict[str, dict[str, Any]] = {
    TEACHER: {},
    FOUR: {"window": 4},
    WITHIN: {"fast_weights": FAST},
    STRING: {"fast_weights": FAST, "window": strings.LENGTH - 1},
}
"""What differs from teacher forcing on ten characters, by name."""

TARGET = 1.0
"""Of the least perplexity without fast weights: what they may have at most."""

PAIRS, ASKED = 4, 5.0
"""Pairs in a window, and the error in percent that fast weights have to stay below when they are asked for one of them."""

LETTERS, DIGITS = 26, 10
KINDS = LETTERS + DIGITS

WITH, WITHOUT = "pairs, with fast weights", "pairs, without"
ASSOCIATIONS: dict[str, dict[str, Any]] = {
    WITH: {"fast_weights": {"context": 1, "orders": [1], "decay": 1.0, "strength": 3.0}},
    WITHOUT: {},
}


def pairs(name: str, part: str) -> Dataset:
    """Windows [n, 9] of four letters, each with its digit behind it, and one of them again; its digit [n] is the label."""
    rng = keyed(0, name)
    count = 20_000 + 4_000
    letters = rng.random((count, LETTERS)).argsort(axis=1)[:, :PAIRS]
    digits = rng.integers(LETTERS, KINDS, (count, PAIRS))
    chosen = rng.integers(PAIRS, size=(count, 1))
    told = np.stack([letters, digits], axis=2).reshape(count, 2 * PAIRS)
    x = np.concatenate([told, np.take_along_axis(letters, chosen, axis=1)], axis=1).astype(np.uint8)
    y = np.take_along_axis(digits, chosen, axis=1)[:, 0]
    return Dataset(name, x[:20_000], y[:20_000], x[20_000:], y[20_000:])


def measure_pairs(run: Run, data: str) -> Figures:
    """One pass over twenty thousand windows of pairs; then what digits are answered for the others."""
    frames = pairs(data, run.part)
    learner = Ours(run, frames, KINDS)
    learner.learn(frames.x, frames.y)
    answered = learner.logits(to_tensor(frames.x_held)).argmax(dim=1).numpy()
    return Figures(held_out=[{"one_pass": float((answered != frames.y_held).mean())}])


def associations(results: Any, workers: int, fresh: bool, seeds: range) -> dict[str, float]:
    """Errors in percent with fast weights and without, means over the seeds."""
    record = results / "fast_weights.jsonl"
    ledger = Ledger(record, "pairs", workers=workers, fresh=fresh, measure=measure_pairs, parts=pairs)
    found = {}
    for name, differs in ASSOCIATIONS.items():
        constants = CURVES[TEACHER].constants | {"window": 2 * PAIRS + 1} | differs
        runs = [Run("ffstream", constants, (200, 200), seed=seed) for seed in seeds]
        ledger.complete(runs)
        found[name] = float(np.mean([100 * ledger[run].held_out[-1]["one_pass"] for run in runs]))
    return found


def main() -> None:
    """Measure what is not measured yet, then say what came of it."""
    parser = options(__doc__)
    parser.set_defaults(data="aesop.txt", seeds=1)
    given = parser.parse_args()
    answered = associations(given.results, given.workers, given.fresh, range(given.seeds))
    rows = [[name, percent(error / 100)] for name, error in answered.items()]
    write(given.results / "fast_weights-pairs.md", f"# Associations\n\n{table(['200-200, one pass', 'wrong, %'], rows)}")

    record = given.results / "fast_weights.jsonl"
    ledger = Ledger(record, given.data, workers=given.workers, fresh=given.fresh, measure=measure, parts=strings.part_of)
    curve, found = CURVES[TEACHER], {}
    for name, differs in SPREAD.items():
        run = Run("ffstream", curve.constants | differs, UNITS, curve.batch, part="validation", passes=curve.passes)
        runs = [replace(run, seed=seed) for seed in range(given.seeds)]
        ledger.complete(runs)
        found[name] = [ledger[each] for each in runs]
    seeds = "one seed" if given.seeds == 1 else f"means of {given.seeds} seeds"
    report(given.results, found, f"30 kinds of characters, {'-'.join(map(str, UNITS))}, {seeds}", "fast_weights", base=TEACHER)
    perplexity = {name: mean_of(figures, "test") for name, figures in found.items()}
    value = min(perplexity[WITHIN], perplexity[STRING]) / min(perplexity[TEACHER], perplexity[FOUR])
    verdict(
        "fast-weights",
        value=value,
        target=TARGET,
        met=value <= TARGET and answered[WITH] <= ASKED,
        perplexity={name: round(each, 3) for name, each in perplexity.items()},
        associations={name: round(error, 2) for name, error in answered.items()},
        associations_target=ASKED,
    )


if __name__ == "__main__":
    main()
