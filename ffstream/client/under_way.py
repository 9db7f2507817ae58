"""Frames over a WebSocket, seen from the client: what is under way, what must be sent again, and what is to be done next.

Nothing here does any input or output; :mod:`ffstream.client.stream` does what :meth:`UnderWay.next` says and reports back.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from httpx2 import codes
from numpy.typing import ArrayLike

from ffstream.client.answers import Accepted, spoken, understood
from ffstream.client.calls import arrays
from ffstream.client.errors import RefusedError, UnreachableError

BREATH = 0.5
"""Seconds before a broken connection is made again."""

Chunk = tuple[ArrayLike, ArrayLike | None]
"""Frames [n, inputs] and their labels [n], -1 where not known; None when none is."""


@dataclass(frozen=True)
class Connect:
    """Make a connection, and hear its first message."""


@dataclass(frozen=True)
class Send:
    """Send a message."""

    raw: bytes


@dataclass(frozen=True)
class Take:
    """Take the next chunk of what is to be fed."""


@dataclass(frozen=True)
class Hear:
    """Hear an answer; when it does not ``wait``, only one that is there already."""

    wait: bool


@dataclass(frozen=True)
class Pause:
    """Do nothing for so many seconds."""

    seconds: float


Step = Connect | Send | Take | Hear | Pause


@dataclass(frozen=True)
class Credits:
    """Messages that may be under way, more than before."""

    credits: int


@dataclass
class Message:
    """A chunk as it is sent, whose place among all is ``number``, and what was answered."""

    number: int
    raw: bytes
    answer: Accepted | None = None


class UnderWay:
    """What is under way on one stream, however often its connection breaks.

    Answers come in the order of messages. A message that is refused only for now is sent again once what is under way behind
    it is answered and the time is over that the service asked for; nothing new is taken meanwhile. When the connection breaks,
    what was not answered is sent again, with the same keys.

    Args:
        key: of the stream; message n has the key ``KEY-n``.
        patience: seconds of nothing but trouble after which it is given up.
    """

    def __init__(self, key: str, patience: float) -> None:
        self._key, self._patience = key, patience
        self._to_send: list[Message] = []
        self._sent: deque[Message] = deque()
        self._unacknowledged: deque[Message] = deque()
        self._taken, self._credits = 0, 0
        self._more = self._connected = self._unheard = False
        self._pause = 0.0
        self._trouble_since: float | None = None

    def begin(self) -> None:
        """There is more to feed."""
        self._more = True

    def next(self) -> Step | None:
        """What is to be done next; None when everything is acknowledged."""
        if self._unheard and self._sent:
            self._unheard = False
            return Hear(wait=False)
        if self._pause and not self._sent:
            pause, self._pause = self._pause, 0.0
            return Pause(pause)
        if not (self._more or self._unacknowledged):
            return None
        if not self._connected:
            return Connect()
        if self._credits and not self._pause:
            if self._to_send:
                return Send(self._to_send[0].raw)
            if self._more:
                return Take()
        return Hear(wait=True)

    def connected(self, hello: str | bytes) -> None:
        """The connection is made, and said this first."""
        self._credits, self._connected = understood(hello, Credits).credits, True

    def took(self, chunk: Chunk | None) -> None:
        """A chunk was taken, or there is no more."""
        if chunk is None:
            self._more = False
            return
        key = msgspec.json.encode({"key": f"{self._key}-{self._taken}"})
        message = Message(self._taken, key + b"\n" + arrays(*chunk))
        self._taken += 1
        self._to_send.append(message)
        self._unacknowledged.append(message)

    def sent(self) -> None:
        """The message was sent."""
        self._sent.append(self._to_send.pop(0))
        self._credits, self._unheard = self._credits - 1, True

    def heard(self, raw: str | bytes) -> None:
        """An answer has come.

        Raises:
            RefusedError: when the message is refused for good, or for longer than there is patience. That too many frames wait
                is no trouble.
        """
        message, self._unheard = self._sent.popleft(), True
        self._credits += spoken(raw, Credits).credits
        try:
            message.answer = understood(raw, Accepted)
        except RefusedError as refused:
            self._refused(message, refused)
        else:
            self._trouble_since = None

    def _refused(self, message: Message, refused: RefusedError) -> None:
        full = refused.status == codes.TOO_MANY_REQUESTS
        if refused.retry_after is None or not (full or self._patient()):
            self._unacknowledged.remove(message)
            raise refused
        self._again([message])
        self._pause = max(self._pause, refused.retry_after)
        if full:
            self._trouble_since = None

    def broke(self, error: UnreachableError) -> None:
        """The connection has ended.

        Raises:
            UnreachableError: when nothing was answered for longer than there is patience.
        """
        if not self._patient():
            raise error
        self._again(self._sent)
        self._sent.clear()
        self._connected, self._pause = False, max(self._pause, BREATH)

    def _patient(self) -> bool:
        """Whether there is patience left, in trouble that begins now if it has not begun before."""
        now = time.monotonic()
        if self._trouble_since is None:
            self._trouble_since = now
        return now - self._trouble_since < self._patience

    def _again(self, messages: Iterable[Message]) -> None:
        self._to_send = sorted([*self._to_send, *messages], key=lambda message: message.number)

    def acknowledged(self) -> Iterator[Accepted]:
        """Answers that have come, in the order in which the frames were given."""
        while self._unacknowledged and (answer := self._unacknowledged[0].answer) is not None:
            self._unacknowledged.popleft()
            yield answer
