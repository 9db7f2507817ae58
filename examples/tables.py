"""A table, row after row: River's image segments, of which two labels and six features appear half-way.

python examples/tables.py [--rows 2310]
"""

import argparse

from river import datasets, metrics, tree

from ffstream.estimators.river import FFClassifier

LATE_LABELS = {"window", "path"}
LATE_FEATURES = {"hue-mean", "saturation-mean", "intensity-mean", "rawred-mean", "rawblue-mean", "rawgreen-mean"}


def main() -> None:
    """Predict every row, then learn it, as ffstream does and as River's adaptive tree does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2310)
    given = parser.parse_args()
    models = {"ffstream": FFClassifier(seed=0), "Hoeffding adaptive tree": tree.HoeffdingAdaptiveTreeClassifier(seed=0)}
    scores = {name: metrics.Accuracy() for name in models}
    for number, (x, y) in enumerate(datasets.ImageSegments().take(given.rows), start=1):
        early = number <= given.rows // 2
        if early and y in LATE_LABELS:
            continue
        row = {name: value for name, value in x.items() if not (early and name in LATE_FEATURES)}
        for name, model in models.items():
            scores[name].update(y, model.predict_one(row))
            model.learn_one(row, y)
        if number % 250 == 0 or number == given.rows:
            print(f"{number} rows:", ", ".join(f"{name} {score.get():.1%}" for name, score in scores.items()), "right")


if __name__ == "__main__":
    main()
