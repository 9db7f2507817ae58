"""Clients that vanish or say nothing, against a real server: everybody else is served as before."""

import json
import resource
import socket
import struct
import threading
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect as connect_socket

from ffstream.client import Client
from ffstream.client.calls import npy
from ffstream.datasets import load
from tests.cli.test_serve import FLAGS, interrupt, url
from tests.cli.test_serve_ray import learned

SILENT = 1000
FEW_FILES = 256
"""Connections that say nothing, and files that a shell lets its programs have open at first."""

PATIENCE = 60
MOST = 64 << 20
"""Seconds for which a client would send on without reading, and bytes by which the service may grow meanwhile."""

FLOODS = {
    "messages": (Frame(Opcode.TEXT, json.dumps({"x" * 60_000: 1}).encode()), 1, 0.005),
    "messages at once": (Frame(Opcode.TEXT, b"{}"), 100, 0.0),
    "empty pieces of one message": (Frame(Opcode.CONT, b"", fin=False), 1000, 0.0),
    "pings": (Frame(Opcode.PING, b"x" * 125), 500, 0.0),
}
"""What a client sends that reads no answer, how much of it at a time, and the seconds in between."""


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


def connect_deaf(run):
    """A WebSocket by hand, with little room for what comes in."""
    connection = connect(run)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = "GET /feed HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    connection.sendall(f"{head}Sec-WebSocket-Key: {'x' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    assert b" 101 " in connection.recv(4096)
    return connection


def vanish(connection):
    """Close without a good-bye: the other side is told that the connection is broken."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_clients_that_die_in_the_middle_of_a_body(serving):
    run, client = serving
    data = load("digits")
    body = npy(data.x[:200]) + npy(data.y[:200])
    of_it = f"Content-Type: application/x-npy\r\nContent-Length: {len(body)}"
    head = f"POST /feed HTTP/1.1\r\nHost: 127.0.0.1\r\n{of_it}\r\n\r\n".encode()
    for share in np.linspace(0, 0.99, 30):
        connection = connect(run)
        connection.sendall(head + body[: int(share * len(body))])
        vanish(connection)
        client.feed(data.x[:5], data.y[:5])
    assert learned(client, 150).accepted == 150, "of half a body nothing is kept"
    assert "Traceback" not in run.complained


def test_clients_that_leave_before_their_answer(serving):
    run, client = serving
    message = Frame(Opcode.TEXT, json.dumps({"frame": [0.5] * 64}).encode()).serialize(mask=True)
    goodbye = Frame(Opcode.CLOSE, struct.pack("!H", 1000)).serialize(mask=True)
    for number in range(60):
        connection = connect_deaf(run)
        connection.sendall(message * 3 + (goodbye if number % 2 else b""))
        time.sleep(0.001 * (number % 5))
        vanish(connection)
    client.feed([[0.5] * 64])
    accepted = client.status().accepted
    assert learned(client, accepted).accepted <= 181
    assert "Traceback" not in run.complained


def test_clients_that_say_nothing(serving):
    run, client = serving
    data = load("digits")
    with ExitStack() as silent:
        for number in range(SILENT):
            connection = silent.enter_context(connect(run))
            if number % 2:
                connection.sendall(b"POST /feed HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n")
        with Client(client.url) as late:
            late.feed(data.x[:200], data.y[:200])
            assert learned(late, 200).accepted == 200
            assert len(late.classify(data.x_held[:50]).labels) == 50
    assert client.status().accepted == 200


@pytest.mark.parametrize("flood", FLOODS)
def test_clients_that_send_and_never_read(serving, flood):
    run, client = serving
    data = load("digits")
    frame, times, pause = FLOODS[flood]
    some = frame.serialize(mask=True) * times
    memory, sizes = psutil.Process(run.popen.pid).memory_info, []
    over, broken = threading.Event(), []

    def send_on():
        end = time.monotonic() + PATIENCE
        try:
            with connect_deaf(run) as connection:
                if frame.opcode is Opcode.CONT:
                    connection.sendall(Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True))
                while time.monotonic() < end:
                    connection.sendall(some)
                    time.sleep(pause)
        except ConnectionError as error:
            broken.append(error)
        finally:
            over.set()

    with connect_socket(f"ws{client.url.removeprefix('http')}/feed", proxy=None) as kind:
        assert json.loads(kind.recv(30))["credits"] > 0
        client.feed(data.x[:200], data.y[:200])
        learned(client, 200)
        last = 200
        sizes.append(memory().rss)
        sending = threading.Thread(target=send_on)
        sending.start()
        while not over.wait(0.05):
            kind.send(npy(data.x[:5]) + npy(data.y[:5]))
            answer = json.loads(kind.recv(30))
            assert (answer["first"], answer["last"]) == (last + 1, last + 5)
            assert len(client.classify(data.x_held[:5]).labels) == 5
            last += 5
            sizes.append(memory().rss)
        sending.join()
    assert broken, "the service breaks the connection"
    assert max(sizes) < sizes[0] + MOST
    assert learned(client, last).accepted == last
    assert "Traceback" not in run.complained
