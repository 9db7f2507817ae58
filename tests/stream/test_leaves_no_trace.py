"""What a stream is asked on the way leaves no trace in what it has learned."""

import torch

from ffstream import Method, NetworkConfig, Schedule, Stream
from ffstream.checks.samples import blobs

NETWORK = NetworkConfig(inputs=6, classes=3, units=(8, 8), batch=10, memory=50)
SCHEDULE = Schedule(every=30, idle=None)
SNAPSHOTS = 100
CLASSIFIES = 10_000


def test_snapshots_and_classifying_change_no_bit(tmp_path):
    """A hundred snapshots and ten thousand classifications between the same micro-batches: the same digests."""
    asked = Stream.in_process(NETWORK, SCHEDULE, folder=tmp_path, snapshots_kept=SNAPSHOTS)
    left_alone = Stream.in_process(NETWORK, SCHEDULE)
    x, y = blobs(10 * SNAPSHOTS, 6, 3)
    questions = torch.from_numpy(blobs(4, 6, 3, seed=1).x)
    methods = [method for method in Method for _ in range(CLASSIFIES // SNAPSHOTS // len(Method))]
    methods += [Method.GOODNESS] * (CLASSIFIES // SNAPSHOTS - len(methods))
    for start in range(0, len(x), 10):
        for stream in (asked, left_alone):
            stream.feed(x[start : start + 10], y[start : start + 10])
        for method in methods:
            asked.reader.classify(questions, method)
        asked.snapshot()
    assert len(methods) * SNAPSHOTS == CLASSIFIES
    assert len(asked.saved()) == SNAPSHOTS
    assert asked.progress.sleeps == left_alone.progress.sleeps > 0
    assert asked.chain.digests() == left_alone.chain.digests()
    asked.close()
