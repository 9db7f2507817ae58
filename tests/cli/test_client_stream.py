"""Both clients against a real service, also through a connection that breaks after the service has accepted."""

import asyncio
import socket
import threading
from contextlib import suppress

import numpy as np
import pytest

from ffstream.client import AnswerError, AsyncClient, Client, ClientError, RefusedError, UnreachableError
from ffstream.datasets import load
from ffstream_gateway.child import Child
from tests.cli.test_serve import FLAGS, interrupt, rest, url

HELLO = 400
"""Bytes of answers on a WebSocket, at least those of the handshake and of the first acknowledgement."""


class Proxy:
    """Passes bytes between clients and a service; of each connection's answers only so many, then both ends are closed.

    Args:
        port: of the service.
        limits: bytes of answers that get through, connection after connection; None, and after the last one, all of them.
    """

    def __init__(self, port, limits):
        self._port, self._limits = port, iter(limits)
        self.cut = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def _listen(self):
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                thread = threading.Thread(target=self._between, args=(near, next(self._limits, None)))
                thread.start()
                self._threads.append(thread)

    def _between(self, near, limit):
        with near, socket.create_connection(("127.0.0.1", self._port)) as far:
            asking = threading.Thread(target=self._pass, args=(near, far, None))
            asking.start()
            self._pass(far, near, limit)
            asking.join()

    def _pass(self, source, target, limit):
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if limit is not None and passed > limit:
                    self.cut += 1
                    break
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listening.close()


@pytest.fixture
def through():
    """Puts a proxy before a service."""
    proxies = []

    def put(client, *limits):
        proxies.append(Proxy(int(client.url.rsplit(":", 1)[1]), limits))
        return proxies[-1]

    yield put
    for proxy in proxies:
        proxy.close()


def served(*flags):
    """A client of a service that learns, and nothing else."""
    common = ("--chain", "in-process", "--every", "never", "--idle", "never")
    with Child([*common, *map(str, flags)]) as child, Client(child.url()) as client:
        client.ready(60)
        yield client


@pytest.fixture(scope="module")
def service():
    yield from served("--units", "50,50", "--max-body", 200_000)


@pytest.fixture(scope="module")
def busy(data):
    """A service for which few frames may wait."""
    yield from served("--units", "100,100", "--backlog", 400)


@pytest.fixture(scope="module")
def cinema():
    """A service that takes clips."""
    yield from served("--clip", 2, "--inputs", 4, "--classes", 3, "--units", "20,20")


@pytest.fixture
def accepted(service):
    """How many frames the service had accepted before the test."""
    return service.status().accepted


def waiting(address, chunks, learn="gradient", **options):
    """Acknowledgements of chunks, by the client that waits."""
    with Client(address, **options) as client, client.stream(learn=learn) as stream:
        return list(stream.feed_all(chunks))


def awaited(address, chunks, learn="gradient", **options):
    """Acknowledgements of chunks, by the client that is awaited, from an asynchronous iterator."""

    async def coming():
        for chunk in chunks:
            await asyncio.sleep(0)
            yield chunk

    async def acknowledged():
        async with AsyncClient(address, **options) as client, client.stream(learn=learn) as stream:
            return [each async for each in stream.feed_all(coming())]

    return asyncio.run(acknowledged())


both = pytest.mark.parametrize("feed_all", [waiting, awaited])


@pytest.fixture(scope="module")
def data():
    return load("digits")


