"""Clips of moving pictures, made from still ones: they drift, bounce off the edges, and a curtain passes before them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffstream.masks import side_of

HIDDEN = 0.5
"""Share of a picture's brightness behind the curtain from which on it counts as occluded."""


@dataclass(frozen=True)
class Clips:
    """Clips of pictures, one after another.

    ``x`` [n, frames * side * side] of uint8; ``occluded`` [n, frames] tells which pictures are hidden for the most part.
    """

    x: NDArray[np.uint8]
    occluded: NDArray[np.bool_]

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """The same one by one: ``[n, frames, side * side]``."""
        return self.x.reshape(*self.occluded.shape, -1)


def bouncing(stills: NDArray[np.uint8], frames: int, side: int, curtain: int, rng: np.random.Generator) -> Clips:
    """Let every still image drift and bounce in a larger square, while a curtain is drawn across it and off again.

    Args:
        stills: ``[n, small * small]``, square images.
        frames: pictures in a clip, at least two.
        side: of the square, at least ``small``.
        curtain: columns of the curtain, which is outside in the first picture and in the last.
        rng: draws where each begins and how it moves: one pixel a picture along both axes.

    >>> clips = bouncing(np.full((1, 4), 255, np.uint8), frames=3, side=4, curtain=2, rng=np.random.default_rng(0))
    >>> clips.x.shape, clips.occluded.tolist()
    ((1, 48), [[False, True, False]])
    """
    small, n = side_of(stills.shape[1]), len(stills)
    room = side - small
    place, speed = rng.integers(0, room + 1, (n, 2)), rng.choice([-1, 1], (n, 2))
    seen = np.zeros((n, frames, side, side), np.uint8)
    images, across = stills.reshape(n, small, small), np.arange(small)
    for frame in range(frames):
        down, right = (place[:, axis, None] + across for axis in (0, 1))
        seen[np.arange(n)[:, None, None], frame, down[:, :, None], right[:, None, :]] = images
        place, speed = _bounce(place + speed, speed, room)
    whole = seen.sum(axis=(2, 3), dtype=np.int64)
    for frame, edge in enumerate(np.linspace(-curtain, side, frames).round().astype(int)):
        seen[:, frame, :, max(edge, 0) : max(edge + curtain, 0)] = 0
    hidden = 1 - seen.sum(axis=(2, 3), dtype=np.int64) / np.maximum(whole, 1)
    return Clips(seen.reshape(n, -1), hidden >= HIDDEN)


def _bounce(place: NDArray[np.int64], speed: NDArray[np.int64], room: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fold back what went over an edge, and turn it round."""
    outside = (place < 0) | (place > room)
    folded = np.where(place < 0, -place, np.where(place > room, 2 * room - place, place))
    return np.clip(folded, 0, room), np.where(outside, -speed, speed)
