"""Digits that were never seen, told by ``p_positive`` of a network that learned the others without labels.

``python -m benchmarks.novelty --data FOLDER`` (or ``make bench-novelty``). Each digit in turn is left out of one pass over the
stream of frames without labels; then all test frames are scored. The score is the mean goodness of all layers, of which
``p_positive`` in ``/classify`` is a monotonic function. Beside it scikit-learn's isolation forest, and the error of
reconstruction from principal components, fitted to the same frames at once. The figure is the area under the ROC curve (AUROC):
how often a frame of the new digit is found stranger than one of a known digit. What is tuned (components, trees, samples) is
tuned on the last 10,000 training images, where 8 and 9 are new.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from benchmarks.report import options, plot, table, verdict, write
from benchmarks.runs import part_of
from ffstream import UNSUPERVISED, Method, NetworkConfig, Schedule, Stream
from ffstream.datasets import Dataset
from ffstream.frames import to_tensor

UNITS = (500, 500, 500)
BATCH = 100
PHASE = 10
SEEDS = 1
TUNED_ON = (8, 9)
"""New digits of the validation frames."""

Scores = NDArray[np.floating[Any]]
Score = Callable[[Dataset, int], Scores]
"""How strange the frames held out are, the more the stranger, for who has seen the others; the number seeds what is random."""


@dataclass(frozen=True)
class Contestant:
    """A way to score, tuned."""

    name: str
    score: Score


def without(data: Dataset, digit: int) -> Dataset:
    """The data set whose learners never meet ``digit``; what is held out keeps all."""
    kept = data.y != digit
    return replace(data, x=data.x[kept], y=data.y[kept])


def forward_forward(data: Dataset, seed: int) -> Scores:
    """One pass of the library's own stream, no frame with a label."""
    config = NetworkConfig(
        data.inputs, data.classes, UNITS, batch=BATCH, seed=seed, layer=UNSUPERVISED, negatives="hybrid_frames"
    )
    stream = Stream.in_process(config, Schedule(every=PHASE * BATCH, idle=None))
    order = data.order(1, seed)
    for start in range(0, len(order), BATCH):
        stream.feed(data.x[order[start : start + BATCH]])
    parts = np.array_split(data.x_held, 10)
    p = torch.cat([stream.classify(part, Method.ONE_PASS).p_positive.double() for part in parts])
    return -np.asarray(torch.special.logit(p, eps=1e-12))


def reconstruction(data: Dataset, seed: int, *, components: int) -> Scores:
    """Squared distance from the span of the principal components."""
    seen, held = (to_tensor(x).numpy() for x in (data.x, data.x_held))
    fitted = PCA(components, svd_solver="covariance_eigh", random_state=seed).fit(seen)
    scores: Scores = np.square(held - fitted.inverse_transform(fitted.transform(held))).sum(axis=1)
    return scores


def isolation(data: Dataset, seed: int, *, trees: int, samples: int) -> Scores:
    """Depth at which random splits isolate a frame, turned round."""
    forest = IsolationForest(n_estimators=trees, max_samples=samples, random_state=seed).fit(data.x)
    scores: Scores = -forest.score_samples(data.x_held)
    return scores


def candidates() -> dict[str, list[Contestant]]:
    """All settings of those that are tuned, by name."""
    forests = [
        Contestant(f"isolation forest, {trees} trees of {samples}", partial(isolation, trees=trees, samples=samples))
        for trees, samples in product((100, 300), (256, 1024, 4096))
    ]
    spans = [
        Contestant(f"PCA, {components} components", partial(reconstruction, components=components))
        for components in (10, 20, 40, 80, 160)
    ]
    return {"isolation forest": forests, "PCA": spans}


def auroc(data: Dataset, digit: int, contestant: Contestant, seed: int) -> float:
    """Of one digit that is new."""
    began = time.perf_counter()
    scores = contestant.score(without(data, digit), seed)
    area = float(roc_auc_score(data.y_held == digit, scores))
    took = time.perf_counter() - began
    print(f"{contestant.name}: {digit} is new, AUROC {area:.3f}, {took:.0f} s", file=sys.stderr, flush=True)
    return area


def tuned(data: Dataset, each: list[Contestant]) -> Contestant:
    """The best on validation frames."""
    return max(each, key=lambda contestant: mean(auroc(data, digit, contestant, 0) for digit in TUNED_ON))


def report(results: Path, found: dict[str, list[float]], title: str) -> None:
    """Table and bars."""
    digits = range(len(next(iter(found.values()))))
    rows = [[name, *(f"{area:.3f}" for area in areas), f"{mean(areas):.3f}"] for name, areas in found.items()]
    write(results / "novelty.md", f"# Novelty\n\n{title}\n\n{table(['AUROC', *map(str, digits), 'mean'], rows)}")
    plot(results / "novelty.png", lambda axes: _draw(axes, found, title))


def _draw(axes: Any, found: dict[str, list[float]], title: str) -> None:
    width = 0.8 / len(found)
    for place, (name, areas) in enumerate(found.items()):
        axes.bar(np.arange(len(areas)) + place * width, areas, width, label=name)
    axes.set(xlabel="digit that was never seen", ylabel="AUROC", ylim=(0, 1), title=title)
    axes.set_xticks(np.arange(len(areas)) + 0.4 - width / 2, range(len(areas)))
    axes.axhline(0.5, color="gray", linestyle=":")
    axes.legend(fontsize=7, loc="lower right")


def main() -> None:
    """Tune, measure, say what came of it."""
    parser = options(__doc__)
    parser.set_defaults(seeds=SEEDS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    validation, test = (part_of(given.data, part) for part in ("validation", "test"))
    contestants = [Contestant("ffstream", forward_forward), *(tuned(validation, each) for each in candidates().values())]
    found = {
        each.name: [mean(auroc(test, digit, each, seed) for seed in range(given.seeds)) for digit in range(test.classes)]
        for each in contestants
    }
    widths = "-".join(map(str, UNITS))
    report(given.results, found, f"784-{widths}, one pass without labels, means over seeds 0 to {given.seeds - 1}")
    means = {name: mean(areas) for name, areas in found.items()}
    value, best = means["ffstream"], max(area for name, area in means.items() if name != "ffstream")
    verdict("novelty", value=value, target=best, met=value >= best, **means)


if __name__ == "__main__":
    main()
