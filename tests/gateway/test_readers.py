"""Readers: processes that answer /classify as the gateway would, are killed, stopped, and replaced, and nobody notices."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from ffstream import NetworkConfig, Schedule, Stream, VideoConfig
from ffstream.classify import Method, Reader
from ffstream_gateway import versions
from ffstream_gateway.classifying import Question, answer
from tests.gateway.conftest import JSON, NDJSON, NPY, Gateway, Opened
from tests.patience import until

TWO = 2


def all_ready(opened: Opened) -> list[int]:
    readers = opened.service.readers
    until(lambda: len(readers.ready) == TWO, 60)
    return [slot.pid for slot in readers.ready]


@pytest.fixture(scope="module")
def read(clean: None, tmp_path_factory: pytest.TempPathFactory, frames: Any) -> Iterator[Opened]:
    """A service with two readers that has learned."""
    gateway = Gateway(tmp_path_factory.mktemp("read") / "data")
    opened = gateway.open(readers=TWO)
    opened.accepted(frames[0][:300], frames[1][:300])
    opened.settle()
    all_ready(opened)
    yield opened
    gateway.finish()


def newest(opened: Opened) -> None:
    """Both readers have the newest weights."""
    seq = opened.stream.reader.seq
    slots = opened.service.readers.ready
    until(lambda: all(slot._sent is opened.stream.reader for slot in slots))
    until(lambda: all(opened.classify(np.zeros((1, 64))).json()["seq"] == seq for _ in slots))


@pytest.fixture
def unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway itself does not answer."""
    monkeypatch.setattr("ffstream_gateway.routes.answer", None)


@pytest.mark.usefixtures("unanswered")
@pytest.mark.parametrize("kind", [JSON, NDJSON, NPY])
@pytest.mark.parametrize("method", [None, *Method])
def test_the_gateways_answers(read: Opened, frames: Any, encode: Any, kind: str, method: Method | None) -> None:
    """To the bit, whatever the method and the form of the question."""
    newest(read)
    asked = {} if method is None else {"method": method.value}
    found = read.classify(frames[0][:7], kind, **asked)
    own = answer(read.stream.reader, Question(kind, method and method.value, 3), encode(kind, frames[0][:7]))
    assert (found.status_code, found.content) == (200, own)
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-request-id"]


@pytest.mark.usefixtures("unanswered")
def test_the_gateways_refusals(read: Opened, refused: Any) -> None:
    refused(read.classify(np.zeros((2, 63))), 422, "shape")
    refused(read.post("/classify", b"{", JSON), 422, "json")
    refused(read.post("/classify", b"x", "image/tiff"), 415)
    refused(read.classify(np.zeros((1, 64)), method="guess"), 422, "invalid")
    refused(read.http.post("/classify", content=b"", headers={"content-length": str(1 << 40)}), 413)


def test_readers_follow_what_is_learned(read: Opened, frames: Any, encode: Any) -> None:
    before = read.stream.reader.seq
    read.accepted(frames[0][300:400], frames[1][300:400])
    read.settle()
    assert read.stream.reader.seq > before
    newest(read)
    own = answer(read.stream.reader, Question(NPY, None, 3), encode(NPY, frames[0][:20]))
    assert read.classify(frames[0][:20]).content == own


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
def test_a_reader_is_lost_and_no_question(read: Opened, frames: Any, sent: signal.Signals) -> None:
    """Questions that were under way in it are answered all the same, and another takes its place."""
    pids, restarts = all_ready(read), read.service.readers.restarts
    over, statuses = threading.Event(), []

    def ask() -> None:
        while not over.is_set():
            statuses.append(read.classify(frames[0][:50]).status_code)

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for each in asking:
        each.start()
    until(lambda: len(statuses) > 10)
    os.kill(pids[0], sent)
    until(lambda: read.service.readers.restarts > restarts)
    assert pids[0] not in all_ready(read)
    over.set()
    for each in asking:
        each.join()
    assert set(statuses) == {200}
    assert f"ffstream_reader_restarts_total {restarts + 1}" in read.http.get("/metrics").text
    assert f"ffstream_readers {TWO}.0" in read.http.get("/metrics").text


def test_without_any_reader_the_gateway_answers(read: Opened, frames: Any) -> None:
    for pid in all_ready(read):
        os.kill(pid, signal.SIGKILL)
    for _ in range(5):
        assert read.classify(frames[0][:5]).status_code == 200


def test_none_is_left_behind(gateway: Gateway) -> None:
    """Neither when the service stops before they have begun."""
    opened = gateway.open(readers=TWO)
    slots = until(lambda: opened.service.readers._slots[:])
    pids = [slot.pid for slot in slots]
    opened.close()
    assert not any(map(psutil.pid_exists, pids))
    assert opened.service.readers.ready == []


NETWORKS = [
    NetworkConfig(4, 3, (8, 6), batch=4),
    NetworkConfig(4, 3, (8, 6), batch=4, standardize=True),
    NetworkConfig(8, 3, (8, 6), batch=4, video=VideoConfig(4, 4, read=(1, 4)), label_strength=1.5),
]


@pytest.mark.parametrize("config", NETWORKS)
@pytest.mark.parametrize("rows", [0, 40])
def test_a_version_is_shared_as_it_is(config: NetworkConfig, rows: int) -> None:
    stream = Stream.in_process(config, Schedule(every=None, idle=None))
    x = torch.rand(40, config.inputs).numpy()
    if rows:
        stream.feed(x, np.arange(40) % 3)
    shared = versions.write(stream.reader)
    with pytest.raises(PermissionError):
        os.pwrite(shared, b"x", 0)
    found: Reader = versions.read(shared)
    os.close(shared)
    assert (found.seq, found.config, found.cold) == (stream.reader.seq, config, not rows)
    for one, other in zip(found.stages, stream.reader.stages, strict=True):
        assert all(map(torch.equal, one.tensors().values(), other.tensors().values()))
    for method in Method:
        assert torch.equal(found.classify(torch.from_numpy(x), method).scores, stream.classify(x, method).scores)
    stream.close()
