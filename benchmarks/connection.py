"""What load is made with: connections that cost next to nothing, so that the server is measured and not its client."""

import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

PATIENCE = 120.0
"""Seconds for one answer."""

RECEIVED_AT_ONCE = 1 << 16


def request(verb: str, path: str, body: bytes = b"", kind: str = "application/x-npy") -> bytes:
    """A whole HTTP request, ready to be sent as often as one likes."""
    head = f"{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Connection:
    """One connection that is kept open; a request is bytes made before, an answer is looked at no further than needed.

    Args:
        url: of the service.

    Raises:
        OSError: when nobody listens there.
    """

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        assert where.hostname is not None, f"{url} names no host"
        self._socket = socket.create_connection((where.hostname, where.port or 80), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()

    def ask(self, whole: bytes) -> tuple[int, bytes]:
        """Send a request; the status and the body of its answer.

        Raises:
            OSError: when the connection breaks.
        """
        self._socket.sendall(whole)
        head, _, body = self._receive(b"", b"\r\n\r\n").partition(b"\r\n\r\n")
        length = _length(head)
        while len(body) < length:
            body += self._more()
        return int(head.split(b" ", 2)[1]), body

    def _receive(self, got: bytes, end: bytes) -> bytes:
        while end not in got:
            got += self._more()
        return got

    def _more(self) -> bytes:
        more = self._socket.recv(RECEIVED_AT_ONCE)
        if not more:
            raise ConnectionError("the connection was closed before the answer was whole")
        return more


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
