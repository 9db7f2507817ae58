"""The chain of actors against its specification, the in-process network."""

import collections
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from ffstream import Field, FieldsConfig, LayerConfig, Method, NetworkConfig, ReadoutConfig, Schedule, Stream
from ffstream.actors import open_stream
from ffstream.actors.wire import pack, unpack
from ffstream.boxes import BoxConfig
from ffstream.checks.samples import sequence
from ffstream.datasets import load
from ffstream.errors import ChainError, GapError
from ffstream.fast_weights import FastWeights
from ffstream.message import Batch, Position
from ffstream.polarity import Phase, Polarity
from tests.patience import until

pytestmark = pytest.mark.usefixtures("ray_runs")

DIGITS = load("digits")
CONFIG = NetworkConfig(inputs=64, classes=10, units=(120, 100, 80), batch=25)
SCHEDULE = Schedule(every=125, idle=None)


def frames(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    order = DIGITS.order(1 + count // len(DIGITS.x), seed)[:count]
    return DIGITS.x[order], DIGITS.y[order]


def actors() -> list[str]:
    """Titles of the actors' processes of this program."""
    family = {each.pid for each in psutil.Process().children(recursive=True)}
    titles = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]) if each.pid in family]
    return [title for title in titles if "Actor" in title]


def expected(folder: Path, count: int) -> dict[str, str]:
    """Digests of the in-process network after the same frames."""
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=folder)
    stream.feed(*frames(count))
    digests = stream.chain.digests()
    stream.close()
    return digests


FIELDS = FieldsConfig(8, 1, (Field(6, 4, 3, shared=True), Field(3, 10, 2, 2, tile=3), Field(2, 20, 2, shared=True)))


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, standardize=True),
        replace(CONFIG, units=FIELDS.units, fields=FIELDS),
        replace(CONFIG, box=BoxConfig("net", 0.1, 1e-4), hardware=1),
        replace(CONFIG, readout=ReadoutConfig(joint=True)),
    ],
    ids=["dense", "standardized", "local and shared", "boxes on hardware", "one readout"],
)
def test_bits_of_the_in_process_network(tmp_path: Path, config: NetworkConfig) -> None:
    """Wake, sleep, frames without a label or learned in one step, a snapshot: the actors end with the same bits and answers."""
    streams = [Stream.in_process(config, SCHEDULE, folder=tmp_path / "a"), open_stream(config, SCHEDULE, folder=tmp_path / "b")]
    x, y = frames(800)
    y = np.where(np.arange(800) % 7 == 0, -1, y)
    for stream in streams:
        learned = [stream.feed(x[:333], y[:333]), stream.feed(x[333:], y[333:])]
        assert sum(len(each.labels) for part in learned for each in part) == 800
        stream.sleep(100)
        stream.feed(*frames(2, seed=2), learn="gradient" if config.fields or config.box or config.readout.joint else "exact")
        stream.snapshot()
        stream.feed(*frames(90, seed=1))
    a, b = streams
    assert a.chain.digests() == b.chain.digests()
    for method in Method:
        assert torch.equal(a.classify(DIGITS.x_held, method).scores, b.classify(DIGITS.x_held, method).scores)
    assert a.progress == b.progress
    assert a.saved()[0].files == b.saved()[0].files
    for stream in streams:
        stream.close()


UNITS = LayerConfig(goodness="detectors_and_constraints", activation="student_t", blocks=2)
TALE = NetworkConfig(
    5,
    6,
    (60, 50, 40),
    batch=10,
    layer=UNITS,
    encoding="symbols",
    negatives="generated_symbols",
    fast_weights=FastWeights(context=3, orders=(1, 2)),
)


