"""A reader: a process that answers ``/classify`` for the gateway, one question after another, and does nothing else.

It has two sockets. Questions come over one, each a head in JSON and a body, and are answered there in order. Versions of the
weights come over the other, as file descriptors; each is taken between two questions, and acknowledged. It ends when the
gateway does.
"""

import gc
import os
import select
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

import orjson
import torch

from ffstream.classify import Reader
from ffstream_gateway import versions
from ffstream_gateway.classifying import Question, answer
from ffstream_gateway.problems import Problem

LENGTHS = struct.Struct("!IQ")
"""Of a head and of the body behind it."""

TAKEN = b"t"
"""What a reader says of a version."""


class Gone(Exception):  # noqa: N818 (not an error: the gateway has ended)
    """There is nobody to answer any more."""


def packed(head: Any, body: bytes) -> bytes:
    """A question or an answer on its way, but for the body."""
    said = orjson.dumps(head)
    return LENGTHS.pack(len(said), len(body)) + said


def take(news: socket.socket) -> Reader:
    """The next version; waits for it.

    Raises:
        Gone: when the gateway has ended.
    """
    _, shared, _, _ = socket.recv_fds(news, 1, 1)
    if not shared:
        raise Gone
    try:
        reader = versions.read(shared[0])
    finally:
        os.close(shared[0])
    news.send(TAKEN)
    return reader


def reply(reader: Reader, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """Head and body of the answer to a question."""
    try:
        return {}, answer(reader, Question(**head), body)
    except Problem as problem:
        refused = problem
    except Exception as error:
        refused = Problem(500, "internal", f"{type(error).__name__}: {error}")
    headers = dict(refused.headers) if refused.headers else None
    told = {
        "status": refused.status,
        "kind": refused.kind,
        "detail": refused.detail,
        "place": refused.place,
        "headers": headers,
    }
    return told, b""


def serve(questions: socket.socket, news: socket.socket) -> None:
    """Answer until the gateway ends.

    Raises:
        Gone: when it does.
    """
    reader = take(news)
    questions.sendall(packed({}, b""))
    while True:
        ready, _, _ = select.select([questions, news], [], [])
        if news in ready:
            reader = take(news)
        if questions in ready:
            head, body = LENGTHS.unpack(_exactly(questions, LENGTHS.size))
            asked = orjson.loads(_exactly(questions, head))
            told, found = reply(reader, asked, bytes(_exactly(questions, body)))
            questions.sendall(packed(told, found) + found)


def _exactly(questions: socket.socket, length: int) -> bytearray:
    """So many bytes."""
    received = bytearray(length)
    view = memoryview(received)
    while view:
        count = questions.recv_into(view)
        if not count:
            raise Gone
        view = view[count:]
    return received


def main() -> None:
    """``python -m ffstream_gateway.reader_process QUESTIONS NEWS``: numbers of the two sockets, which are inherited."""
    torch.set_num_threads(1)
    gc.freeze()
    questions, news = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    with questions, news, suppress(Gone, ConnectionError):
        serve(questions, news)


if __name__ == "__main__":
    main()
