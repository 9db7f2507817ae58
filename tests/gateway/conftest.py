"""What the tests of the gateway share: applications on folders of their own, gates in the chain, bodies of every type."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.network import Network
from ffstream.stream.events import Recorded
from ffstream_gateway.app import create_app
from ffstream_gateway.service import Service, State
from ffstream_gateway.settings import Settings
from tests.patience import until

BASE = {"chain": "in-process", "units": (40, 40), "snapshot_every": None, "every": None, "idle": None}

JSON, NDJSON, NPY = "application/json", "application/x-ndjson", "application/x-npy"


def body(kind: str, frames: Any, labels: Any = None) -> bytes:
    """Frames, and labels if there are any, as a body of the given type."""
    frames = np.asarray(frames)
    if kind == JSON:
        content = {"frames": frames.tolist()} | ({} if labels is None else {"labels": np.asarray(labels).tolist()})
        return json.dumps(content).encode()
    if kind == NDJSON:
        rows = [{"frame": frame.tolist()} for frame in frames]
        for row, label in zip(rows, [] if labels is None else labels, strict=labels is not None):
            row["label"] = int(label)
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    raw = io.BytesIO()
    for array in (frames,) if labels is None else (frames, np.asarray(labels)):
        np.save(raw, array)
    return raw.getvalue()


class Opened:
    """An application, its client and what is behind it."""

    def __init__(self, settings: Settings) -> None:
        self.app = create_app(settings)
        self.service = self.app.state.service
        self.stream = self.service.stream
        self.http = TestClient(self.app, raise_server_exceptions=False, headers={"host": "127.0.0.1"})
        self._stack = ExitStack()

    def open(self) -> "Opened":
        self._stack.enter_context(self.http)
        return self

    def close(self) -> None:
        """As when the server is told to stop."""
        self._stack.close()

    def post(self, path: str, content: Any, kind: str = JSON, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, content=content, headers={"content-type": kind, **named})

    def feed(self, frames: Any, labels: Any = None, kind: str = NPY, **headers: str) -> Any:
        return self.post("/feed", body(kind, frames, labels), kind, **headers)

    def accepted(self, frames: Any, labels: Any = None) -> Any:
        answer = self.feed(frames, labels)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def classify(self, frames: Any, kind: str = NPY, **query: Any) -> Any:
        return self.http.post("/classify", content=body(kind, frames), headers={"content-type": kind}, params=query)

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def at_rest(self) -> bool:
        stream = self.stream
        published = stream.reader.seq == stream.journal.last_seq
        looked_at = self.service.recent.seq == stream.progress.seq
        return self.service.state is State.READY and not stream.sequencer.waiting and published and stream.at_rest and looked_at

    def settle(self) -> "Opened":
        """Wait until everything accepted and requested is learned and published."""
        until(lambda: self.at_rest() or self.service.state is State.FAILED)
        assert self.service.state is not State.FAILED, self.service.error
        return self

    def events(self, kind: str | None = None) -> list[Recorded]:
        return [each for each in self.stream.journal.events(0, limit=100_000) if kind in (None, each.event.kind)]

    @property
    def kept(self) -> tuple[int, int]:
        return self.stream.journal.last_frame, self.stream.journal.last_seq

    @property
    def digests(self) -> dict[str, str]:
        return self.stream.chain.digests()


class Gate:
    """A call in the chain that waits until it is let through."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        self._open.wait(30)

    def open(self) -> None:
        self._open.set()


class Gateway:
    """Opens applications, by default on one folder, and closes them after the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr("ffstream_gateway.looks.REST", 0.0)
        self._gates: list[Gate] = []
        self._opened: list[Opened] = []

    def settings(self, **flags: Any) -> Settings:
        return Settings.load({**BASE, "folder": self.folder, **flags}, None)

    def open(self, **flags: Any) -> Opened:
        opened = Opened(self.settings(**flags)).open()
        self._opened.append(opened)
        return opened

    def hold(self, method: str) -> Gate:
        """Let the chain wait at the beginning of a method; ``__init__`` is its opening."""
        gate, original = Gate(), getattr(Network, method)
        self._gates.append(gate)

        def held(*args: Any, **options: Any) -> Any:
            gate.wait()
            return original(*args, **options)

        self._patch.setattr(Network, method, held)
        return gate

    def break_wake(self, breaks: Callable[[int], bool], *, after: bool = False) -> list[int]:
        """Let the chain fail in wake when ``breaks`` says so of the batch's first frame; gives those tried."""
        original, tried = Network.wake, []

        def wake(network: Network, batch: Any) -> None:
            tried.append(int(batch.ids[0]))
            broken = breaks(tried[-1])
            if not broken or after:
                original(network, batch)
            if broken:
                raise RuntimeError("a layer broke")

        self._patch.setattr(Network, "wake", wake)
        return tried

    def finish(self) -> None:
        for gate in self._gates:
            gate.open()
        for opened in self._opened:
            opened.close()
        self._patch.undo()


@pytest.fixture(autouse=True, scope="module")
def clean(no_settings: None) -> None:
    """No settings from outside."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path / "data")
    yield gateway
    gateway.finish()


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[State]:
    """Every state that any service is put in."""
    seen: list[State] = []

    def put(service: Service, name: str, value: Any) -> None:
        if name == "state" and (not seen or seen[-1] is not value):
            seen.append(value)
        object.__setattr__(service, name, value)

    monkeypatch.setattr(Service, "__setattr__", put, raising=False)
    return seen


@pytest.fixture(scope="module")
def shared(clean: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """One application for tests that leave nothing behind in it."""
    gateway = Gateway(tmp_path_factory.mktemp("shared") / "data")
    yield gateway.open(max_body=200_000).settle()
    gateway.finish()


@pytest.fixture(scope="session")
def frames(digits: Any) -> tuple[Any, Any]:
    """Digits with their labels, in an order of no meaning."""
    order = digits.order(1, seed=1)
    return digits.x[order], digits.y[order]


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    return body


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    return until


@pytest.fixture(scope="session")
def refused() -> Callable[..., dict[str, Any]]:
    """Checks that an answer is a problem of the given status and kind; gives its members."""

    def check(answer: Any, status: int, kind: str | None = None, place: str | None = None) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == status
        assert problem["type"].startswith("urn:ffstream:problem:")
        assert problem["title"]
        assert problem["detail"]
        assert kind is None or problem["type"] == f"urn:ffstream:problem:{kind}"
        assert place is None or problem.get("place") == place
        return problem

    return check


@pytest.fixture(scope="session")
def undisturbed() -> Callable[..., dict[str, str]]:
    """Digests after learning frames in one go, in a plain stream."""

    def learn(config: NetworkConfig, schedule: Schedule, x: Any, y: Any) -> dict[str, str]:
        stream = Stream.in_process(config, schedule)
        stream.feed(x, y)
        digests = stream.chain.digests()
        stream.close()
        return digests

    return learn
