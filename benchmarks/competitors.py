"""What ffstream is compared with in one pass, each with its constants tuned on validation data."""

import itertools
from collections.abc import Collection
from dataclasses import replace

from benchmarks.ledger import Ledger
from benchmarks.runs import Run
from benchmarks.search import Axis, Cost, held_out, prequential, tune

SHARED = (Axis("inputs", ("unit", "rms", "standard")), Axis("start", ("torch", "he")))
STEPPERS = {
    "adam": (Axis("rate", (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3), ladder=True), *SHARED),
    "sgd": (Axis("rate", (0.0125, 0.025, 0.05, 0.1, 0.2), ladder=True), *SHARED),
    "muon": (
        Axis("rate", (0.0025, 0.005, 0.01, 0.02, 0.04), ladder=True),
        Axis("adam_rate", (5e-4, 1e-3, 2e-3, 4e-3), ladder=True),
        *SHARED,
        Axis("weight_decay", (0.0, 0.1, 0.3)),
    ),
}
"""How backpropagation may step, and what is tuned of it; the rate comes first."""

DECAYS = ("constant", "linear")
FIRST = {"rate": None, "inputs": "unit", "start": "torch"}
FIRST_OF = {"muon": {"adam_rate": 2e-3, "weight_decay": 0.0}}
"""Constants from which tuning starts, for all and for some."""

COSTLY = ("muon",)
"""Steppers that take minutes a pass in wide layers: all is tuned at the narrowest width, the rate at every width."""

PEERS = {
    "sklearn MLPClassifier": (Axis("rate", (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3), ladder=True),),
    "sklearn SGDClassifier": (Axis("rate", (1e-3, 3e-3, 1e-2, 3e-2, 0.1), ladder=True), Axis("average", (False, True))),
    "vowpal wabbit": (Axis("rate", (0.03, 0.06, 0.12, 0.25, 0.5), ladder=True),),
    "river": (Axis("rate", (0.0025, 0.005, 0.01, 0.02, 0.04), ladder=True),),
}
LINEAR = ("sklearn SGDClassifier", "vowpal wabbit", "river")
"""Models without hidden layers: measured once for all widths."""

RIVER_FRAMES = 10_000
"""River learns about a thousand frames a second: the first frames have to do."""


def backprop(ledger: Ledger, units: tuple[int, ...], narrow: tuple[int, ...], without: Collection[str] = ()) -> dict[str, Run]:
    """Backpropagation with every stepper and decay, each in its best setting by the prequential error and by the one held out.

    Args:
        ledger: where runs are measured and recorded.
        units: widths of the hidden layers.
        narrow: widths at which tuning starts.
        without: steppers that are left out.
    """
    found: dict[str, Run] = {}
    for stepper, decay in itertools.product([name for name in STEPPERS if name not in without], DECAYS):
        for cost in (prequential, held_out):
            run = _tuned(ledger, stepper, decay, cost, units, narrow)
            found[f"backprop, {stepper}: {_spelt(run)}"] = run
    return found


def _tuned(ledger: Ledger, stepper: str, decay: str, cost: Cost, units: tuple[int, ...], narrow: tuple[int, ...]) -> Run:
    constants = FIRST | FIRST_OF.get(stepper, {}) | {"decay": decay}
    axes = STEPPERS[stepper]
    best = tune(ledger, Run(stepper, constants, narrow, part="validation"), axes, cost)
    if units == narrow:
        return best
    return tune(ledger, replace(best, units=units), axes[:1] if stepper in COSTLY else axes, cost)


def peers(ledger: Ledger, units: tuple[int, ...]) -> dict[str, Run]:
    """Other libraries, each in its best setting by the prequential error."""
    found = {}
    for name, axes in PEERS.items():
        constants = {axis.name: axis.values[0] for axis in axes}
        widths = () if name in LINEAR else units
        frames = RIVER_FRAMES if name == "river" else None
        run = tune(ledger, Run(name, constants, widths, part="validation", frames=frames), axes, prequential)
        found[f"{name}: {_spelt(run)}" + (f", {frames} frames" if frames else "")] = run
    return found


def _spelt(run: Run) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in run.constants.items())
