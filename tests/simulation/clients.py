"""What clients do in a life: they feed frames, label them late, send requests again, and make mistakes."""

import random
from collections import Counter
from contextlib import suppress

import numpy as np

from ffstream import NetworkConfig, Stream
from ffstream.checks.law import require
from ffstream.errors import BacklogError, FrameError, JournalError, KeyReuseError
from ffstream.stream.journal import FrameRange
from tests.simulation.truth import Request, as_float

INPUTS, CLASSES, SYMBOLS = 6, 3, 16
"""Numbers in a frame, labels that everybody knows, and symbols of a network that learns sequences."""


class Clients:
    """Requests of a life, drawn from its generators, and what was answered."""

    rng: random.Random
    numbers: np.random.Generator
    config: NetworkConfig
    stream: Stream
    backlog: int | None
    requests: list[Request]
    happened: Counter[str]

    def feed(self) -> None:
        n = self.rng.randint(1, 7)
        frames = self._frames(n)
        labels = self._labels(n)
        labels[self.numbers.random(n) < self.rng.choice((0.0, 0.0, 0.3, 1.0))] = -1
        key = f"key {len(self.requests)}" if self.rng.random() < 0.7 else None
        self.requests.append(Request(frames, labels, key))
        self._send(self.requests[-1])

    def _labels(self, n: int) -> np.ndarray:
        """Of those that everybody knows, or of all that may come."""
        classes = self.stream.accepts.classes if self.rng.random() < 0.3 else CLASSES
        return self.numbers.integers(0, classes, n)

    def _frames(self, n: int) -> np.ndarray:
        """What a client might send: numbers, bytes, or windows of symbols."""
        if self.config.symbols is not None:
            return self.numbers.integers(0, SYMBOLS, (n, INPUTS), dtype=np.uint8)
        frames = self.numbers.random((n, INPUTS), dtype=np.float32)
        if self.rng.random() < 0.3:
            frames = self.numbers.integers(0, 256, (n, INPUTS), dtype=np.uint8)
        return frames

    def label_late(self) -> None:
        """Labels for frames that were fed without, and for none of which a label was sent before."""
        named = {number for request in self.requests for number in request.ids or ()}
        without = [
            (request, row)
            for request in self.requests
            if request.answer is not None
            for row in np.flatnonzero(request.labels < 0)
            if request.answer.first + row not in named
        ]
        chosen = self.rng.sample(without, min(len(without), self.rng.randint(1, 4)))
        if not chosen:
            return
        frames = np.stack([as_float(request.frames[row]) for request, row in chosen])
        labels = self._labels(len(chosen))
        key = f"key {len(self.requests)}" if self.rng.random() < 0.7 else None
        ids = [int(request.answer.first + row) for request, row in chosen]
        self.requests.append(Request(frames, labels, key, ids=ids))
        self._send(self.requests[-1])
        self.happened["late labels"] += len(ids) if self.requests[-1].answer is not None else 0

    def label_wrongly(self) -> None:
        """A label for a frame that has one, and for one that never was."""
        known = [request for request in self.requests if request.answer is not None and (request.labels >= 0).any()]
        number = self.stream.journal.last_frame + 1
        if known and self.rng.random() < 0.7:
            request = self.rng.choice(known)
            number = int(request.answer.first + np.flatnonzero(request.labels >= 0)[0])
        with suppress(FrameError, JournalError):
            self.stream.accept_labels([number], [0])
            raise AssertionError("a frame takes one label, and has to be there")

    def _accept(self, request: Request) -> FrameRange:
        options = {"limit": self.backlog, "key": request.key, "digest": str(request.key)}
        if request.ids is None:
            return self.stream.accept(request.frames, request.labels, **options)
        return self.stream.accept_labels(request.ids, request.labels, **options)

    def _send(self, request: Request) -> None:
        before = self.stream.journal.last_frame
        answered = request.answer
        try:
            answer = self._accept(request)
        except (BacklogError, FrameError, JournalError) as error:
            require(answered is None or isinstance(error, JournalError), "a repetition is answered whatever waits")
            require(self.stream.journal.last_frame == before, "nothing of a refused request is kept")
            request.refused = answered is None
            return
        if answered is not None:
            require((answer.first, answer.last) == (answered.first, answered.last), "a repetition gets its first answer")
            require(answer.repeated and self.stream.journal.last_frame == before, "a repetition keeps nothing")
            self.happened["repeated requests"] += 1
        request.answer, request.refused = answer, False

    def retry(self) -> None:
        keyed = [request for request in self.requests if request.key is not None]
        if keyed:
            self._send(self.rng.choice(keyed))

    def reuse_a_key(self) -> None:
        kept = [request for request in self.requests if request.key is not None and request.answer is not None]
        if kept:
            with suppress(KeyReuseError, JournalError):
                self.stream.accept(np.ones((1, INPUTS)), key=self.rng.choice(kept).key, digest="of another request")
                raise AssertionError("a key serves one request only")
