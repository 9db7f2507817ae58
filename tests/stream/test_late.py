"""Late labels in the stream: what is taught late is learned once, remembered and replayed like anything else."""

import numpy as np
import pytest
import torch

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.checks.samples import blobs
from ffstream.errors import ExpiredFrameError, LabelledError, ShapeError
from ffstream.outcome import Dreamt

CONFIG = NetworkConfig(inputs=4, classes=3, units=(8, 6), batch=10, memory=50)
NEVER = Schedule(every=None, idle=None)


@pytest.fixture
def stream(folder):
    stream = Stream.in_process(CONFIG, NEVER, folder=folder)
    yield stream
    stream.close()


def test_a_late_label_teaches_what_it_would_have_taught(stream):
    """Frames without labels teach nothing, so that with their labels they leave the weights that labelled frames leave."""
    x, y = blobs(20, 4, 3)
    stream.feed(x)
    nothing = stream.chain.digests()
    learned = stream.label(np.arange(1, 21), y)
    assert torch.cat([answer.ids for answer in learned]).tolist() == list(range(21, 41))
    assert torch.cat([answer.labels for answer in learned]).tolist() == y.tolist()
    assert stream.chain.digests() != nothing
    assert (stream.progress.frames, stream.progress.labelled) == (40, 20)
    prompt = Stream.in_process(CONFIG, NEVER)
    prompt.feed(x, y)
    layers = {name: digest for name, digest in prompt.chain.digests().items() if name != "dreamer"}
    assert layers.items() <= stream.chain.digests().items()


def test_sleep_owes_and_dreams_late_labels(stream):
    x, y = blobs(10, 4, 3)
    stream.feed(x)
    assert stream.sequencer.debt.frames == 0
    stream.label([3, 7], y[[2, 6]])
    assert stream.sequencer.debt.frames == 2
    stream.sequencer.request_sleep()
    dreams = [outcome for outcome in stream.settle() if isinstance(outcome, Dreamt)]
    assert set(torch.cat([dream.ids for dream in dreams]).tolist()) == {11, 12}


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_restart_learns_the_same(tmp_path, snapshot):
    x, y = blobs(30, 4, 3)

    def live(folder, restart):
        stream = Stream.in_process(CONFIG, NEVER, folder=folder)
        stream.feed(x[:20])
        first = stream.accept_labels([5, 2], y[[4, 1]], key="a", digest="one")
        if snapshot:
            stream.snapshot()
        if restart:
            stream.close()
            stream = Stream.in_process(CONFIG, NEVER, folder=folder)
        again = stream.accept_labels([5, 2], y[[4, 1]], key="a", digest="one")
        assert (again.first, again.last, again.repeated) == (first.first, first.last, True)
        with pytest.raises(LabelledError):
            stream.accept_labels([5], y[[4]])
        stream.feed(x[20:], y[20:])
        stream.label([9], y[[8]])
        digests, progress = stream.chain.digests(), stream.progress
        stream.close()
        return digests, progress.frames, progress.labelled, progress.accuracy_overall

    assert live(tmp_path / "one", True) == live(tmp_path / "other", False)


def test_labels_come_too_late(folder):
    stream = Stream.in_process(CONFIG, NEVER, folder=folder, label_lifetime=60)
    x, y = blobs(70, 4, 3)
    stream.feed(x)
    with pytest.raises(ExpiredFrameError, match=r"labels\[1\]: frame 10 "):
        stream.label([11, 10], y[[10, 9]])
    stream.label([11], y[[10]])
    assert stream.journal.last_frame == 71
    stream.close()


def test_by_default_labels_are_taken_for_as_long_as_the_network_remembers(stream):
    stream.feed(blobs(60, 4, 3).x)
    with pytest.raises(ExpiredFrameError):
        stream.label([10], [0])
    assert len(stream.label([11], [0])) == 1


@pytest.mark.parametrize(
    ("ids", "labels", "place"),
    [
        ([], [], "ids"),
        ([[1]], [0], "ids"),
        ([1.0], [0], "ids"),
        ([1], [3], r"labels\[0\]"),
        ([1, 2], [0, -1], r"labels\[1\]"),
        ([1, 2], [0], "labels"),
        ([1], None, "labels"),
    ],
)
def test_what_is_no_late_label(stream, ids, labels, place):
    stream.feed(blobs(5, 4, 3).x)
    with pytest.raises(ShapeError, match=f"^{place}: "):
        stream.label(ids, labels)
    assert stream.journal.last_frame == 5
