"""One pass over MNIST, wake and sleep apart: the figures of the README.

python examples/one_pass.py FOLDER_WITH_IDX_FILES --seed 0
"""

import argparse

import torch

from ffstream import Method, NetworkConfig, Schedule, Stream
from ffstream.datasets import load


def main() -> None:
    """Feed every frame once, then classify the test set by all three methods."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1000, help="labelled frames in a wake phase")
    given = parser.parse_args()

    torch.set_num_threads(1)
    data = load(given.data)
    config = NetworkConfig(inputs=data.inputs, classes=data.classes, units=(500, 500, 500), seed=given.seed)
    stream = Stream.in_process(config, Schedule(every=given.every, idle=None))
    order = data.order(passes=1, seed=given.seed)
    for start in range(0, len(order), 1000):
        rows = order[start : start + 1000]
        stream.feed(data.x[rows], data.y[rows])
        if (start + 1000) % 10_000 == 0:
            print(f"{start + len(rows):6} frames, prequential error {1 - stream.progress.accuracy_overall:.2%}")
    for method in Method:
        wrong = stream.classify(data.x_held, method).labels.numpy() != data.y_held
        print(f"held out, {method.value}: {wrong.mean():.2%} wrong")


if __name__ == "__main__":
    main()
