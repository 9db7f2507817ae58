"""Digits that drift, bounce and pass behind a curtain: a recurrent network beside a feed-forward one of the same size.

python examples/moving_digits.py [--clips 4000]
"""

import argparse

import numpy as np

from ffstream import RECURRENT, NetworkConfig, Schedule, Stream, VideoConfig
from ffstream.clips import bouncing
from ffstream.datasets import load
from ffstream.frames import to_tensor

TICKS, SIDE, CURTAIN = 8, 10, 7
UNITS = (200, 200)


def main() -> None:
    """Learn the same clips, one network as clips and the other as single pictures, and look at those held out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=4000)
    given = parser.parse_args()
    digits, rng = load("digits"), np.random.default_rng(0)
    rows = digits.order(1 + given.clips // len(digits.x), seed=0)[: given.clips]
    clips, held = (bouncing(stills, TICKS, SIDE, CURTAIN, rng) for stills in (digits.x[rows], digits.x_held))
    labels = digits.y[rows]

    video = VideoConfig(ticks=TICKS, clip=TICKS, read=(2, TICKS), lanes=1)
    config = NetworkConfig(clips.x.shape[1], 10, UNITS, batch=25, layer=RECURRENT, video=video)
    recurrent = Stream.in_process(config, Schedule(every=25, idle=None))
    recurrent.feed(clips.x, labels)

    single = NetworkConfig(SIDE * SIDE, 10, UNITS, batch=25 * TICKS)
    feed_forward = Stream.in_process(single, Schedule(every=25 * TICKS, idle=None))
    feed_forward.feed(clips.pictures.reshape(-1, SIDE * SIDE), np.repeat(labels, TICKS))

    wrong = np.empty((2, *held.occluded.shape), dtype=bool)
    for row, (clip, label) in enumerate(zip(held.pictures, digits.y_held, strict=True)):
        playing = recurrent.reader.play()
        wrong[0, row] = [int(playing.see(picture).argmax()) != label for picture in to_tensor(clip)]
        wrong[1, row] = feed_forward.classify(clip).labels.numpy() != label
    print(f"{given.clips} clips of {TICKS} pictures learned; pictures of {len(digits.x_held)} others:")
    for name, each in zip(("recurrent", "feed-forward"), wrong, strict=True):
        print(
            f"{name}: {each[held.occluded].mean():.1%} of the occluded wrong, {each[~held.occluded].mean():.1%} of the others"
        )
    print("the recurrent network by tick:", " ".join(f"{share:.0%}" for share in wrong[0].mean(axis=0)))


if __name__ == "__main__":
    main()
