"""Tables as streams: those that River ships and makes, and those on which what is tuned is tuned.

Row after row in the order they have, text and truth as numbers, so that every learner is told the same.
"""

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from river import datasets
from river.datasets import synth
from sklearn import datasets as small

from ffstream.datasets import Dataset

MADE, DOWNLOADED_ROWS = 3000, 20_000
"""Rows of a stream that is made, or is long; and of one that was downloaded, where more have to pass before it drifts."""


def _drifting(before: Any, after: Any, width: int, position: int = MADE // 2) -> Any:
    """From one concept to the other."""
    return synth.ConceptDriftStream(before, after, position=position, width=width, seed=0)


Makers = dict[str, Callable[[], Iterable[tuple[Mapping[Any, Any], Any]]]]

SHIPPED: Makers = {
    "Phishing": datasets.Phishing,
    "ImageSegments": datasets.ImageSegments,
    "Bananas": datasets.Bananas,
    "Shuttle": datasets.Shuttle,
    "SEA, abrupt": lambda: _drifting(synth.SEA(0, noise=0.1, seed=0), synth.SEA(3, noise=0.1, seed=0), width=20),
    "Agrawal, gradual": lambda: _drifting(synth.Agrawal(0, seed=0), synth.Agrawal(2, seed=0), width=500),
    "LED, abrupt": lambda: _drifting(
        synth.LEDDrift(0, 0.1, irrelevant_features=True), synth.LEDDrift(0, 0.1, True, n_drift_features=7), width=20
    ),
    "RandomRBF, moving": lambda: synth.RandomRBFDrift(0, 0, n_classes=4, change_speed=1e-3),
}
"""What comes with River or is made by it, by name."""

DOWNLOADED: Makers = {
    "Elec2": datasets.Elec2,
    "Insects, abrupt": datasets.Insects,
    "Insects, gradual": lambda: datasets.Insects("gradual_balanced"),
}
"""What River downloads (``datasets.Elec2().download()``, into ``RIVER_DATA`` or ``~/river_data``)."""


def at_hand() -> Makers:
    """What is measured: what is shipped, and what has been downloaded.

    Asked for what it has downloaded, River makes its folder, over which two processes may fall.
    """
    if not Path(os.environ.get("RIVER_DATA", "~/river_data")).expanduser().exists():
        return SHIPPED
    return SHIPPED | {name: make for name, make in DOWNLOADED.items() if make().is_downloaded}  # type: ignore[attr-defined]


MEASURED = at_hand()

TUNED_ON: Makers = {
    "Waveform": lambda: synth.Waveform(seed=5),
    "RandomRBF": lambda: synth.RandomRBF(5, 5, n_classes=5),
    "Hyperplane": lambda: synth.Hyperplane(seed=5, mag_change=1e-3),
    "Agrawal": lambda: synth.Agrawal(4, seed=5),
    "Sine": lambda: synth.Sine(2, seed=5),
    "Sine, abrupt": lambda: _drifting(synth.Sine(0, seed=5), synth.Sine(3, seed=6), width=20, position=1000),
    "Mixed, abrupt": lambda: _drifting(synth.Mixed(0, seed=5), synth.Mixed(1, seed=6), width=20, position=1000),
    "Agrawal, other gradual": lambda: _drifting(synth.Agrawal(4, seed=5), synth.Agrawal(6, seed=6), width=300, position=1000),
    "RandomRBF, other moving": lambda: synth.RandomRBFDrift(5, 5, n_classes=3, n_features=8, change_speed=1e-3),
    "breast cancer": lambda: _shuffled(small.load_breast_cancer),
    "wine": lambda: _shuffled(small.load_wine),
}
"""What constants are chosen on."""


def _shuffled(load: Callable[..., tuple[Any, Any]]) -> Iterable[tuple[Mapping[Any, Any], Any]]:
    x, y = load(return_X_y=True)
    for row in np.random.default_rng(0).permutation(len(x)):
        yield dict(enumerate(x[row])), y[row]


@functools.cache
def stream(name: str) -> Dataset:
    """A stream by name, the first rows of one that has no end, or very many; nothing is held out."""
    if name in DOWNLOADED:
        made = list(DOWNLOADED[name]())[:DOWNLOADED_ROWS]  # to its end, or River leaves the file open
    else:
        made = list(itertools.islice({**SHIPPED, **TUNED_ON}[name](), None if name == "Bananas" else MADE))
    rows, labels = zip(*made, strict=True)
    known = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    x = np.array([[float(row[feature]) for feature in rows[0]] for row in rows])
    y = np.array([known[label] for label in labels])
    return Dataset(name, x, y, x[:0], y[:0])


@functools.cache
def together(data: str, part: str) -> Dataset:
    """All that everybody has as one stream, by which a record knows them again: all labels, and the first rows of the first."""
    streams = [stream(name) for name in (*SHIPPED, *TUNED_ON)]
    y = np.concatenate([each.y for each in streams])
    return replace(streams[0], name=data, y=y)
