"""What must be true in the end: the journal holds what was acknowledged, and the network is what the journal says."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors.torch import save

from ffstream.checks.chain import learn
from ffstream.checks.law import require
from ffstream.errors import ExpiredFrameError
from ffstream.frames import to_tensor
from ffstream.network import Network
from ffstream.outcome import Learned
from ffstream.progress import ProgressFold
from ffstream.stage import StageWeights
from ffstream.stream.events import Barrier, Recorded, Wake
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
    return digest({f"{index} {name}": part for index, stage in enumerate(stages) for name, part in stage._asdict().items()})


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


def check_network(stream: Stream, history: History, witness: Witness, manifests: list[Manifest]) -> None:
    """Weights, published versions, snapshots and score equal those of a network that was never interrupted."""
    network, fold = Network(stream.config, history.recall), ProgressFold()
    saved = {manifest.seq: manifest.files for manifest in manifests}
    for recorded in history.events:
        for outcome in learn(network, history, recorded):
            fold.observe(outcome)
            if isinstance(outcome, Learned):
                check_predictions(stream, Predictions.made(outcome))
        if isinstance(recorded.event, Barrier) and recorded.seq in saved:
            files = {name: hashlib.sha256(save(state)).hexdigest() for name, state in network.states().items()}
            require(files == saved[recorded.seq], "a snapshot is the state at its barrier", f"event {recorded.seq}")
        if recorded.seq in witness.published:
            found = versions_of([stage.weights() for stage in network.stages])
            require(found == witness.published[recorded.seq], "a version is one state of the network", f"event {recorded.seq}")
    require(stream.chain.digests() == network.digests(), "the weights are those of a run that was never interrupted")
    one, other = stream.progress, fold.now
    counts = [(each.frames, each.labelled, each.dreams, each.sleeps, each.owed, each.accuracy) for each in (one, other)]
    require(counts[0] == counts[1], "nothing is counted twice", f"found {counts[0]}, expected {counts[1]}")


def check_predictions(stream: Stream, made: Predictions) -> None:
    """What is told of every frame is what was predicted of it."""
    for number in range(made.first, made.first + len(made.labels)):
        try:
            found = stream.frame(number).prediction
        except ExpiredFrameError:
            due = stream.journal.last_frame - number >= stream.label_lifetime
            require(due, "a frame that takes a label is not forgotten", f"frame {number}")
            continue
        require(found == made.of(number), "a prediction is told as it was made", f"frame {number}: {found}")