def chunks_of(data, sizes):
    """Chunks of these sizes, one after the other."""
    ends = np.cumsum(sizes)
    return [(data.x[end - size : end], data.y[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def require_learned_once(client, before, acknowledged, chunks):
    """Every chunk was accepted once, in its place, and is what it was."""
    sizes = [len(x) for x, _ in chunks]
    assert [each.frames for each in acknowledged] == sizes
    assert [each.last for each in acknowledged] == (before + np.cumsum(sizes)).tolist()
    rest(client)
    status = client.status()
    assert status.accepted == status.frames == before + sum(sizes)
    for (_, labels), each in zip(chunks, acknowledged, strict=True):
        assert client.frame(each.first).label == labels[0]


@both
def test_chunks_are_acknowledged_in_their_order(service, accepted, data, feed_all):
    chunks = chunks_of(data, [1, 7, 3, 20, 5] * 20)
    acknowledged = feed_all(service.url, chunks)
    require_learned_once(service, accepted, acknowledged, chunks)
    assert not any(each.repeated for each in acknowledged)


@both
def test_in_one_step_each(service, data, feed_all):
    """Every frame is then an event of its own."""
    rest(service)
    before = service.status().seq
    feed_all(service.url, chunks_of(data, [3, 4]), learn="exact")
    rest(service)
    assert service.status().seq - before == 7


@both
def test_after_a_break_nothing_is_learned_twice(service, accepted, through, data, feed_all):
    """The service accepts, and its acknowledgements are lost: first some, then all, then not even the handshake is whole."""
    chunks = chunks_of(data, [1, 7, 3, 20, 5] * 20)
    proxy = through(service, 3 * HELLO, HELLO, 50, 10 * HELLO)
    acknowledged = feed_all(proxy.url, chunks, patience=30.0)
    assert proxy.cut == 4
    require_learned_once(service, accepted, acknowledged, chunks)
    assert any(each.repeated for each in acknowledged), "some were accepted when the connection broke"


def test_a_request_that_is_not_answered_is_learned_once(service, accepted, through, data):
    proxy = through(service, 0, 0)
    with Client(proxy.url) as client:
        assert client.feed(data.x[:10], data.y[:10]).repeated
    assert proxy.cut == 2
    assert service.status().accepted == accepted + 10


async def feed_alone(address, data):
    async with AsyncClient(address) as client:
        return await client.feed(data.x[:10], data.y[:10])


def test_an_awaited_request_that_is_not_answered_is_learned_once(service, accepted, through, data):
    proxy = through(service, 0, 0)
    assert asyncio.run(feed_alone(proxy.url, data)).repeated
    assert proxy.cut == 2
    assert service.status().accepted == accepted + 10


@both
def test_what_too_many_wait_for_is_waited_for(busy, data, feed_all):
    """More than may wait: some is refused for now, and may then be learned after what was under way behind it."""
    busy.feed(data.x[:100], data.y[:100])
    rest(busy)  # it knows now how fast it learns, and so how long to wait
    before = busy.status().accepted
    acknowledged = feed_all(busy.url, chunks_of(data, [90] * 15))
    numbers = [number for each in acknowledged for number in range(each.first, each.last + 1)]
    assert [each.frames for each in acknowledged] == [90] * 15
    assert sorted(numbers) == list(range(before + 1, before + 1 + 90 * 15))
    rest(busy)
    assert busy.status().accepted == before + 90 * 15


@both
def test_a_refused_chunk_ends_it(service, accepted, data, feed_all):
    chunks = [*chunks_of(data, [5, 5]), (data.x[:3, :10], data.y[:3])]
    with pytest.raises(RefusedError, match=r"frames: got shape \[3, 10\], expected \[n, 64\]"):
        feed_all(service.url, chunks)
    assert service.status().accepted == accepted + 10


@both
def test_a_chunk_that_is_too_large_is_not_sent_for_ever(service, data, feed_all):
    with pytest.raises(ClientError, match=r"has ended the conversation: .*200000 bytes.*\[WebSocket 1009\]"):
        feed_all(service.url, [(np.zeros((1000, 64)), None)])


@both
def test_nobody_and_strangers_are_named(server, data, feed_all):
    with pytest.raises(UnreachableError, match="does `ffstream serve` run there"):
        feed_all("http://127.0.0.1:9", [(data.x[:1], None)], patience=0.5)
    server.answer(b"<h1>It works!</h1>", 404)
    with pytest.raises(AnswerError, match="takes no WebSocket"):
        feed_all(server.url, [(data.x[:1], None)])


def test_an_error_of_the_frames_is_their_own(service, data):
    def broken():
        yield data.x[:2], data.y[:2]
        raise ConnectionError("the camera is gone")

    with Client(service.url) as client, client.stream() as stream, pytest.raises(ConnectionError, match="camera"):
        list(stream.feed_all(broken()))


def test_a_stream_with_a_key_of_its_own_may_begin_again(service, accepted, data):
    chunks = chunks_of(data, [4, 3, 2])
    for repeated in (False, True):
        with Client(service.url) as client, client.stream(key="monday") as stream:
            acknowledged = list(stream.feed_all(chunks))
        assert [each.last - accepted for each in acknowledged] == [4, 7, 9]
        assert [each.repeated for each in acknowledged] == [repeated] * 3
    assert service.status().accepted == accepted + 9


@both
def test_a_service_that_is_killed_and_started_again_learns_the_rest_and_nothing_twice(ffstream, data, feed_all):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = [*FLAGS[:3], "--port", port, *FLAGS[5:], "--every", "never", "--idle", "never"]
    runs = [ffstream(*flags)]
    url(runs[0])

    def coming():
        for number, chunk in enumerate(chunks):
            if number == 20:
                runs[0].popen.kill()
                runs[0].popen.wait()
                runs.append(ffstream(*flags))
            yield chunk

    chunks = chunks_of(data, [5, 9] * 20)
    acknowledged = feed_all(f"http://127.0.0.1:{port}", coming(), patience=60.0)
    with Client(f"http://127.0.0.1:{port}") as client:
        require_learned_once(client, 0, acknowledged, chunks)
    interrupt(runs[1])


async def see_all(address, pictures):
    async with AsyncClient(address) as client, client.watch() as watcher:
        return watcher.clips, [await watcher.see(*each) for each in pictures]


def test_a_clip_is_watched_and_learned(cinema):
    pictures = [([0.5] * 4,), (np.full(4, 255, np.uint8), 2, True)]
    with cinema.watch() as watcher:
        clips, seen = watcher.clips, [watcher.see(*each) for each in pictures]
        with pytest.raises(RefusedError, match=r"expected \[n, 4\]"):
            watcher.see([0.5] * 3)
    other_clips, others = asyncio.run(see_all(cinema.url, pictures))
    assert (clips.pixels, clips.clip) == (other_clips.pixels, other_clips.clip) == (4, 2)
    assert [each.tick for each in seen] == [each.tick for each in others] == [1, 2]
    assert seen[0].scores.shape == (3,)
    assert seen[0].accepted is None
    assert (seen[1].accepted.last, others[1].accepted.last) == (1, 2)
    rest(cinema)
    assert cinema.frame(1).label == cinema.frame(2).label == 2


def test_a_service_without_clips_says_so(service):
    with pytest.raises(ClientError, match=r"takes no clips.*\[WebSocket 1008\]"), service.watch():
        pass
