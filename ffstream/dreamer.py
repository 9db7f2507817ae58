"""The end of the chain: it scores, remembers confusions, and dreams.

Wake batches end here with their logits. When a sleep event arrives, which it does behind every wake batch before it,
negatives are drawn and sent in at the bottom of the chain again.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffstream.classify import Reader
from ffstream.config import NetworkConfig
from ffstream.devices import CPU
from ffstream.growth import grown_memory
from ffstream.message import Batch, Message, Position
from ffstream.negatives import NEGATIVES, Dream, Recall
from ffstream.outcome import Dreamt, Learned, Slept
from ffstream.polarity import Polarity
from ffstream.stage import StageWeights
from ffstream.stream.events import Recorded, Sleep
from ffstream.stream.snapshot import digest
from ffstream.teaching import Teaching

UNDER_WAY = 4
AHEAD = 16
"""Batches of a sleep that may be in the chain at once: when it may end before its time, and when not."""

SHOWN = 32
"""Dreams of a sleep, at most, that are there to be looked at."""


class Dreamer:
    """Turns finished messages into outcomes and sleep events into batches of negatives."""

    def __init__(self, config: NetworkConfig, recall: Recall) -> None:
        self.config = config
        self.memory = NEGATIVES[config.negatives](config.memory, config.classes, config.seed)
        self.sleeps = torch.zeros((), dtype=torch.int64)
        self.recall = recall
        self._night = Teaching(UNDER_WAY)
        self._shown: Batch | None = None

    def grow(self, config: NetworkConfig) -> None:
        """Dream from now on for a wider network."""
        self.memory = grown_memory(self.memory, config.classes)
        self.config = config

    def finish(self, message: Message) -> Learned | Dreamt:
        """Take in what the last layer hands on."""
        message = message.to(CPU)
        seq, step = message.position
        if step:
            if message.polarity is Polarity.NEGATIVE:
                self._night.observe(step, message.reports)
            return Dreamt(seq, step, message.polarity, message.ids, message.labels, message.reports)
        seen = message.known if self.memory.wrong_labels else slice(None)
        self.memory.observe(message.ids[seen], message.labels[seen], message.prediction[seen])
        return Learned(seq, message.ids, message.labels, message.prediction, message.reports)

    def dreams(self, recorded: Recorded, sleep: Sleep, stages: Sequence[StageWeights] = ()) -> Iterator[Batch]:
        """The negatives of a sleep, and what it replays, in the order in which the layers learn them.

        How many sleeps there were, and not the event's number, keys the random numbers: barriers in between change no dream.
        When it may end before its time, no more than :data:`UNDER_WAY` of them may be asked for that are not finished yet.

        Args:
            recorded: the sleep's place in the journal.
            sleep: how long, and how.
            stages: weights of all layers as the sleep passed them, where the network generates its negatives itself.
        """
        self.sleeps += 1
        self._night = Teaching(UNDER_WAY)
        self._shown = None
        predict = Reader(self.config, stages, recorded.seq).logits if stages else None
        drawn = self.memory.draw(sleep.steps, sleep.batch, int(self.sleeps), self.recall, predict)
        step = 0
        while not self._night.is_over(sleep.enough, step):
            turn = list(itertools.islice(drawn, max(sleep.cycle, 1)))
            if not turn:
                return
            for polarity, frames, labels, ids in _in_order(turn, replayed=sleep.cycle > 0):
                step += 1
                batch = Batch(Position(recorded.seq, step), polarity, frames, labels, torch.from_numpy(ids))
                if polarity is Polarity.NEGATIVE and self._shown is None:
                    self._shown = batch
                yield batch

    def slept(self, seq: int, steps: int) -> Slept:
        """The outcome of sleep ``seq``, over after ``steps`` batches."""
        if self._shown is None or (self.memory.wrong_labels and not self.memory.generates):
            return Slept(seq, steps)
        frames, labels, ids = (part[:SHOWN] for part in (self._shown.frames, self._shown.labels, self._shown.ids))
        return Slept(seq, steps, frames, labels, ids)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next sleep depends on, by name."""
        return {f"memory.{name}": tensor for name, tensor in self.memory.state().items()} | {"sleeps": self.sleeps}

    def digest(self) -> str:
        """A sha256 of the state."""
        return digest(self.state())


def _in_order(dreams: list[Dream], replayed: bool) -> Iterator[tuple[Polarity, Tensor, Tensor, NDArray[np.int64]]]:
    """Polarity, frames, labels and numbers: of the frames as they were, when they are replayed, and then of the dreams."""
    if replayed:
        for dream in dreams:
            yield Polarity.POSITIVE, dream.seen, dream.own, dream.ids
    for dream in dreams:
        yield Polarity.NEGATIVE, dream.frames, dream.labels, dream.ids
