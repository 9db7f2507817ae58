"""Clients that vanish or say nothing, against a real server: everybody else is served as before."""

import resource
import socket
import struct
from contextlib import ExitStack
from urllib.parse import urlsplit

import numpy as np
import pytest

from ffstream.datasets import load
from ffstream_gateway.client import Client, npy
from tests.cli.test_serve import FLAGS, interrupt, url
from tests.cli.test_serve_ray import learned

SILENT = 1000
FEW_FILES = 256
"""Connections that say nothing, and files that a shell lets its programs have open at first."""


@pytest.fixture
def serving(ffstream):
    """A service started where few files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, hard))
    try:
        run = ffstream(*FLAGS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * SILENT)), hard))
    with Client(url(run)) as client:
        client.ready(30)
        yield run, client
    interrupt(run)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(run):
    where = urlsplit(url(run))
    return socket.create_connection((where.hostname, where.port), timeout=30)


def vanish(connection):
    """Close without a good-bye: the other side is told that the connection is broken."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_clients_that_die_in_the_middle_of_a_body(serving):
    run, client = serving
    data = load("digits")
    body = npy(data.x[:200]) + npy(data.y[:200])
    head = f"POST /feed HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for share in np.linspace(0, 0.99, 30):
        connection = connect(run)
        connection.sendall(head + body[: int(share * len(body))])
        vanish(connection)
        client.feed(data.x[:5], data.y[:5])
    assert learned(client, 150)["accepted"] == 150, "of half a body nothing is kept"
    assert "Traceback" not in run.complained


def test_clients_that_say_nothing(serving):
    run, client = serving
    data = load("digits")
    with ExitStack() as silent:
        for number in range(SILENT):
            connection = silent.enter_context(connect(run))
            if number % 2:
                connection.sendall(b"POST /feed HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n")
        with Client(client.url) as late:
            late.feed(data.x[:200], data.y[:200])
            assert learned(late, 200)["accepted"] == 200
            assert len(late.classify(data.x_held[:50])["labels"]) == 50
    assert client.status()["accepted"] == 200