def test_a_sequence_dreams_the_same_dreams(tmp_path: Path) -> None:
    """Negatives that the network generates as it falls asleep are the same wherever it runs, and after a kill."""
    schedule = Schedule(every=100, idle=None)
    made = [Stream.in_process, open_stream]
    streams = [make(TALE, schedule, folder=tmp_path / name) for name, make in zip("ab", made, strict=True)]
    x, y = sequence(700, 5, 6)
    a, b = streams
    slept = []
    for stream in streams:
        stream.feed(x[:400], y[:400])
        stream.snapshot()
        slept.append(stream.sleep(95))
        stream.accept(x[400:], y[400:])
    for part in ("frames", "labels", "ids"):
        assert torch.equal(getattr(slept[0], part), getattr(slept[1], part)), "other dreams are shown"
    b.sequencer.request_sleep(1000)
    while b.progress.phase is not Phase.SLEEP:
        b.step(0.1)
    os.kill(b.chain.crew.pids["layer-1"], signal.SIGKILL)
    with pytest.raises(ChainError):
        b.drain(60)
    b.start()
    b.settle()
    a.sequencer.request_sleep(1000)
    a.settle()
    assert a.chain.digests() == b.chain.digests()
    assert a.progress == b.progress
    assert a.progress.dreams > 1000
    for stream in streams:
        stream.close()


def test_either_chain_goes_on_from_the_other(tmp_path: Path) -> None:
    """A folder does not care where its layers run."""
    stream = open_stream(CONFIG, SCHEDULE, folder=tmp_path)
    stream.feed(*frames(500))
    stream.snapshot()
    stream.close()
    stream = Stream.in_process(CONFIG, SCHEDULE, folder=tmp_path)
    stream.feed(*frames(200, seed=2))
    digests, progress = stream.chain.digests(), stream.progress
    stream.close()
    stream = open_stream(CONFIG, SCHEDULE, folder=tmp_path)
    stream.settle()
    assert stream.chain.digests() == digests
    assert stream.progress.accuracy == progress.accuracy
    assert (stream.progress.frames, stream.progress.dreams) == (progress.frames, progress.dreams)
    stream.close()


def test_late_labels_and_a_restore(tmp_path: Path) -> None:
    """Frames labelled late, a snapshot restored, the folder opened again, in bfloat16: as the in-process network does."""
    config = replace(CONFIG, layer=LayerConfig(precision="bfloat16"))
    streams = [Stream.in_process(config, SCHEDULE, folder=tmp_path / "a"), open_stream(config, SCHEDULE, folder=tmp_path / "b")]
    x, y = frames(300)
    for stream in streams:
        stream.feed(x[:200])
        stream.label(np.arange(1, 151), y[:150])
        saved = stream.snapshot()
        stream.feed(x[200:], y[200:])
        stream.restore(saved)
        stream.label(np.arange(151, 201), y[150:200])
        stream.close()
    a, b = (open_stream(config, SCHEDULE, folder=tmp_path / name) for name in "ab")
    for stream in (a, b):
        stream.settle()
    assert a.chain.digests() == b.chain.digests()
    assert a.progress == b.progress
    assert (a.progress.frames, a.progress.labelled, a.progress.through) == (400, 200, 500)
    numbers = range(1, a.journal.last_frame + 1)
    assert [a.frame(number) for number in numbers] == [b.frame(number) for number in numbers]
    for stream in (a, b):
        stream.close()


@pytest.mark.parametrize(
    ("part", "sig"), [("layer-0", signal.SIGKILL), ("layer-2", signal.SIGKILL), ("dreamer", signal.SIGKILL)]
)
def test_killed_actor(tmp_path: Path, part: str, sig: signal.Signals) -> None:
    """SIGKILL in the middle of learning is noticed; a new chain replays and ends with the bits of an uninterrupted run."""
    stream = open_stream(CONFIG, SCHEDULE, folder=tmp_path / "ray", snapshot_every=20)
    stream.accept(*frames(1500))
    while stream.progress.frames < 700:
        stream.step(0.1)
    os.kill(stream.chain.crew.pids[part], sig)
    with pytest.raises(ChainError, match="died"):
        stream.drain(60)
    stream.start()
    assert stream.replaying or stream.sequencer.waiting
    assert stream.drain(60)
    assert stream.progress.frames == 1500
    assert stream.chain.digests() == expected(tmp_path / "plain", 1500)
    stream.close()


def test_fault_in_a_layer_is_told(tmp_path: Path) -> None:
    """A layer that misses a message stops, and the driver hears why."""
    stream = open_stream(CONFIG, SCHEDULE, folder=tmp_path)
    x, y = frames(25)
    stream.feed(x, y)
    ids = torch.arange(25)
    stream.chain.wake(Batch(Position(9), Polarity.POSITIVE, torch.rand(25, 64), torch.from_numpy(y), ids))
    with pytest.raises(ChainError, match=GapError.__name__):
        collections.deque(stream.chain.outcomes(0.1) for _ in range(100))
    stream.close()


