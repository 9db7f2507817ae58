"""The recurrent chain of actors, whose states go both ways, against the in-process network."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ffstream import Field, FieldsConfig, LayerConfig, Method, NetworkConfig, Schedule, Stream, VideoConfig
from ffstream.actors import open_stream
from ffstream.datasets import load
from ffstream.errors import ChainError

pytestmark = pytest.mark.usefixtures("ray_runs")

DIGITS = load("digits")
STILL = VideoConfig(ticks=3, read=(2, 3))
CONFIG = NetworkConfig(64, 10, (40, 30, 20), batch=25, layer=LayerConfig(rate=0.1, directions=8), video=STILL)
WINDOW = replace(CONFIG, video=replace(STILL, learn=(2, 2)))
CLIPS = replace(CONFIG, inputs=128, units=(40, 30), video=VideoConfig(ticks=2, clip=2, read=(1, 2), lanes=3))
FIELDS = FieldsConfig(8, 1, (Field(8, 1, 3, tile=4), Field(4, 2, 3, 2)))
LOCAL = replace(CONFIG, units=FIELDS.units, fields=FIELDS)
SCHEDULE = Schedule(every=50, idle=None)


def frames(config: NetworkConfig, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Digits, one above the other where a frame is a clip; every ninth without its label."""
    rows = DIGITS.order(1, 0)[:count]
    labels = np.where(np.arange(count) % 9 == 4, -1, DIGITS.y[rows])
    return np.tile(DIGITS.x[rows], (1, config.inputs // 64)), labels


@pytest.mark.parametrize("config", [CONFIG, WINDOW, CLIPS, LOCAL], ids=["still", "window", "clips", "local"])
def test_bits_of_the_in_process_network(tmp_path: Path, config: NetworkConfig) -> None:
    """Wake, sleep, odd batches, a snapshot and a replay from it: the same bits, answers and files."""
    streams = [Stream.in_process(config, SCHEDULE, folder=tmp_path / "a"), open_stream(config, SCHEDULE, folder=tmp_path / "b")]
    x, y = frames(config, 140)
    for stream in streams:
        stream.feed(x[:101], y[:101])
        stream.sleep(30)
        stream.snapshot()
        stream.feed(x[101:103], y[101:103])
        stream.feed(x[103:], y[103:])
        stream.start()
        stream.settle()
    a, b = streams
    assert a.chain.digests() == b.chain.digests()
    for method in Method:
        assert torch.equal(a.classify(x[:9], method).scores, b.classify(x[:9], method).scores)
    assert a.progress == b.progress
    assert a.saved()[0].files == b.saved()[0].files
    for stream in streams:
        stream.close()


def test_killed_between_two_ticks(tmp_path: Path) -> None:
    """SIGKILL while states are under way both ways: every frame is learned exactly once all the same."""
    stream = open_stream(CONFIG, SCHEDULE, folder=tmp_path / "ray", snapshot_every=4)
    x, y = frames(CONFIG, 250)
    stream.accept(x, y)
    while stream.progress.frames < 100:
        stream.step(0.1)
    os.kill(stream.chain.crew.pids["layer-1"], signal.SIGKILL)
    with pytest.raises(ChainError, match="died"):
        stream.drain(60)
    stream.start()
    assert stream.drain(60)
    assert stream.progress.frames == 250
    plain = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path / "plain")
    plain.feed(x, y)
    assert stream.chain.digests() == plain.chain.digests()
    for each in (stream, plain):
        each.close()
