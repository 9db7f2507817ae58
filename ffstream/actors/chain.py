"""The driver's end of the chain of actors: it sends events in at the bottom and takes outcomes from the end.

It is never in the path: what a layer hands on goes straight to the next.
"""

import time

import ray

from ffstream.actors.crew import Crew
from ffstream.actors.layer_actor import Publication
from ffstream.actors.part import Pulse
from ffstream.actors.wire import Packed, pack, unpack
from ffstream.errors import ChainError
from ffstream.message import BUNDLE, Batch
from ffstream.outcome import Outcome, Published
from ffstream.stream.events import Barrier, Change, Recorded, Restore, Sleep
from ffstream.stream.snapshot import Manifest

POLL = 0.5
"""Seconds that the dreamer waits for an outcome before it answers that there is none."""

PULSE_EVERY = 1.0
HUNG_AFTER = 15.0
"""Seconds: between signs of life, and until an actor without one counts as hung."""


class RayChain:
    """A :class:`~ffstream.chain.Chain` of Ray actors, in an epoch of its own.

    Args:
        crew: the actors.
        start: snapshot to begin from; None for first weights.

    Raises:
        ChainError: when the actors do not start.
    """

    def __init__(self, crew: Crew, start: Manifest | None = None) -> None:
        crew.assemble(start)
        self.crew = crew
        self._epoch = crew.epoch
        self._first = crew.layers()[0]
        self._dreamer = crew.parts["dreamer"]
        self._pulses: dict[str, ray.ObjectRef[Pulse]] = {}
        self._pulse_at = time.monotonic()
        self._poll: ray.ObjectRef[list[Packed | Publication]] | None = None
        self._bundle: list[Packed] = []

    def wake(self, batch: Batch) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._bundle.append(pack(batch))
        if len(self._bundle) == BUNDLE:
            self._send()

    def sleep(self, recorded: Recorded, sleep: Sleep) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._mark(recorded, Publication(recorded.seq) if self.crew.config.generates else None)

    def barrier(self, recorded: Recorded, barrier: Barrier) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._mark(recorded)

    def restore(self, recorded: Recorded, restore: Restore) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._mark(recorded)

    def change(self, recorded: Recorded, change: Change) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._mark(recorded)

    def publish(self, seq: int) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._send()
        self._first.publish.remote(self._epoch, Publication(seq))

    def _mark(self, recorded: Recorded, asked: Publication | None = None) -> None:
        self._send()
        self._first.mark.remote(self._epoch, recorded, asked)

    def _send(self) -> None:
        if self._bundle:
            self._first.enter.remote(self._epoch, *self._bundle)
            self._bundle.clear()

    def outcomes(self, timeout: float) -> list[Outcome]:
        """See :class:`~ffstream.chain.Chain`."""
        try:
            self._send()
            self._feel_pulses()
            if self._poll is None:
                self._poll = self._dreamer.outcomes.remote(self._epoch, POLL)
            if not ray.wait([self._poll], timeout=timeout)[0]:
                return []
            waiting, self._poll = ray.get(self._poll), None
            return [self._unpack(outcome) for outcome in waiting]
        except ray.exceptions.RayError as error:
            raise ChainError(f"an actor has died: {str(error).splitlines()[0]}") from error

    def _unpack(self, outcome: Packed | Publication) -> Outcome:
        if isinstance(outcome, Packed):
            return unpack(outcome, Outcome)  # type: ignore[arg-type]
        return Published(outcome.seq, outcome.stages())

    def _feel_pulses(self) -> None:
        """Once a second ask every actor, and Ray, how they are.

        Raises:
            ChainError: when one reports a fault or does not answer any more.
        """
        waited = time.monotonic() - self._pulse_at
        if waited < PULSE_EVERY:
            return
        self.crew.watch()
        for name, ref in list(self._pulses.items()):
            if ray.wait([ref], timeout=0)[0]:
                pulse: Pulse = ray.get(self._pulses.pop(name))
                if pulse.fault is not None:
                    raise ChainError(f"{name}: {pulse.fault}")
        if not self._pulses:
            self._pulses = {name: part.pulse.remote() for name, part in self.crew.parts.items()}
            self._pulse_at = time.monotonic()
        elif waited > HUNG_AFTER:
            raise ChainError(f"no sign of life for {waited:.0f} s from {', '.join(sorted(self._pulses))}")

    def digests(self) -> dict[str, str]:
        """See :class:`~ffstream.chain.Chain`; meant for a chain at rest."""
        return dict(zip(self.crew.parts, ray.get([part.digest.remote() for part in self.crew.parts.values()]), strict=True))

    def close(self) -> None:
        """See :class:`~ffstream.chain.Chain`. The actors stay for the next chain; their crew ends them."""
