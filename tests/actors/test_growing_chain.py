"""A chain of actors that makes room for new labels while it learns, against the in-process network."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from ffstream import LayerConfig, Method, NetworkConfig, Schedule, Stream, VideoConfig
from ffstream.actors import open_stream
from ffstream.datasets import load
from ffstream.errors import ChainError
from ffstream.stream.events import Grow

pytestmark = pytest.mark.usefixtures("ray_runs")

DIGITS = load("digits")
SCHEDULE = Schedule(every=50, idle=None)
MOST = 10
NETWORKS = {
    "feed-forward": NetworkConfig(64, 4, (60, 50), batch=25),
    "recurrent": NetworkConfig(
        64, 4, (40, 30), batch=25, layer=LayerConfig(rate=0.1, directions=8), video=VideoConfig(ticks=3, read=(2, 3))
    ),
}


def frames(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Digits; those from 4 on come without their label at first, and then ever more of them have theirs."""
    rows = DIGITS.order(1, 0)[:count]
    known = 4 + np.arange(count) // 30
    return DIGITS.x[rows], np.where(DIGITS.y[rows] < known, DIGITS.y[rows], -1)


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_bits_of_the_in_process_network(tmp_path: Path, config: NetworkConfig) -> None:
    """Growth between sleeps and snapshots, a layer killed behind it, a way back before it: the same bits, answers and files."""
    a = Stream.in_process(config, SCHEDULE, folder=tmp_path / "a", max_classes=MOST)
    b = open_stream(config, SCHEDULE, folder=tmp_path / "b", max_classes=MOST)
    x, y = frames(250)
    narrow = []
    for stream in (a, b):
        stream.feed(x[:101], y[:101])
        narrow.append(stream.snapshot())
        stream.feed(x[101:], y[101:])
        assert stream.config.classes == MOST
    assert [each.event for each in a.journal.events(0)] == [each.event for each in b.journal.events(0)]
    assert len(a.journal.events(0, kind=Grow.kind)) > 3
    os.kill(b.chain.crew.pids["layer-1"], signal.SIGKILL)
    b.accept(x[:50], DIGITS.y[DIGITS.order(1, 0)[:50]])
    with pytest.raises(ChainError):
        b.drain(60)
    b.start()
    b.settle()
    a.feed(x[:50], DIGITS.y[DIGITS.order(1, 0)[:50]])
    assert a.chain.digests() == b.chain.digests()
    for method in Method:
        assert torch.equal(a.classify(x[:9], method).scores, b.classify(x[:9], method).scores)
    for stream, seq in zip((a, b), narrow, strict=True):
        stream.snapshot()
        stream.restore(seq)
        assert 4 < stream.config.classes < MOST
        stream.feed(x[101:], y[101:])
        assert stream.config.classes == MOST
    assert a.chain.digests() == b.chain.digests()
    assert a.progress == b.progress
    assert [each.files for each in a.saved()] == [each.files for each in b.saved()]
    for stream in (a, b):
        stream.close()
