"""What a service can be asked: each question is described once, as a request and the reader of its answer.

Nothing here does any input or output. The two clients send what is described, one waiting and the other awaiting, so that
they cannot differ in what they ask or understand.
"""

import functools
import io
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

import httpx2
import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffstream.client import answers
from ffstream.client.errors import AnswerError, RefusedError

NPY, JSON = "application/x-npy", "application/json"

P = ParamSpec("P")
A = TypeVar("A")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Call(Generic[A]):
    """A request, and how its answer is read.

    One with an idempotency ``key`` may be sent again when it is not known what became of it: it is done once.
    """

    verb: str
    path: str
    read: Callable[[httpx2.Response], A]
    body: bytes = b""
    kind: str | None = None
    params: Mapping[str, str | int] = field(default_factory=dict)
    key: str | None = None

    def request(self) -> dict[str, Any]:
        """The arguments of ``httpx2.Client.request``."""
        given = {"Content-Type": self.kind, "Idempotency-Key": self.key}
        headers = {name: value for name, value in given.items() if value is not None}
        asked = {"method": self.verb, "url": self.path, "headers": headers, "params": self.params}
        return asked | {"content": self.body} if self.body else asked


class Waits(Protocol):
    """A client that waits for answers."""

    def ask(self, call: Call[A]) -> A:
        """The answer."""


class Awaits(Protocol):
    """A client whose answers are awaited."""

    async def ask(self, call: Call[A]) -> A:
        """The answer."""


class Asked(Protocol[P, T_co]):
    """A method of both clients, as a type checker is to see it."""

    @overload
    def __get__(self, client: Waits, owner: Any = None) -> Callable[P, T_co]: ...
    @overload
    def __get__(self, client: Awaits, owner: Any = None) -> Callable[P, Coroutine[Any, Any, T_co]]: ...


def asked(describe: Callable[Concatenate[Any, P], Call[A]]) -> Asked[P, A]:
    """Make a method that asks out of one that describes what is asked."""

    @functools.wraps(describe)
    def method(client: Any, *args: P.args, **options: P.kwargs) -> Any:
        return client.ask(describe(client, *args, **options))

    return cast(Asked[P, A], method)


