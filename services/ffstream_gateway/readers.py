"""Processes beside the gateway's that answer ``/classify``, so that questions and learning do not share one Python.

The gateway keeps the port, the keys and the figures, and hands the bytes of a question on to the reader that has least to do.
One that dies is replaced; what it was asked is asked again, of another reader, or of the gateway itself when there is none.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

import orjson
import psutil

from ffstream.classify import Reader
from ffstream_gateway import versions
from ffstream_gateway.classifying import Question
from ffstream_gateway.problems import Problem
from ffstream_gateway.reader_process import LENGTHS, TAKEN, packed

TRIES = 3
"""Readers that are asked one question before the gateway answers it: it might be the question that kills them."""

LOOK_EVERY = 1.0
PAUSE, LONGEST_PAUSE = 0.2, 30.0
END_WITHIN = 2.0
"""Seconds: between two looks for a reader that stands still, before one that has died is replaced, growing while none lives to
answer, and for one to end by itself."""

EACH = 4096
"""Bytes that a question counts for when the work of readers is compared, in addition to its own."""

log = logging.getLogger(__name__)


class ReaderGoneError(Exception):
    """The reader has died before it answered."""


class Slot:
    """One reader's process and what it was asked.

    ``ready`` tells that it has weights and answers, ``was_ready`` that it once did; ``load`` is how much it has to do.
    """

    def __init__(self) -> None:
        self.ready = self.was_ready = False
        self.load = 0
        self._asked: deque[tuple[asyncio.Future[tuple[bytes, bytes]], int]] = deque()
        self._writer: asyncio.StreamWriter | None = None
        self._sent: Reader | None = None
        self._taken = True
        self._questions, questions = socket.socketpair()
        self._news, news = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        numbers = (questions.fileno(), news.fileno())
        command = [sys.executable, "-P", "-m", "ffstream_gateway.reader_process", *map(str, numbers)]
        with questions, news:
            # A group of its own: Ctrl-C is for the gateway, which still answers what it was asked.
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=numbers, process_group=0)

    def hear(self, version: Reader, shared: int) -> None:
        """Send a version of the weights, unless it has it, or still looks at another."""
        with suppress(OSError):  # whoever waits for its answers finds out that it has died
            if not self._taken:
                self._taken = self._news.recv(1, socket.MSG_DONTWAIT) == TAKEN
            if self._taken and self._sent is not version:
                socket.send_fds(self._news, [b"v"], [shared])
                self._sent, self._taken = version, False

    async def ask(self, question: Question, raw: bytes) -> bytes:
        """The answer.

        Raises:
            ReaderGoneError: when it dies before.
            Problem: when it refuses.
        """
        assert self._writer is not None
        told: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()
        weight = EACH + len(raw)
        self._asked.append((told, weight))
        self.load += weight
        self._writer.write(packed(asdict(question), raw))
        self._writer.write(raw)
        head, body = await told
        if body:
            return body
        raise Problem(**orjson.loads(head))

    async def live(self) -> None:
        """Take answers until it dies."""
        reader, self._writer = await asyncio.open_connection(sock=self._questions)
        watched = asyncio.create_task(self._watch())
        try:
            await self._answer(reader)
            self.ready = self.was_ready = True
            while True:
                answer = await self._answer(reader)
                told, weight = self._asked.popleft()
                self.load -= weight
                if not told.done():  # who asked may have left
                    told.set_result(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.ready = False
            watched.cancel()
            for told, _ in self._asked:
                if not told.done():
                    told.set_exception(ReaderGoneError())

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        head, body = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
        return await reader.readexactly(head), await reader.readexactly(body)

    async def _watch(self) -> None:
        """Kill it when it stands still, as somebody might have told it to."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._process.pid)
            while True:
                await asyncio.sleep(LOOK_EVERY)
                if process.status() == psutil.STATUS_STOPPED:
                    self._process.kill()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self._news.close()
        if self._writer is not None:
            self._writer.close()
        else:
            self._questions.close()
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Readers:
    """As many readers as wanted, kept alive.

    ``restarts`` counts those that were replaced.

    Args:
        count: of readers; with none the gateway answers everything.
        first: the weights to begin with.
    """

    def __init__(self, count: int, first: Reader) -> None:
        self.count, self.restarts = count, 0
        self._slots: list[Slot] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._lock = threading.Lock()
        self._newest, self._shared = first, -1
        self._open = False

    @property
    def ready(self) -> list[Slot]:
        """Those that answer."""
        return [slot for slot in self._slots if slot.ready]

    def publish(self, version: Reader) -> None:
        """Have all readers use a version of the weights as soon as they can. May be called from any thread, and often."""
        if not self._open:
            return
        with self._lock:
            if version is not self._newest:
                self._forget()
                self._newest = version
        self._tell()

    async def ask(self, question: Question, raw: bytes) -> bytes | None:
        """The answer of the reader that has least to do; None when the gateway has to answer itself.

        Raises:
            Problem: when the question is refused.
        """
        for _ in range(TRIES):
            if not (ready := self.ready):
                return None
            with suppress(ReaderGoneError):
                return await min(ready, key=lambda slot: slot.load).ask(question, raw)
        return None

    def open(self) -> None:
        """Start them, in the loop that runs."""
        self._open = self.count > 0
        self._tasks = [asyncio.create_task(self._keep()) for _ in range(self.count)]

    async def close(self) -> None:
        """End them."""
        self._open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with self._lock:
            self._forget()

    async def _keep(self) -> None:
        """One reader after another, for ever."""
        pause = PAUSE
        while True:
            was_ready = False
            try:
                with self._slot() as slot:
                    self._tell()
                    await slot.live()
                    was_ready = slot.was_ready
                log.warning("reader %s has died", slot.pid)
            except OSError as error:
                log.warning("a reader cannot be started: %s", error)
            self.restarts += 1
            pause = PAUSE if was_ready else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    def _tell(self) -> None:
        """Everybody who does not have the newest version of it."""
        with self._lock:
            try:
                if self._shared < 0:
                    self._shared = versions.write(self._newest)
            except OSError as error:
                log.error("readers keep the weights that they have: %s", error)
                return
            for slot in self._slots:
                slot.hear(self._newest, self._shared)

    @contextmanager
    def _slot(self) -> Iterator[Slot]:
        slot = Slot()
        with self._lock:
            self._slots.append(slot)
        try:
            yield slot
        finally:
            with self._lock:
                self._slots.remove(slot)
            slot.close()

    def _forget(self) -> None:
        """The version that was shared last; who reads from it keeps it."""
        if self._shared >= 0:
            os.close(self._shared)
        self._shared = -1
