"""Ray in one thread: actors are objects, calls wait in mailboxes, a seeded scheduler decides which one comes next.

The real classes of ``ffstream.actors`` run on it. What is kept of Ray is what they rely on: calls of one caller to one group of
one actor stay in order, everything else may overtake; an actor that dies takes its state and its mailboxes with it, and the
last calls that it made may be lost; one that is stopped neither answers nor dies. Nothing is ever called twice.
"""

import copy
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import ray

from ffstream.actors.chain import POLL
from ffstream.actors.tick_actor import TickActor
from ffstream.actors.wire import Packed

TURN = 0.005
"""Seconds that one call takes."""

SPEEDS = (0.1, 1.0, 1.0, 10.0)


class Killed(BaseException):
    """The actor that is running dies where it stands."""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Ref:
    """An answer to come."""

    def __init__(self, value: Any = None, done: bool = False) -> None:
        self.value, self.done, self.error = value, done, None

    def resolve(self, value: Any = None, error: Exception | None = None) -> None:
        self.value, self.error, self.done = value, error, True


class Call(NamedTuple):
    at: float
    method: str
    arguments: tuple[Any, ...]
    ref: Ref


class Actor:
    """An actor's life; ``instance`` is None until it has been made."""

    def __init__(self, make: Callable[[], Any], kind: type, speed: float) -> None:
        self.make, self.kind, self.speed = make, kind, speed
        self.instance: Any = None
        self.alive, self.stopped = True, False
        self.mailboxes: dict[tuple[Actor | None, str], deque[Call]] = {}

    def ready(self, now: float) -> Iterator[Callable[[], None]]:
        """What it could do next."""
        if not self.alive or self.stopped:
            return
        if self.instance is None:
            yield self._begin
            return
        for mailbox in self.mailboxes.values():
            if mailbox and not self._waits(mailbox[0], now):
                yield lambda mailbox=mailbox: self._answer(mailbox.popleft())
        if not self.instance.saver.waiting.empty():
            yield self.instance.saver.write_next

    def _waits(self, call: Call, now: float) -> bool:
        """Whether a call would block: a barrier behind snapshots that are being written, a poll with nothing to tell."""
        match call.method:
            case "mark":
                return self.instance.saver.waiting.full()
            case "open":
                return self.instance.saver.waiting.unfinished_tasks > 0
            case "outcomes":
                return not self.instance.now.outbox._waiting and now < call.at + POLL
        return False

    def _begin(self) -> None:
        try:
            self.instance = self.make()
            if isinstance(self.instance, TickActor):  # passes several barriers in one call, and nobody writes meanwhile
                self.instance.saver.waiting.maxsize = 0
        except Exception as error:
            raise Killed from error

    def _answer(self, call: Call) -> None:
        try:
            call.ref.resolve(getattr(self.instance, call.method)(*call.arguments))
        except Exception as error:
            call.ref.resolve(error=ray.exceptions.RayError(repr(error)))


class Handle:
    """What others hold of an actor: ``handle.method.remote(...)``."""

    def __init__(self, cluster: "Cluster", actor: Actor) -> None:
        self._cluster, self._actor = cluster, actor

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=lambda *arguments: self._cluster.send(self._actor, name, arguments))


class Cluster:
    """Stands for the module ``ray`` while it is :meth:`running`."""

    exceptions = ray.exceptions

    def __init__(self, rng: random.Random, clock: Clock) -> None:
        self.rng, self.clock = rng, clock
        self.actors: list[Actor] = []
        self.inside: Actor | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let ``ffstream.actors`` have this instead of Ray, of the clock, and of threads that write snapshots."""
        threads = SimpleNamespace(Thread=mock.Mock())
        with (
            mock.patch.multiple("ffstream.actors.chain", ray=self, time=SimpleNamespace(monotonic=self.clock), POLL=0.0),
            mock.patch.multiple("ffstream.actors.crew", ray=self, time=SimpleNamespace(monotonic=self.clock)),
            mock.patch.multiple("ffstream.actors.part", ray=self, threading=threads),
            mock.patch("ffstream.actors.layer_actor.ray", self),
        ):
            yield

    def remote(self, **_: Any) -> Callable[[type], Any]:
        return lambda kind: SimpleNamespace(remote=lambda *arguments: self._start(kind, arguments))

    def _start(self, kind: type, arguments: tuple[Any, ...]) -> Handle:
        actor = Actor(lambda: kind(*arguments), kind, self.rng.choice(SPEEDS))
        self.actors.append(actor)
        return Handle(self, actor)

    def put(self, value: Any) -> Ref:
        return Ref(copy.deepcopy(value), done=True)

    def get(self, wanted: Any, timeout: float = math.inf) -> Any:
        if isinstance(wanted, list):
            return [self.get(ref, timeout) for ref in wanted]
        if not self.wait([wanted], timeout)[0]:
            raise ray.exceptions.GetTimeoutError(f"no answer within {timeout} s")
        if wanted.error is not None:
            raise wanted.error
        return wanted.value

    def wait(self, refs: list[Ref], timeout: float) -> tuple[list[Ref], list[Ref]]:
        end = self.clock.now + timeout
        while not (done := [ref for ref in refs if ref.done][:1]) and self.clock.now < end:
            if not self.turn():
                self.clock.now = end
        return done, [ref for ref in refs if ref not in done]

    def kill(self, handle: Handle) -> None:
        self.end(handle._actor)

    def get_runtime_context(self) -> SimpleNamespace:
        """Everyone is on a node of its own, so that nobody is killed by process number."""
        return SimpleNamespace(get_node_id=lambda: str(id(self.inside)))

    def send(self, actor: Actor, method: str, arguments: tuple[Any, ...]) -> Ref:
        ref = Ref()
        if actor.alive:
            group = getattr(actor.kind, method).__ray_concurrency_group__
            copied = tuple(copy.deepcopy(each) if isinstance(each, Packed) else each for each in arguments)
            actor.mailboxes.setdefault((self.inside, group), deque()).append(Call(self.clock.now, method, copied, ref))
        else:
            ref.resolve(error=ray.exceptions.ActorDiedError())
        return ref

    def turn(self) -> bool:
        """Let some actor do one thing; whether any could."""
        ready = [(actor, act) for actor in self.actors for act in actor.ready(self.clock.now)]
        if not ready:
            return False
        ((self.inside, act),) = self.rng.choices(ready, [actor.speed for actor, _ in ready])
        self.clock.now += TURN
        try:
            act()
        except Killed:
            self.end(self.inside)
        finally:
            self.inside = None
        return True

    def end(self, actor: Actor) -> None:
        """An actor dies, and with it what it was sent, and some of the last that it sent."""
        if not actor.alive:
            return
        actor.alive = False
        for mailbox in actor.mailboxes.values():
            for call in mailbox:
                call.ref.resolve(error=ray.exceptions.ActorDiedError())
        for other in self.actors:
            for (caller, _), mailbox in other.mailboxes.items():
                if caller is actor:
                    for _ in range(self.rng.randint(0, len(mailbox))):
                        mailbox.pop()
        self.actors.remove(actor)
