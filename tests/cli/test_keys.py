"""Keys from the command line, and what they let a real service be asked."""

import asyncio
import json
import socket
from urllib.parse import urlsplit

import numpy as np
import pytest

from ffstream.client import AsyncClient, Client, ClientError, RefusedError
from tests.cli.test_serve import FLAGS, interrupt, url


def made(ffstream, *arguments):
    run = ffstream("keys", "add", *arguments)
    assert run.wait() == 0, run.complained
    return run.said.strip()


def test_without_a_key_it_listens_on_loopback_only(ffstream):
    refused = ffstream(*FLAGS, "--host", "0.0.0.0")
    assert refused.wait() == 2
    assert refused.complained.count("\n") == 1
    assert "ffstream keys add NAME --scope feed --scope classify --file " in refused.complained
    made(ffstream, "someone", "--scope", "feed", "--scope", "classify")
    serving = ffstream(*FLAGS, "--host", "0.0.0.0")
    port = url(serving).rsplit(":", 1)[1]
    with Client(f"http://127.0.0.1:{port}") as client, pytest.raises(RefusedError, match="HTTP 401"):
        client.status()
    interrupt(serving)


def test_headers_have_an_end(ffstream):
    serving = ffstream(*FLAGS)
    where = urlsplit(url(serving))
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
    with Client(url(serving)) as client:
        assert client.status().accepted == 0
    interrupt(serving)


def test_names_scopes_and_rates(ffstream):
    key = made(ffstream, "laptop", "--scope", "feed", "--scope", "classify", "--rate", "100/second")
    assert key.startswith("ffs_laptop_")
    listed = ffstream("keys", "list")
    assert listed.wait() == 0
    assert listed.said.split()[:4] == ["laptop", "feed,", "classify", "100/second"]
    assert key not in listed.said
    for wrong in (["laptop", "--scope", "feed"], ["x", "--scope", "all"], ["x", "--scope", "feed", "--rate", "fast"], ["x"]):
        run = ffstream("keys", "add", *wrong)
        assert run.wait() != 0
        assert run.complained.count("\n") == 1, run.complained
    gone = ffstream("keys", "remove", "laptop")
    assert gone.wait() == 0
    assert "no key is left" in gone.complained
    assert ffstream("keys", "remove", "laptop").wait() == 1


def test_clients_and_commands_take_a_key(ffstream, monkeypatch):
    feeding, asking = made(ffstream, "one", "--scope", "feed"), made(ffstream, "two", "--scope", "classify")
    serving = ffstream(*FLAGS)
    where, frames = url(serving), np.ones((3, 64))
    with Client(where, key=feeding) as client:
        client.ready(30)
        assert client.feed(frames, [1, 1, 1]).last == 3
        with client.stream() as stream:
            assert [each.last for each in stream.feed_all([(frames, [1, 1, 1])])] == [6]
        with pytest.raises(RefusedError, match="key one: got feed, expected classify or admin"):
            client.classify(frames)
    for key, status in ((None, 401), (asking, 403)):
        with Client(where, key=key, patience=0.1) as client, client.stream() as stream:
            with pytest.raises(RefusedError) as refused:
                list(stream.feed_all([(frames, None)]))
            assert refused.value.status == status
    asyncio.run(awaited(where, feeding, asking))
    assert ffstream("status", "--url", where, "--json").wait() == 1
    status = ffstream("status", "--url", where, "--json", "--key", asking)
    assert status.wait() == 0, status.complained
    assert json.loads(status.said)["accepted"] == 9
    monkeypatch.setenv("FFSTREAM_KEY", feeding)
    frame = ffstream("frame", 1, "--url", where)
    assert frame.wait() == 0, frame.complained
    refused = ffstream("sleep", "--url", where)
    assert refused.wait() == 1
    assert refused.complained == "ffstream: key one: got feed, expected admin (at Authorization) [HTTP 403]\n"
    interrupt(serving)


async def awaited(where, feeding, asking):
    frames = np.ones((3, 64))
    async with AsyncClient(where, key=feeding) as client, client.stream() as stream:
        assert [each.last async for each in stream.feed_all([(frames, None)])] == [9]
    async with AsyncClient(where, key=asking, patience=0.1) as client:
        assert len((await client.classify(frames)).labels) == 3
        async with client.stream() as stream:
            with pytest.raises(RefusedError, match="HTTP 403"):
                _ = [each async for each in stream.feed_all([(frames, None)])]


@pytest.mark.parametrize("key", ["", "two words", "line\n", "\u00e9"])
def test_a_key_that_no_header_can_hold(key):
    with pytest.raises(ClientError, match="key"):
        Client(key=key)
