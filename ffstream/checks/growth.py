"""Laws of growth: nothing learned is lost, nothing is left to chance."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from ffstream.checks.law import Bits, bits, differing, require
from ffstream.checks.samples import blobs
from ffstream.classify import Method, Reader
from ffstream.config import NetworkConfig
from ffstream.message import Batch, Position
from ffstream.network import Network
from ffstream.polarity import Polarity
from ffstream.stage import restore
from ffstream.stream.events import Recorded, Sleep

GrowthCheck = Callable[[NetworkConfig], None]

BATCHES = 8
"""Micro-batches of a day here, after which there is a sleep."""

DRAWN = 100
"""Numbers that are drawn for a frame, of which a network sees the first."""


def frames(n: int, seen: NetworkConfig, config: NetworkConfig, seed: int = 99) -> tuple[Tensor, Tensor]:
    """Frames [n, inputs] for ``config`` and labels [n], with no more labels and numbers than those that ``seen`` has."""
    x, y = blobs(n, DRAWN, seen.classes, seed)
    return _padded(torch.from_numpy(x[:, : seen.inputs]), config), torch.from_numpy(y)


def _padded(frames: Tensor, config: NetworkConfig) -> Tensor:
    return pad(frames, (0, config.inputs - frames.shape[1]))


def wider(config: NetworkConfig) -> Iterator[NetworkConfig]:
    """Networks that one can grow into: by one label, and by several, by numbers in a frame too where frames may grow."""
    yield replace(config, classes=config.classes + 1)
    more = 3 if config.video is None and config.wrong_labels else 0
    yield replace(config, classes=config.classes + 2, inputs=config.inputs + more)


class Life:
    """A network and the frames that it is fed, which gain zeros when it gains inputs."""

    def __init__(self, config: NetworkConfig) -> None:
        self.frames = torch.zeros(0, config.inputs)
        self.network = Network(config, lambda ids: self.frames[torch.from_numpy(ids) - 1])
        self.seq = 0

    def day(self, seen: NetworkConfig) -> None:
        """A day of frames with the labels and numbers of ``seen``, and a night."""
        config = self.network.config
        for _ in range(BATCHES):
            x, y = frames(config.batch, seen, config, seed=self.seq)
            ids = torch.arange(len(x)) + len(self.frames) + 1
            self.frames = torch.cat([self.frames, x])
            self.seq += 1
            self.network.wake(Batch(Position(self.seq), Polarity.POSITIVE, x, y, ids))
        self.seq += 1
        sleep = Sleep(BATCHES, config.batch, "check")
        self.network.sleep(Recorded(self.seq, sleep, 0.0), sleep)

    def grow(self, config: NetworkConfig) -> None:
        """Go on as a wider network."""
        self.network.grow(config)
        self.frames = _padded(self.frames, config)

    def state(self) -> Bits:
        """A copy of all that the network is."""
        return bits(
            {f"{part}: {name}": tensor for part, state in self.network.states().items() for name, tensor in state.items()}
        )

    def reader(self) -> Reader:
        """The network as it is now."""
        return Reader(self.network.config, [stage.weights() for stage in self.network.stages])


def _lived(seen: NetworkConfig, config: NetworkConfig) -> Life:
    """A life that has learned the labels and numbers of ``seen``."""
    life = Life(config)
    for _ in range(2):
        life.day(seen)
    return life


def check_growing_by_nothing(config: NetworkConfig) -> None:
    """A network that grows into what it is stays what it is."""
    life = _lived(config, config)
    before = life.state()
    life.grow(config)
    changed = differing(before, life.state())
    require(not changed, "growing by nothing changes no bit", f"{changed} changed")


def check_grows_to_the_same_bits(config: NetworkConfig) -> None:
    """Two equal networks grow and learn alike, and what they have grown into is a snapshot of a network that was made so."""
    for target in wider(config):
        lives = [_lived(config, config) for _ in range(2)]
        for life in lives:
            life.grow(target)
        one, other = lives
        changed = differing(one.state(), other.state())
        require(not changed, "what grows, grows to the same bits", f"{changed} differ")
        made = Network(target, other.network.dreamer.recall)
        for part, state in made.states().items():
            restore(state, other.network.states()[part])
        other.network = made
        for life in lives:
            life.day(target)
        changed = differing(one.state(), other.state())
        require(not changed, "a grown network's state is all that it goes on from", f"{changed} differ")


def check_old_answers_stay(config: NetworkConfig) -> None:
    """Old frames with old labels have the goodness that they had, in every layer, to rounding; their predictions stay."""
    for target in wider(config):
        life = _lived(config, config)
        (x, y), before = frames(200, config, config), life.reader()
        life.grow(target)
        padded, after = _padded(x, target), life.reader()
        error = float((after.goodness(padded, y) - before.goodness(x, y)).abs().max())
        require(error < 1e-3, "growth leaves the goodness of what was learned as it was", f"{target}: it changed by {error}")
        kept = float((after.logits(padded).argmax(dim=1) == before.logits(x).argmax(dim=1)).float().mean())
        require(kept >= 0.9, "growth leaves what was predicted", f"{target}: {kept} of the predictions stay")


def check_learns_what_is_new(config: NetworkConfig) -> None:
    """A grown network learns all its labels as well as one that was as wide when it learned the old ones, but for a tenth."""
    for target in wider(config):
        x, y = frames(200, target, target)
        grown, right = _lived(config, config), []
        grown.grow(target)
        for life in (grown, _lived(config, target)):
            for _ in range(4):
                life.day(target)
            said = life.reader().classify(x, Method.ONE_PASS).labels
            right.append(float((said == y).float().mean()))
        require(
            right[0] >= right[1] - 0.1, "a grown network learns its new labels", f"{target}: {right[0]} and {right[1]} right"
        )


GROWTH_CHECKS: tuple[GrowthCheck, ...] = (
    check_growing_by_nothing,
    check_grows_to_the_same_bits,
    check_old_answers_stay,
    check_learns_what_is_new,
)