def test_feeding_during_sleep(tmp_path: Path) -> None:
    """What is accepted while asleep is learned afterwards, in order; classifying goes on meanwhile."""
    stream = open_stream(CONFIG, Schedule(every=None, idle=None), folder=tmp_path)
    stream.feed(*frames(200))
    stream.sequencer.request_sleep(5000)
    stream.step()
    assert stream.progress.phase.value == "sleep"
    stream.accept(*frames(100, seed=1))
    asleep_at = stream.journal.last_seq
    version = stream.reader.seq
    assert stream.reader.classify(torch.rand(3, 64)).labels.shape == (3,)
    assert stream.drain(60)
    events = [recorded.event.kind for recorded in stream.journal.events(asleep_at - 1)]
    assert events == ["sleep", "wake", "wake", "wake", "wake"]
    assert stream.progress.dreams == 5000
    assert stream.reader.seq > version
    stream.close()


def test_memory_does_not_grow(tmp_path: Path) -> None:
    """A layer actor holds no activities: 20,000 frames later, and in a deeper net, it is as large as before."""
    sizes = {}
    for depth in (2, 5):
        config = NetworkConfig(inputs=64, classes=10, units=(100,) * depth, batch=100, memory=1000)
        stream = open_stream(config, Schedule(every=1000, idle=None), folder=tmp_path / str(depth), credits=16)
        x, y = frames(1000)
        actors = {name: psutil.Process(pid) for name, pid in stream.chain.crew.pids.items()}
        for _ in range(25):
            stream.feed(x, y)
        early = {name: actor.memory_info().rss for name, actor in actors.items()}
        for _ in range(20):
            stream.feed(x, y)
        late = {name: actor.memory_info().rss for name, actor in actors.items()}
        grown = {name: late[name] - early[name] for name in actors}
        activities = 20_000 * 2 * 100 * 4
        assert max(grown.values()) < activities / 2, f"bytes grown over 20,000 frames: {grown}"
        sizes[depth] = late["layer-1"]
        stream.close()
    assert abs(sizes[5] - sizes[2]) < 16e6, f"the second layer's size by depth: {sizes}"


def test_listens_on_loopback_only() -> None:
    """No socket of ours, Ray's included, can be reached from another machine."""
    family = {process.pid for process in psutil.Process().children(recursive=True)} | {os.getpid()}
    sockets = psutil.net_connections("inet")
    listening = {socket.laddr.ip for socket in sockets if socket.pid in family and socket.status == psutil.CONN_LISTEN}
    assert listening, "Ray listens somewhere"
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_close_leaves_no_actor(tmp_path: Path) -> None:
    stream = open_stream(CONFIG, SCHEDULE, folder=tmp_path)
    pids = set(stream.chain.crew.pids.values())
    stream.close()
    until(lambda: not pids & set(psutil.pids()), 10)


def test_a_start_that_is_called_off_leaves_no_actor_and_all_that_was_accepted(tmp_path: Path) -> None:
    class CalledOffError(Exception):
        pass

    def starting() -> None:
        raise CalledOffError

    stream = open_stream(CONFIG, SCHEDULE, folder=tmp_path, start=False, starting=starting)
    stream.accept(*frames(10))
    with pytest.raises(CalledOffError):
        stream.start()
    stream.close()
    until(lambda: not actors(), 10)
    again = open_stream(CONFIG, SCHEDULE, folder=tmp_path)
    again.settle()
    assert again.progress.frames == 10
    again.close()


@pytest.mark.parametrize("format", [torch.float32, torch.bfloat16])
def test_wire_keeps_bits(format: torch.dtype) -> None:
    """What arrives is equal, and in memory of its own."""
    batch = Batch(Position(3, 1), Polarity.NEGATIVE, torch.randn(5, 7).to(format), torch.arange(5), torch.arange(5, 10))
    packed = pack(batch)
    arrived = unpack(packed, Batch)
    assert arrived.position == batch.position
    assert arrived.frames.dtype == format
    assert torch.equal(arrived.frames, batch.frames)
    assert arrived.frames.data_ptr() != batch.frames.data_ptr()
    with pytest.raises(TypeError):
        unpack(packed, Position)
