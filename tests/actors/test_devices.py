"""Actors whose layers are on GPUs, which are pretended (``tests/pretended.py``): what they hand on, and who gets to see it."""

import pickle
import re
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import torch
from torch import Tensor

from ffstream import NetworkConfig, Polarity, VideoConfig
from ffstream.actors import Placement, open_stream, wire
from ffstream.actors.crew import Crew
from ffstream.actors.layer_actor import LayerActor, Publication
from ffstream.actors.part import Guard
from ffstream.actors.tick_actor import TickActor
from ffstream.actors.wire import Packed, pack, unpack
from ffstream.checks.samples import blobs
from ffstream.devices import Devices
from ffstream.errors import ChainError, ConfigError
from ffstream.frames import to_tensor
from ffstream.message import Batch, Message, Position
from ffstream.stream.events import Barrier, Recorded
from ffstream.stream.sqlite_journal import SqliteJournal
from tests.pretended import Pretended, gpus, held, on, place

NETWORK = NetworkConfig(inputs=12, classes=4, units=(20, 16, 10), batch=10)
KINDS = {"feed-forward": NETWORK, "recurrent": replace(NETWORK, video=VideoConfig(ticks=2, read=(1, 2)))}


class Post:
    """Brings calls to actors, one after another, as what arrives of them in another process."""

    def __init__(self) -> None:
        self.sent: deque[tuple[Callable[..., None], bytes]] = deque()

    def to(self, of: Any) -> Any:
        """A handle of an actor."""

        class Handle:
            actor = of

            def __getattr__(handle, name: str) -> Any:  # noqa: N805
                method = getattr(of, name)
                return SimpleNamespace(remote=lambda *sent: self.sent.append((method, pickle.dumps(sent))))

        return Handle()

    def deliver(self) -> None:
        while self.sent:
            method, arguments = self.sent.popleft()
            method(*pickle.loads(arguments))


class End:
    """Above the last layer, in host memory."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.files: dict[str, str] = {}

    def learn(self, epoch: int, *bundle: Packed) -> None:
        self.messages += [unpack(packed, Message) for packed in bundle]

    def mark(self, epoch: int, recorded: Recorded, asked: Publication | None) -> None:
        self.asked = asked

    def saved(self, epoch: int, seq: int, part: str, sha256: str) -> None:
        self.files[part] = sha256


@pytest.fixture
def loans(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What was lent. As in another process, it arrives as another tensor on the same GPU, which may not be lent again."""
    lent: list[Tensor] = []
    ARRIVED.clear()

    def reduce_tensor(tensor: Tensor) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        assert place(tensor).type == "cuda"
        assert not any(tensor is each for each in ARRIVED), "it belongs to another process"
        lent.append(tensor)
        return _arrived, (place(tensor).index, held(tensor))

    monkeypatch.setattr(wire, "reduce_tensor", reduce_tensor)
    monkeypatch.setattr(Guard, "lends", lambda _, *others: not any(isinstance(each.actor, End) for each in others))
    monkeypatch.setattr(ray, "put", lambda arrays: pickle.loads(pickle.dumps(arrays)))
    monkeypatch.setattr("ffstream.actors.layer_actor.lender", lambda _: None)
    return lent


ARRIVED: list[Tensor] = []


def _arrived(index: int, tensor: Tensor) -> Tensor:
    ARRIVED.append(on(torch.device("cuda", index), tensor.clone()))
    return ARRIVED[-1]


def lived(config: NetworkConfig, snapshots: Path, devices: Devices) -> tuple[list[str], End]:
    """A chain of actors in this process, awake and asleep, and a snapshot with published weights."""
    end, post = End(), Post()
    kind: Any = TickActor if config.video else LayerActor
    layers = [kind(config, index, snapshots, devices) for index in range(config.depth)]
    row = [None, *map(post.to, layers), post.to(end)]
    for below, layer, above in zip(row, layers, row[2:], strict=False):
        layer.open(1, *((below, above) if config.video else (above,)), post.to(end), None)
    x, y = blobs(20, config.inputs, config.classes)
    x, y, ids = to_tensor(x), torch.from_numpy(y), torch.arange(10)
    wake = Batch(Position(1), Polarity.POSITIVE, x[:10], y[:10], ids)
    dream = Batch(Position(1, 1), Polarity.NEGATIVE, x[10:], (y[10:] + 1) % config.classes, ids)
    first = post.to(layers[0])
    first.enter.remote(1, pack(wake), pack(dream))
    first.mark.remote(1, Recorded(2, Barrier("test"), 0.0), None if config.video else Publication(2))
    post.deliver()
    for layer in layers:
        layer.saver.waiting.join()
    post.deliver()
    return [layer.digest() for layer in layers], end


@pytest.mark.parametrize("kind", KINDS)
def test_actors_on_a_gpu_are_the_actors(kind: str, loans: list[Tensor], tmp_path: Path) -> None:
    """And what they hand to each other is lent; what they hand to others is in host memory."""
    config = KINDS[kind]
    digests, end = lived(config, tmp_path / "processor", {})
    assert not loans
    with gpus(1):
        found, end_found = lived(config, tmp_path / "gpu", {"layers": "cuda"})
    assert found == digests
    if end.asked is not None and end_found.asked is not None:
        assert pickle.dumps(end_found.asked) == pickle.dumps(end.asked)
    assert end_found.files == end.files
    assert len(end.files) == config.depth
    for message, expected in zip(end_found.messages, end.messages, strict=True):
        assert type(message.prediction) is Tensor
        assert torch.equal(message.prediction, expected.prediction)
        assert message.reports == expected.reports
    assert {tensor.dtype for tensor in loans} == {torch.float32}, "labels and numbers stay in host memory"


def test_neighbours_on_other_gpus_get_numbers() -> None:
    """And neighbours on the same one what they then have for themselves."""
    rows, numbers, logits = torch.ones(2, 3), torch.arange(2), torch.ones(2, 4)
    message = Message(Position(1), Polarity.POSITIVE, rows, 0, numbers, numbers, logits, logits)
    with gpus(1):
        there = message.to(torch.device("cuda:0"))
        assert type(there.logits) is Pretended
        assert torch.equal(unpack(pack(there), Message).logits, message.logits)
        arrived = Packed(Message, vars(there))
        assert arrived.values["logits"] is not unpack(arrived, Message).logits


def test_gpus_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"device of layer-0: got cuda, but .* is 0"):
        open_stream(NETWORK, folder=tmp_path / "new", placement=Placement(devices={"layers": "cuda"}))
    assert not list(tmp_path.iterdir()), "nothing was begun"


@pytest.mark.usefixtures("ray_runs")
def test_an_actor_without_its_gpu_says_so(tmp_path: Path) -> None:
    config = NetworkConfig(4, 2, (8,))
    journal = SqliteJournal(tmp_path / "journal.sqlite", 4)
    crew = Crew(config, journal.path, tmp_path / "snapshots", devices={"layer-0": "cuda:1"})
    try:
        with pytest.raises(ChainError) as failed:
            crew.assemble(None)
    finally:
        crew.close()
        journal.close()
    assert re.fullmatch("layer-0 on node .*: ConfigError: device of layer-0: got cuda:1, but .* is 0", str(failed.value))
