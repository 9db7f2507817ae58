"""Laws of the exact step: one frame jumps to its goodness in every layer, and no layer's output turns for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from ffstream.checks.chain import FRAMES, compare, follow
from ffstream.checks.law import not_finite, require
from ffstream.checks.samples import Sample
from ffstream.checks.script import Fail, Feed, MakeStream, Reopen, Rest, Save, sample
from ffstream.classify import Ascent, Method
from ffstream.frames import to_tensor
from ffstream.network import Network
from ffstream.stage import StageWeights
from ffstream.stream.stream import Stream

GOODNESS_EXACT, DIRECTION_KEPT = 1e-4, 1e-6
"""How far a goodness may be from its goal, and how far a unit vector may turn."""


@contextmanager
def _lived(make: MakeStream, frames: int = FRAMES) -> Iterator[tuple[Stream, Sample]]:
    """A stream that has learned so many frames, and the next one with its label."""
    with TemporaryDirectory(prefix="ffstream-check-") as folder:
        stream = make(Path(folder))
        try:
            if frames:
                stream.feed(*sample(stream, 0, frames))
            yield stream, sample(stream, frames, 1)
        finally:
            stream.close()


def _seen(stream: Stream, stages: Sequence[StageWeights], shown: Sample) -> tuple[Tensor, list[Tensor]]:
    """Of the frame with every label, by layer: the goodness [classes, depth], and what is handed on as unit vectors."""
    labels = torch.arange(stream.config.classes)
    ascent = Ascent(stream.config, stages)
    rows = ascent.views.labelled(to_tensor(shown.x).expand(len(labels), -1), labels)
    goodness, handed_on = zip(*ascent.passed(rows), strict=True)
    return torch.stack(goodness, dim=1), [h / h.norm(dim=1, keepdim=True).clamp(min=1e-12) for h in handed_on]


def _learning(stream: Stream) -> list[StageWeights]:
    """Weights of the network that learns, by a replay of the journal; what is read is its average."""
    network = Network(stream.made, stream.journal.recall)
    follow(network, stream.journal)
    return [StageWeights(stage.layer.weights, stage.readout.weights, stage.weights().moments) for stage in network.stages]


def check_jump(make: MakeStream) -> None:
    """Every layer takes the frame for a positive with its label and denies it with any other, exactly, and what it hands on has
    the direction that it had (paper section 6); the readouts are as certain.
    """
    with _lived(make) as (stream, shown):
        config, label = stream.config, int(shown.y[0])
        margin = float(torch.tensor(config.certainty).logit()) / config.layer.sharpness
        before = [_seen(stream, stages, shown) for stages in (stream.reader.stages, _learning(stream))]
        stream.feed(*shown, learn="exact")
        after = [_seen(stream, stages, shown) for stages in (stream.reader.stages, _learning(stream))]
        for (was, directions), (found, turned) in zip(before, after, strict=True):
            goals = was.clamp(max=config.layer.decides_at - margin)
            goals[label] = was[label].clamp(min=config.layer.decides_at + margin)
            error = float((found - goals).abs().max())
            law = "an exact step gives every layer the goodness wanted, with every label"
            require(error < GOODNESS_EXACT, law, f"off by {error}")
            error = max(float((one - other).abs().max()) for one, other in zip(directions, turned, strict=True))
            require(error < DIRECTION_KEPT, "an exact step turns no layer's output", f"a unit vector moved by {error}")
        for method in Method:
            found_label = int(stream.classify(shown.x, method).labels)
            require(found_label == label, "a frame shown once is known", f"{method.value}: {found_label}, not {label}")
        told = float(stream.classify(shown.x, Method.ONE_PASS).scores[0, label])
        require(told > config.certainty - GOODNESS_EXACT, "one pass is as certain as it was to be", f"found {told}")


def check_first_frame(make: MakeStream) -> None:
    """The very first frame of a stream may be learned in one step, and a frame that came again with another label."""
    with _lived(make, frames=0) as (stream, shown):
        for label in (0, 1):
            stream.feed(shown.x, [label], learn="exact")
            found = int(stream.classify(shown.x).labels)
            require(found == label, "what was learned in one step is overwritten in one step", f"found {found}, not {label}")
        broken = not_finite({f"layer {index}": stage.layer for index, stage in enumerate(stream.reader.stages)})
        require(not broken, "an exact step leaves everything finite", f"{broken}")


def check_predicts_before(make: MakeStream) -> None:
    """The prediction of a frame owes nothing to its label in an exact step either."""
    predictions = []
    for other in (0, 1):
        with _lived(make) as (stream, shown):
            (learned,) = stream.feed(shown.x, (shown.y + other) % stream.config.classes, learn="exact")
            predictions.append(learned.logits)
    require(torch.equal(*predictions), "a frame is predicted before it is learned in one step")


def check_goes_on(make: MakeStream) -> None:
    """Among other frames exact ones are events of their own, and chain and in-process network agree bit for bit."""
    with _lived(make) as (stream, _):
        stream.accept(*sample(stream, FRAMES, 3))
        stream.accept(*sample(stream, FRAMES + 3, 2), learn="exact")
        stream.accept(*sample(stream, FRAMES + 5, 4))
        stream.settle()
        wakes = [each.event for each in stream.journal.events(0, kind="wake")][-4:]
        found = [(wake.frames, wake.exact) for wake in wakes]  # type: ignore[union-attr]
        require(found == [(3, False), (1, True), (1, True), (4, False)], "an exact frame is an event of its own", f"{found}")
        reference = Network(stream.made, stream.journal.recall)
        follow(reference, stream.journal)
        require(stream.chain.digests() == reference.digests(), "the chain equals the in-process network, bit for bit")


def check_exact_replay(make: MakeStream) -> None:
    """Failures around exact steps change nothing: each is made once."""
    one = Feed(1, exact=True)
    broken = (Feed(23), one, one, Reopen(), Rest(), one, Save(), one, Fail(), Feed(12), Rest(), Fail())
    compare(make, broken, tuple(item for item in broken if not isinstance(item, Fail | Reopen)))


EXACT_CHECKS: tuple[Callable[[MakeStream], None], ...] = (
    check_jump,
    check_first_frame,
    check_predicts_before,
    check_goes_on,
)
"""For every chain whose layers see labels beside frames."""

DURABLE_EXACT_CHECKS: tuple[Callable[[MakeStream], None], ...] = (check_exact_replay,)
"""For those of them that are kept in a folder."""