class Calls:
    """Every question that a service answers; a method gives what its call is answered with.

    Raises:
        RefusedError: when the service refuses.
        UnreachableError: when it cannot be reached.
        AnswerError: when the answer cannot be read.
    """

    @asked
    def feed(
        self, frames: ArrayLike, labels: ArrayLike | None = None, key: str | None = None, learn: str = "gradient"
    ) -> Call[answers.Accepted]:
        """Have frames accepted for learning.

        Waits as often as the service says that too many frames wait. A broken connection is tried again for the client's
        ``patience`` with the same key, so that no frame is accepted twice.

        Args:
            frames: [n, inputs], ``uint8`` or floating point.
            labels: [n] integers, -1 where not known; None when none is.
            key: idempotency key; None for a new one.
            learn: ``"gradient"``, or ``"exact"`` for frames with labels that are to be known at once, each by itself.
        """
        params = {} if learn == "gradient" else {"learn": learn}
        return Call("POST", "/feed", reads(answers.Accepted), arrays(frames, labels), NPY, params, key or new_key())

    @asked
    def label(self, ids: ArrayLike, labels: ArrayLike, key: str | None = None) -> Call[answers.Accepted]:
        """Have labels accepted of frames that were fed without, all or none; waits and tries again as :meth:`feed` does.

        Args:
            ids: [n] numbers of frames, from the answer to their feed.
            labels: [n] integers from 0.
            key: idempotency key; None for a new one.
        """
        given = zip(np.asarray(ids).tolist(), np.asarray(labels).tolist(), strict=True)
        content = {"labels": [{"id": number, "label": label} for number, label in given]}
        return _sent("POST", "/labels", answers.Accepted, content, key or new_key())

    @asked
    def read(self, text: str, key: str | None = None) -> Call[answers.Accepted]:
        """Have a text learned by a service of sequences; waits and tries again as :meth:`feed` does.

        The first symbols, as many as a window has, are only context: who goes on with a text begins with its last ones.
        """
        return _sent("POST", "/feed", answers.Accepted, {"text": text}, key or new_key())

    @asked
    def classify(
        self, frames: ArrayLike, method: str | None = None, shortlist: int | None = None
    ) -> Call[answers.Classification]:
        """Labels and scores of frames [n, inputs]; never learns from them.

        Args:
            frames: ``uint8`` or floating point.
            method: ``goodness``, ``one_pass`` or ``shortlist``; the service decides if not given.
            shortlist: labels that one pass picks for both to decide.
        """
        given = {"method": method, "shortlist": shortlist}
        params = {name: value for name, value in given.items() if value is not None}
        return Call("POST", "/classify", reads(answers.Classification), arrays(frames), NPY, params)

    @asked
    def explain(self, frame: ArrayLike) -> Call[answers.Explanation]:
        """What every layer makes of a frame [inputs] with every label; never learns from it."""
        return _sent("POST", "/explain", answers.Explanation, {"frame": numbers(frame)})

    @asked
    def predict(self, text: str) -> Call[answers.NextSymbol]:
        """How probable every symbol is after a text."""
        return _sent("POST", "/predict", answers.NextSymbol, {"text": text})

    @asked
    def generate(self, text: str, length: int = 100, temperature: float = 1.0, seed: int = 0) -> Call[answers.Generated]:
        """What a service of sequences would go on to say after a text, of so many symbols."""
        content = {"text": text, "length": length, "temperature": temperature, "seed": seed}
        return _sent("POST", "/generate", answers.Generated, content)

    @asked
    def frame(self, number: int) -> Call[answers.Frame]:
        """What has become of a frame."""
        return _got(f"/frames/{number}", answers.Frame)

    @asked
    def status(self) -> Call[answers.Status]:
        """What the service is doing and has learned."""
        return _got("/status", answers.Status)

    @asked
    def state(self) -> Call[str]:
        """One word: ready, or why not yet."""
        return Call("GET", "/readyz", _state)

    @asked
    def sleep(self, dreams: int | None = None) -> Call[answers.SleepPlanned]:
        """Fall asleep for ``dreams`` negatives, or for what is owed."""
        return _sent("POST", "/sleep", answers.SleepPlanned, {"dreams": dreams})

    @asked
    def sleeping(self) -> Call[answers.SleepState]:
        """Whether the network sleeps, what sleep it owes and when it slept last."""
        return _got("/sleep", answers.SleepState)

    @asked
    def schedule(self, schedule: answers.Schedule | None = None) -> Call[answers.Schedule]:
        """When the network sleeps; with ``schedule`` replace it first."""
        if schedule is None:
            return _got("/schedule", answers.Schedule)
        return _sent("PUT", "/schedule", answers.Schedule, schedule)

    @asked
    def feeding(self) -> Call[answers.Feeding]:
        """Whether the feeding is paused."""
        return _got("/feeding", answers.Feeding)

    @asked
    def pause(self) -> Call[answers.Feeding]:
        """Have frames and late labels refused until the feeding is resumed, or the service restarted."""
        return _sent("PUT", "/feeding", answers.Feeding, answers.Feeding(paused=True))

    @asked
    def resume(self) -> Call[answers.Feeding]:
        """Have frames taken again."""
        return _sent("PUT", "/feeding", answers.Feeding, answers.Feeding(paused=False))

    @asked
    def snapshot(self) -> Call[answers.SnapshotPlanned]:
        """Have everything saved; answers as soon as its place in the journal is known."""
        return Call("POST", "/snapshots", reads(answers.SnapshotPlanned))

    @asked
    def snapshots(self) -> Call[list[answers.Snapshot]]:
        """Snapshots that are whole, newest first."""
        return _got("/snapshots", list[answers.Snapshot])

    @asked
    def restore(self, seq: int) -> Call[answers.RestorePlanned]:
        """Go back to snapshot ``seq``; answers as soon as that is journaled. Nothing is erased."""
        return Call("POST", f"/snapshots/{seq}/restore", reads(answers.RestorePlanned))


def new_key() -> str:
    """An idempotency key that was never used."""
    return uuid.uuid4().hex


def arrays(frames: ArrayLike, labels: ArrayLike | None = None) -> bytes:
    """Frames, and labels if there are any, as the service takes them."""
    return npy(np.asarray(frames)) + (b"" if labels is None else npy(np.asarray(labels)))


def numbers(frame: ArrayLike) -> list[float]:
    """A frame [inputs] as JSON has it, where bytes do not stand for 0 to 1."""
    array = np.asarray(frame)
    found: list[float] = (array.astype(np.float32) / 255 if array.dtype == np.uint8 else array).tolist()
    return found


def npy(array: NDArray[Any]) -> bytes:
    """An array in the bytes of a ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def reads(kind: type[A]) -> Callable[[httpx2.Response], A]:
    """A reader of answers of one kind."""

    def read(response: httpx2.Response) -> A:
        if not response.is_success:
            raise RefusedError(response.status_code, _problem(response), _retry_after(response))
        try:
            return answers.read(response.content, kind)
        except msgspec.DecodeError as error:
            raise AnswerError(
                f"{_said(response)}, which this client cannot read ({error}); is it ffstream that runs there?"
            ) from error

    return read


def _got(path: str, kind: type[A]) -> Call[A]:
    return Call("GET", path, reads(kind))


def _sent(verb: str, path: str, kind: type[A], content: Any, key: str | None = None) -> Call[A]:
    return Call(verb, path, reads(kind), msgspec.json.encode(content), JSON, key=key)


def _state(response: httpx2.Response) -> str:
    return "ready" if response.is_success else str(_members(response).get("state", f"HTTP {response.status_code}"))


def _members(response: httpx2.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _problem(response: httpx2.Response) -> dict[str, Any]:
    problem = _members(response)
    return problem if isinstance(problem.get("detail"), str) else {"title": response.reason_phrase, "detail": _said(response)}


def _said(response: httpx2.Response) -> str:
    return f"{response.request.url} answered {response.text[:200].strip()!r}"


def _retry_after(response: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
