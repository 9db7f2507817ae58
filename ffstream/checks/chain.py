"""Laws of whole chains, wherever their layers run: the weights are a pure function of the journal."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from ffstream.checks.law import bits, differing, not_finite, require
from ffstream.checks.samples import ODD, blobs
from ffstream.checks.script import Accept, Fail, Feed, Forget, GoBack, Item, MakeStream, Reopen, Rest, Save, play, sample
from ffstream.classify import Method
from ffstream.frames import FrameArray, to_tensor
from ffstream.message import Batch, Position
from ffstream.network import Network
from ffstream.outcome import Outcome
from ffstream.polarity import Polarity
from ffstream.stream.events import Barrier, Recorded, Restore, Sleep, Wake
from ffstream.stream.journal import Journal
from ffstream.stream.stream import SNAPSHOTS, Stream

FRAMES = 120
"""Frames in a check's stream; a stream to be checked keeps at least as many, and sleeps at least once on the way."""

SLACK = 25_000
"""Bytes that a stream may grow by while it lives on: caches, not history."""


@contextmanager
def _opened(make: MakeStream) -> Iterator[Stream]:
    with TemporaryDirectory(prefix="ffstream-check-") as folder:
        stream = make(Path(folder))
        try:
            yield stream
        finally:
            stream.close()


def _feed(stream: Stream, after: int, n: int) -> None:
    stream.feed(*sample(stream, after, n))


def _weights(stream: Stream) -> dict[str, Tensor]:
    """A copy of the weights that the stream classifies with."""
    stream.settle()
    stages = stream.reader.stages
    layers = {f"layer {index}": stage.layer for index, stage in enumerate(stages)}
    return bits(layers | {f"readout {index}": stage.readout for index, stage in enumerate(stages)})


def _logits(stream: Stream, frames: FrameArray) -> Tensor:
    """What the readout makes of frames now."""
    stream.settle()
    return stream.reader.logits(to_tensor(frames))


def follow(network: Network, journal: Journal) -> None:
    """Let a network learn everything that a journal holds, event after event."""
    after = 0
    while events := journal.events(after):
        for recorded in events:
            learn(network, journal, recorded)
        after = events[-1].seq


def learn(network: Network, journal: Journal, recorded: Recorded) -> list[Outcome]:
    """Let a network learn one event of a journal; what came out of it."""
    match recorded.event:
        case Wake(first, last, exact=exact):
            frames, labels = journal.read(first, last)
            ids = torch.arange(first, last + 1)
            network.wake(Batch(Position(recorded.seq), Polarity.POSITIVE, frames, labels, ids, exact))
        case Sleep() as sleep:
            network.sleep(recorded, sleep)
        case Barrier() as barrier:
            network.barrier(recorded, barrier)
        case Restore() as restore:
            network.restore(recorded, restore)
        case change:
            network.change(recorded, change)
    return network.outcomes(0)


