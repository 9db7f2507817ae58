"""What must be true in the end: the journal holds what was acknowledged, and the network is what the journal says."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors.torch import save

from ffstream.checks.chain import learn
from ffstream.checks.law import bits, require
from ffstream.errors import ExpiredFrameError
from ffstream.frames import to_tensor
from ffstream.network import Network
from ffstream.outcome import Learned
from ffstream.progress import ProgressFold
from ffstream.schedule import SleepDebt
from ffstream.stage import StageWeights, restore
from ffstream.stream.events import Barrier, Recorded, Restore, Wake
from ffstream.stream.frame import Predictions
from ffstream.stream.journal import FrameRange
from ffstream.stream.snapshot import Manifest, digest
from ffstream.stream.stream import Stream
from tests.simulation.history import History


@dataclass(eq=False)
class Request:
    """Frames that a client wants learned; ``ids`` when they were fed before and only their labels are sent.

    ``answer`` is what the client was told; ``refused`` that nothing was kept.
    """

    frames: Any
    labels: Any
    key: str | None
    ids: list[int] | None = None
    answer: FrameRange | None = None
    refused: bool = False

    @property
    def rows(self) -> list[bytes]:
        """Every frame with its label, as the journal must hold them."""
        return _rows(torch.from_numpy(as_float(self.frames)), self.labels)


def as_float(frames: Any) -> Any:
    """Frames as the network sees them, in the array type in which a client could send them too."""
    return to_tensor(frames).numpy()


def _rows(frames: Any, labels: Any) -> list[bytes]:
    return [frame.numpy().tobytes() + bytes([label + 1]) for frame, label in zip(frames, labels.tolist(), strict=True)]


def versions_of(stages: Sequence[StageWeights]) -> str:
    """A digest of published weights."""
    return digest({f"{at} {name}": part for at, stage in enumerate(stages) for name, part in stage.tensors().items()})


@dataclass
class Witness:
    """What was seen on the way, by event number: events that were acknowledged and weights that were published."""

    events: dict[int, Recorded] = field(default_factory=dict)
    published: dict[int, str] = field(default_factory=dict)

    def see(self, stream: Stream) -> None:
        """Remember the version that the stream classifies with."""
        reader = stream.reader
        if reader.stages:
            found = versions_of(reader.stages)
            require(self.published.setdefault(reader.seq, found) == found, "a version of the weights is one thing for ever")


def check_journal(history: History, requests: list[Request]) -> None:
    """No acknowledged frame is lost or there twice; what was not acknowledged is there as a whole or not at all."""
    found = _rows(*history.read(1, history.last_frame)) if history.last_frame else []
    kept = 0
    for request in requests:
        rows = request.rows
        if request.answer is not None:
            first, last = request.answer.first, request.answer.last
            require(found[first - 1 : last] == rows, "an acknowledged frame is in the journal", f"frames {first} to {last}")
        there = sum(row in rows for row in found)
        require(there in (0, len(rows)), "all or nothing of a request is kept, once", f"{there} of {len(rows)}")
        require(not (request.refused and there), "nothing of a refused request is kept")
        kept += there
    require(kept == len(found), "the journal holds nothing that nobody fed")


def check_events(history: History, witness: Witness) -> None:
    """Every frame is named once, in order; acknowledged events are where they were said to be."""
    events = history.events
    require([each.seq for each in events] == list(range(1, len(events) + 1)), "event numbers are dense")
    named = [
        number for each in events if isinstance(each.event, Wake) for number in range(each.event.first, each.event.last + 1)
    ]
    require(named == list(range(1, history.last_frame + 1)), "every frame is learned exactly once, in order")
    for seq, recorded in witness.events.items():
        require(events[seq - 1] == recorded, "an acknowledged event stays what it was", f"event {seq}")


class Reference:
    """A network that was never interrupted. It remembers itself at every barrier, and goes back when an event says so."""

    def __init__(self, stream: Stream, history: History) -> None:
        self.network = Network(stream.made, history.recall)
        self.history = history
        self.fold = ProgressFold()
        self.debt = SleepDebt()
        self.predictions: list[Predictions] = []
        self.present: set[int] = set()
        self._moments: dict[int, tuple[Any, ...]] = {}

    def learn(self, recorded: Recorded) -> None:
        """Take in the next event of the journal, on whichever branch it is."""
        if isinstance(recorded.event, Restore):
            config, states, score, self.debt.frames, present = self._moments[recorded.event.to]
            self.network = Network(config, self.history.recall)
            for name, state in self.network.states().items():
                restore(state, states[name])
            self.fold = ProgressFold()
            self.fold.restore(recorded.event.to, score)
            self.present = set(present)
        self.debt.observe(recorded.event)
        for outcome in learn(self.network, self.history, recorded):
            self.fold.observe(outcome)
            if isinstance(outcome, Learned):
                self.predictions.append(Predictions.made(outcome))
                self.present.update(outcome.ids.tolist())
        if isinstance(recorded.event, Barrier):
            states = {name: bits(state) for name, state in self.network.states().items()}
            config = self.network.config
            self._moments[recorded.seq] = (config, states, self.fold.to_dict(), self.debt.frames, frozenset(self.present))


def check_network(stream: Stream, history: History, witness: Witness, manifests: list[Manifest]) -> None:
    """Weights, published versions, snapshots, score and predictions equal those of a network that was never interrupted."""
    reference = Reference(stream, history)
    saved = {manifest.seq: (manifest.files, manifest.progress["oldest"]) for manifest in manifests}
    for recorded in history.events:
        reference.learn(recorded)
        network = reference.network
        if isinstance(recorded.event, Barrier) and recorded.seq in saved:
            files = {name: hashlib.sha256(save(state)).hexdigest() for name, state in network.states().items()}
            found = files, network.dreamer.memory.oldest
            require(found == saved[recorded.seq], "a snapshot is the state at its barrier", f"event {recorded.seq}")
        if recorded.seq in witness.published:
            found = versions_of([stage.weights() for stage in network.stages])
            require(found == witness.published[recorded.seq], "a version is one state of the network", f"event {recorded.seq}")
    network = reference.network
    require(stream.config == network.config, "the network is as wide as its journal says", f"{stream.config.classes} labels")
    require(stream.chain.digests() == network.digests(), "the weights are those of a run that was never interrupted")
    one, other = stream.progress, reference.fold.now
    counts = [(each.frames, each.labelled, each.dreams, each.sleeps, each.through, each.accuracy) for each in (one, other)]
    require(counts[0] == counts[1], "nothing is counted twice", f"found {counts[0]}, expected {counts[1]}")
    owed = stream.sequencer.debt.frames
    require(owed == reference.debt.frames, "as much sleep is owed", f"found {owed}, expected {reference.debt.frames}")
    for made in reference.predictions:
        check_predictions(stream, made, reference.present)


def check_predictions(stream: Stream, made: Predictions, present: set[int]) -> None:
    """What is told of every frame is what was predicted of it, and whether the present weights have learned it."""
    for number in range(made.first, made.first + len(made.labels)):
        left = stream.sequencer.lineage.left(number)
        require(left == (number not in present), "a frame is learned, or on a branch that was left", f"frame {number}")
        try:
            found = stream.frame(number).prediction
        except ExpiredFrameError:
            due = stream.journal.last_frame - number >= stream.label_lifetime
            require(due, "a frame that takes a label is not forgotten", f"frame {number}")
            continue
        same = found == made.of(number) or (left and found is None)
        require(same, "a prediction is told as it was made", f"frame {number}: {found}")
