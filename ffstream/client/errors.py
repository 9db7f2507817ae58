"""What can go wrong between a client and a service, each in one sentence."""

from typing import Any


class ClientError(Exception):
    """The base of all errors of the client."""


class UnreachableError(ClientError):
    """Nobody answers at the URL, or the connection broke and could not be made again in time."""


class NotReadyError(ClientError):
    """The service answers, but will not learn in time."""


class AnswerError(ClientError):
    """The answer is none that this client can read: something else listens at the URL, or a service of another version."""


class RefusedError(ClientError):
    """The service refused a request.

    Args:
        status: of the HTTP answer.
        problem: the answer's ``application/problem+json``.
        retry_after: seconds after which the service asks to try again, None when it does not ask.
    """

    def __init__(self, status: int, problem: dict[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        detail = problem.get("detail") or problem.get("title") or "no reason given"
        place = problem.get("place") or ""
        super().__init__(f"{detail}{'' if place in detail else f' (at {place})'} [HTTP {status}]")