def check_matches_network(make: MakeStream) -> None:
    """Given the same journal, the chain and the in-process network end with equal digests."""
    with _opened(make) as stream:
        _feed(stream, 0, FRAMES // 2)
        stream.feed(sample(stream, FRAMES // 2, 7).x)
        stream.sleep()
        stream.snapshot()
        _feed(stream, FRAMES // 2 + 7, FRAMES // 2 - 7)
        reference = Network(stream.made, stream.journal.recall)
        follow(reference, stream.journal)
        found, expected = stream.chain.digests(), reference.digests()
        apart = sorted(name for name in expected | found if expected.get(name) != found.get(name))
        require(not apart, "the chain equals the in-process network, bit for bit", f"{apart} differ")


def check_sleeps(make: MakeStream) -> None:
    """Sleep is as long as it was asked to be, and changes every layer."""
    with _opened(make) as stream:
        _feed(stream, 0, FRAMES)
        before, dreamt = _weights(stream), stream.progress.dreams
        stream.sleep(dreams=4 * stream.config.batch)
        dreams = stream.progress.dreams - dreamt
        changed = differing(before, _weights(stream))
        layers = {f"layer {index}" for index in range(stream.config.depth)}
        require(dreams == 4 * stream.config.batch, "a sleep is as long as it was asked to be", f"found {dreams} dreams")
        require(layers <= set(changed), "sleep changes every layer", f"only {changed} changed")


def check_classify_changes_nothing(make: MakeStream) -> None:
    """Classification, by any method, changes no bit of the chain and of what is classified with."""
    with _opened(make) as stream:
        _feed(stream, 0, FRAMES)
        before, weights, seq = stream.chain.digests(), _weights(stream), stream.journal.last_seq
        answers = [stream.classify(sample(stream, 0, 9).x, method) for method in Method]
        again = [stream.classify(sample(stream, 0, 9).x, method) for method in Method]
        law = "classify never changes a bit"
        require(stream.chain.digests() == before and stream.journal.last_seq == seq, law)
        require(not differing(weights, _weights(stream)), law)
        same = all(torch.equal(one.scores, other.scores) for one, other in zip(answers, again, strict=True))
        require(same, "the same frames are classified alike")


def check_before_learning(make: MakeStream) -> None:
    """Everything works before any learning: classification is uniform, sleep dreams nothing, a snapshot is taken."""
    with _opened(make) as stream:
        frames = sample(stream, 0, 3).x
        for method in Method:
            scores = stream.classify(frames, method).scores
            uniform = torch.full((3, stream.config.classes), 1 / stream.config.classes)
            require(torch.equal(scores, uniform), "before any learning every label scores the same", f"{method}: {scores}")
        require(stream.sleep().steps == 0, "nothing observed, no dreams")
        require(stream.snapshot() == 2, "a snapshot can be taken before any learning")


def check_predicts_before_learning(make: MakeStream) -> None:
    """A prediction owes nothing to the labels of its micro-batch: with other labels it is the same, bit for bit."""
    with _opened(make) as stream, _opened(make) as other:
        batch = stream.config.batch
        for twin in (stream, other):
            _feed(twin, 0, 3 * batch)
        x, y = sample(stream, 3 * batch, batch)
        (one,) = stream.feed(x, y)
        (two,) = other.feed(x, (y + 1) % stream.config.classes)
        require(torch.equal(one.logits, two.logits), "a frame is predicted before it is learned")
        (one,), (two,) = stream.feed(x, y), other.feed(x, y)
        require(not torch.equal(one.logits, two.logits), "labels teach something")


def check_scale_is_hidden(make: MakeStream) -> None:
    """A stream of brighter frames teaches the same, to rounding."""
    _teaches_the_same(make, lambda x: x * 64, "the scale of the frames does not matter")


def check_every_scale_is_hidden(make: MakeStream) -> None:
    """With every column in a unit of its own a table teaches the same."""
    _teaches_the_same(make, lambda x: np.ldexp(x, np.arange(x.shape[1]) - 4), "the scales of a table's columns do not matter")


def _teaches_the_same(make: MakeStream, change: Callable[[FrameArray], FrameArray], law: str) -> None:
    seen = []
    for changed in (lambda x: x, change):
        with _opened(make) as stream:
            easy = sample(stream, 0, FRAMES)
            stream.feed(changed(easy.x), easy.y)
            seen.append(_logits(stream, changed(sample(stream, FRAMES, 20).x)))
    error = float((seen[0] - seen[1]).abs().max())
    require(bool(seen[0].any()), "a stream teaches something")
    require(error < 1e-3, law, f"logits differ by {error}")


def check_moments_trickle(make: MakeStream) -> None:
    """A frame at a time or all at once, a table's columns end with the same means and variances, to rounding."""
    moments = []
    for together in (1, FRAMES):
        with _opened(make) as stream:
            x = sample(stream, 0, FRAMES).x
            for first in range(0, FRAMES, together):
                stream.feed(x[first : first + together])
            stream.settle()
            found = stream.reader.stages[0].moments
            assert found is not None, "the moments are published with the weights they belong to"
            moments.append(found)
    error = float((moments[0] - moments[1]).abs().max())
    require(
        bool(moments[0].all()) and error < 1e-3, "moments do not depend on how frames trickle in", f"they differ by {error}"
    )


def check_learns(make: MakeStream) -> None:
    """An easy stream is learned, as every method sees it."""
    with _opened(make) as stream:
        _feed(stream, 0, 5 * FRAMES)
        x, y = sample(stream, 5 * FRAMES, FRAMES)
        for method in Method:
            right = float((stream.classify(x, method).labels.numpy() == y).mean())
            require(right > 0.9, "an easy stream is learned", f"{method.value}: {right:.2f} right")


def check_odd_streams(make: MakeStream) -> None:
    """No stream, however odd, leaves weights or scores that are not finite."""
    for name, odd in ODD.items():
        with _opened(make) as stream:
            easy = blobs(2 * FRAMES, stream.config.inputs, stream.config.classes)
            stream.feed(*odd(easy))
            scores = {method.value: stream.classify(easy.x[:9], method).scores for method in Method}
            broken = not_finite(_weights(stream) | scores)
            require(not broken, "a network stays finite whatever it is fed", f"{name}: {broken}")


def check_odd_order(make: MakeStream) -> None:
    """A frame that comes again and again, then others with one label each: nothing becomes infinite."""
    with _opened(make) as stream:
        x, y = sample(stream, 0, 2 * FRAMES)
        stream.feed(x[np.zeros(FRAMES, np.int64)], y[np.zeros(FRAMES, np.int64)])
        order = np.argsort(y, kind="stable")
        stream.feed(x[order], y[order])
        scores = {method.value: stream.classify(x[:9], method).scores for method in Method}
        broken = not_finite(_weights(stream) | scores)
        require(not broken, "a network stays finite in whatever order it is fed", f"found {broken}")


def _bytes() -> int:
    """Memory in use by Python, numpy and torch."""
    gc.collect()
    tensors = (each for each in gc.get_objects() if type(each) is Tensor)
    return tracemalloc.get_traced_memory()[0] + sum(each.numel() * each.element_size() for each in tensors)


def check_memory_bounded(make: MakeStream) -> None:
    """Once the memories are full, a stream that lives on does not grow.

    What grows, grows each time: the smallest of some growths does not count what the process allocated besides.
    """
    with _opened(make) as stream:
        full = 8 * stream.config.memory
        part = sample(stream, 0, stream.config.batch)
        tracemalloc.start()
        try:
            sizes = []
            for _ in range(5):
                for _ in range(-(-full // len(part.x))):
                    stream.feed(*part)
                sizes.append(_bytes())
        finally:
            tracemalloc.stop()
        grown = min(after - before for before, after in pairwise(sizes))
        require(grown < SLACK, "memory is bounded", f"{full} more frames took {grown} bytes")


BEFORE: tuple[Item, ...] = (Feed(47), Rest(), Feed(20, labelled=False), Feed(33))
AFTER: tuple[Item, ...] = (Feed(31), Rest(), Feed(24))


def compare(make: MakeStream, broken: tuple[Item, ...], whole: tuple[Item, ...]) -> None:
    """Two lives, one with failures in it, must come to the same."""
    with TemporaryDirectory(prefix="ffstream-check-") as folder:
        found = play(broken, make, Path(folder) / "broken")
        expected = play(whole, make, Path(folder) / "whole")
    apart = sorted(name for name in expected.digests if expected.digests[name] != found.digests.get(name))
    require(not apart, "replay equals the uninterrupted run, bit for bit", f"{broken}: {apart} differ")
    lost = set(expected.learned) - set(found.learned)
    require(not lost, "no accepted frame is lost", f"{broken}: {sorted(lost)} never learned")
    one, other = found.progress, expected.progress
    same = (one.seq, one.frames, one.dreams, one.sleeps) == (other.seq, other.frames, other.dreams, other.sleeps)
    require(same, "nothing is counted twice", f"{broken}: found {one}, expected {other}")
    same = (one.labelled, one.accuracy) == (other.labelled, other.accuracy)
    require(same, "the score goes on where it was", f"{broken}: found {one}, expected {other}")


def check_replay(make: MakeStream) -> None:
    """A stream opened on a journal without a snapshot learns all of it again, to the same bits."""
    compare(make, (*BEFORE, Reopen(), *AFTER), (*BEFORE, *AFTER))


def check_replay_from_snapshot(make: MakeStream) -> None:
    """A stream opened on a snapshot goes on from there, to the same bits."""
    for failure in (Reopen(), Fail()):
        compare(make, (*BEFORE, Save(), Feed(13), failure, *AFTER), (*BEFORE, Save(), Feed(13), *AFTER))


def check_failures(make: MakeStream) -> None:
    """Failures in a row, and with frames waiting, change nothing."""
    broken = (Feed(13), Save(), Accept(17), Fail(), Rest(), Fail(), Reopen(), Save(), Accept(9), Reopen(), Fail(), Feed(20))
    compare(make, broken, (Feed(13), Save(), Accept(17), Rest(), Save(), Accept(9), Feed(20)))


def check_forgets(make: MakeStream) -> None:
    """A drift that is answered by forgetting passes all parts once, and failures around it change nothing."""
    forgotten = (*BEFORE, Forget(), *AFTER)
    for broken in ((*BEFORE, Fail(), Forget(), Reopen(), *AFTER), (*BEFORE, Save(), Forget(), Feed(13), Fail())):
        whole = tuple(item for item in broken if not isinstance(item, Fail | Reopen))
        compare(make, broken, whole)
    with TemporaryDirectory(prefix="ffstream-check-") as folder:
        found = play(forgotten, make, Path(folder) / "forgotten")
        kept = play((*BEFORE, *AFTER), make, Path(folder) / "kept")
    same = sorted(name for name in kept.digests if kept.digests[name] == found.digests[name])
    require(not same, "to forget changes every part", f"{same} did not")


def check_restore(make: MakeStream) -> None:
    """Back at a snapshot the stream goes on from there, and failures afterwards change nothing."""
    back = (*BEFORE, Save(), Feed(13), GoBack())
    for failure in (Reopen(), Fail()):
        compare(make, (*back, failure, *AFTER, failure), (*back, *AFTER))
    with TemporaryDirectory(prefix="ffstream-check-") as folder:
        found = play(back, make, Path(folder) / "back")
        expected = play((*BEFORE, Save()), make, Path(folder) / "never left")
    require(found.digests == expected.digests, "back at a snapshot the weights are those that were saved")


def check_journal_decides(make: MakeStream) -> None:
    """Snapshots only save time: with all of them gone the journal leads to the same bits."""
    with TemporaryDirectory(prefix="ffstream-check-") as name:
        folder = Path(name)
        expected = play((*BEFORE, Save(), *AFTER), make, folder)
        rmtree(folder / SNAPSHOTS)
        found = play((), make, folder)
        require(found.digests == expected.digests, "the weights are a pure function of the journal")


CHAIN_CHECKS: tuple[Callable[[MakeStream], None], ...] = (
    check_matches_network,
    check_sleeps,
    check_classify_changes_nothing,
    check_before_learning,
    check_predicts_before_learning,
    check_learns,
    check_odd_order,
    check_memory_bounded,
)
"""For every chain."""

NUMBER_CHECKS: tuple[Callable[[MakeStream], None], ...] = (check_scale_is_hidden, check_odd_streams)
"""For every chain whose frames are numbers."""

TABLE_CHECKS: tuple[Callable[[MakeStream], None], ...] = (check_every_scale_is_hidden, check_moments_trickle)
"""For every chain that standardizes the numbers of its frames."""

DURABLE_CHECKS: tuple[Callable[[MakeStream], None], ...] = (
    check_replay,
    check_replay_from_snapshot,
    check_failures,
    check_forgets,
    check_restore,
    check_journal_decides,
)
"""For every chain whose journal and snapshots are kept in a folder."""
