"""A client of the service: it sends arrays, waits when it is asked to, and turns every refusal into one sentence.

Importing it loads neither torch nor the server.
"""

import io
import json
import time
import uuid
from collections.abc import Callable
from typing import Any, Self

import httpx2
import numpy as np
import stamina
from numpy.typing import ArrayLike, NDArray

NPY, JSON = "application/x-npy", "application/json"

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that are never asked through a proxy, whatever the environment says."""

Json = dict[str, Any]


class ClientError(Exception):
    """The base of all errors of the client."""


class UnreachableError(ClientError):
    """Nobody answers at the URL, or the connection broke and could not be made again in time."""


class NotReadyError(ClientError):
    """The service answers, but will not learn in time."""


class RefusedError(ClientError):
    """The service refused a request.

    Args:
        status: of the HTTP answer.
        problem: the answer's ``application/problem+json``.
        retry_after: seconds after which the service asks to try again, None when it does not ask.
    """

    def __init__(self, status: int, problem: Json, retry_after: float | None = None) -> None:
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        detail = problem.get("detail") or problem.get("title") or "no reason given"
        place = problem.get("place") or ""
        super().__init__(f"{detail}{'' if place in detail else f' (at {place})'} [HTTP {status}]")


class Client:
    """Speaks to one service. May be used from several threads.

    Args:
        url: of the service.
        patience: seconds for which a broken connection is tried again when feeding or labelling. Waiting that the service asks
            for when too many frames wait does not count.
        timeout: seconds for one answer.
        transport: what carries the requests; None for the network.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        patience: float = 60.0,
        timeout: float = 60.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.patience = patience
        limits = httpx2.Timeout(timeout, connect=min(timeout, 5.0))
        try:
            remote = httpx2.URL(self.url).host not in LOOPBACK
            self._http = httpx2.Client(base_url=self.url, timeout=limits, transport=transport, trust_env=remote)
        except httpx2.InvalidURL as error:
            raise UnreachableError(f"{url!r} is not a URL: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def feed(self, frames: ArrayLike, labels: ArrayLike | None = None, key: str | None = None) -> Json:
        """Have frames accepted for learning.

        Waits as often as the service says that too many frames wait. A broken connection is tried again for ``patience``
        seconds with the same key, so that no frame is accepted twice.

        Args:
            frames: [n, inputs], ``uint8`` or floating point.
            labels: [n] integers, -1 where not known; None when none is.
            key: idempotency key; None for a new one.

        Raises:
            RefusedError: when the service does not take the frames.
            UnreachableError: when it cannot be reached.
        """
        body = npy(np.asarray(frames)) + (b"" if labels is None else npy(np.asarray(labels)))
        return self._until_accepted("/feed", body, NPY, key)

    def label(self, ids: ArrayLike, labels: ArrayLike, key: str | None = None) -> Json:
        """Have labels accepted of frames that were fed without, all or none; waits and tries again as :meth:`feed` does.

        Args:
            ids: [n] numbers of frames, from the answer to their feed.
            labels: [n] integers from 0.
            key: idempotency key; None for a new one.

        Raises:
            RefusedError: when one of the frames does not take its label.
            UnreachableError: when the service cannot be reached.
        """
        given = zip(np.asarray(ids).tolist(), np.asarray(labels).tolist(), strict=True)
        body = {"labels": [{"id": number, "label": label} for number, label in given]}
        return self._until_accepted("/labels", json.dumps(body).encode(), JSON, key)

    def _until_accepted(self, path: str, body: bytes, kind: str, key: str | None) -> Json:
        headers = {"Content-Type": kind, "Idempotency-Key": key or str(uuid.uuid4())}
        while True:
            try:
                return self._persist(path, body, headers)
            except RefusedError as refused:
                if refused.status != httpx2.codes.TOO_MANY_REQUESTS:
                    raise
                time.sleep(refused.retry_after or 1.0)

    def _persist(self, path: str, body: bytes, headers: dict[str, str]) -> Json:
        for attempt in stamina.retry_context(on=_pause, attempts=None, timeout=self.patience):
            with attempt:
                return self._ask("POST", path, content=body, headers=headers)
        raise AssertionError("the last attempt returns or raises")

    def classify(self, frames: ArrayLike, method: str | None = None, shortlist: int | None = None) -> Json:
        """Labels and scores of frames [n, inputs], as the service answers them; it never learns from them."""
        given = {"method": method, "shortlist": shortlist}
        params = {name: value for name, value in given.items() if value is not None}
        body = npy(np.asarray(frames))
        return self._ask("POST", "/classify", content=body, params=params, headers={"Content-Type": NPY})

    def read(self, text: str, key: str | None = None) -> Json:
        """Have a text learned by a service of sequences; waits and tries again as :meth:`feed` does.

        The first symbols, as many as a window has, are only context: who goes on with a text begins with its last ones.
        """
        return self._until_accepted("/feed", json.dumps({"text": text}).encode(), JSON, key)

    def predict(self, text: str) -> Json:
        """How probable every symbol is after a text."""
        return self._ask("POST", "/predict", json={"text": text})

    def generate(self, text: str, length: int = 100, temperature: float = 1.0, seed: int = 0) -> Json:
        """What a service of sequences would go on to say after a text."""
        asked = {"text": text, "length": length, "temperature": temperature, "seed": seed}
        return self._ask("POST", "/generate", json=asked)

    def sleep(self, dreams: int | None = None) -> Json:
        """Fall asleep for ``dreams`` negatives, or for what is owed."""
        return self._ask("POST", "/sleep", json={"dreams": dreams})

    def frame(self, number: int) -> Json:
        """What has become of a frame."""
        return self._ask("GET", f"/frames/{number}")

    def snapshot(self) -> Json:
        """Have everything saved; answers as soon as its place in the journal is known."""
        return self._ask("POST", "/snapshots")

    def snapshots(self) -> list[Json]:
        """Snapshots that are whole, newest first."""
        answer = self._answered("GET", "/snapshots")
        found = _parsed(answer)
        if not isinstance(found, list):
            raise RefusedError(answer.status_code, _problem(answer))
        return found

    def restore(self, seq: int) -> Json:
        """Go back to snapshot ``seq``; answers as soon as that is journaled. Nothing is erased."""
        return self._ask("POST", f"/snapshots/{seq}/restore")

    def status(self) -> Json:
        """What the service is doing and has learned."""
        return self._ask("GET", "/status")

    def schedule(self, schedule: Json | None = None) -> Json:
        """When the network sleeps; with ``schedule`` replace it first."""
        return self._ask("GET", "/schedule") if schedule is None else self._ask("PUT", "/schedule", json=schedule)

    def state(self) -> str:
        """One word: ready, or why not yet."""
        answer = self._send("GET", "/readyz")
        return "ready" if answer.is_success else str(_members(answer).get("state", f"HTTP {answer.status_code}"))

    def ready(self, timeout: float, notice: Callable[[str], None] = lambda state: None) -> None:
        """Wait until the service learns.

        Args:
            timeout: seconds.
            notice: called with every state seen.

        Raises:
            NotReadyError: when time is up, or the service has failed.
            UnreachableError: when nobody answered until the end.
        """
        end = time.monotonic() + timeout
        while True:
            late = time.monotonic() >= end
            try:
                state = self.state()
            except UnreachableError:
                if late:
                    raise
                state = "unreachable"
            notice(state)
            if state == "ready":
                return
            if late or state == "failed":
                raise NotReadyError(f"{self.url} is not ready to learn: {state}")
            time.sleep(0.2)

    def _ask(self, verb: str, path: str, **request: Any) -> Json:
        return _members(self._answered(verb, path, **request))

    def _answered(self, verb: str, path: str, **request: Any) -> httpx2.Response:
        answer = self._send(verb, path, **request)
        if not answer.is_success:
            raise RefusedError(answer.status_code, _problem(answer), _retry_after(answer))
        return answer

    def _send(self, verb: str, path: str, **request: Any) -> httpx2.Response:
        try:
            return self._http.request(verb, path, **request)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"no answer from {self.url}: {reason}; does `ffstream serve` run there?") from error


def npy(array: NDArray[Any]) -> bytes:
    """An array in the bytes of a ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _pause(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds."""
    if isinstance(error, RefusedError) and error.status == httpx2.codes.SERVICE_UNAVAILABLE:
        return error.retry_after or True
    return isinstance(error, UnreachableError)


def _parsed(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _members(answer: httpx2.Response) -> Json:
    body = _parsed(answer)
    return body if isinstance(body, dict) else {}


def _problem(answer: httpx2.Response) -> Json:
    problem = _members(answer)
    if isinstance(problem.get("detail"), str):
        return problem
    return {"title": answer.reason_phrase, "detail": f"{answer.request.url} answered {answer.text[:200].strip()!r}"}


def _retry_after(answer: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(answer.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
