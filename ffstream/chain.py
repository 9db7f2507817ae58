"""What the stream asks of a chain of layers, wherever its layers run."""

from typing import Protocol

from ffstream.message import Batch
from ffstream.outcome import Outcome
from ffstream.stream.events import Barrier, Change, Recorded, Restore, Sleep


class Chain(Protocol):
    """Layers in a row, and the dreamer at the end.

    :class:`~ffstream.network.Network` runs them in this process, one after another; ``ffstream.actors`` runs each as a Ray
    actor. Both must give the same bits for the same events.
    """

    def wake(self, batch: Batch) -> None:
        """Send a micro-batch in. It is learned in the order of calls."""
        ...

    def sleep(self, recorded: Recorded, sleep: Sleep) -> None:
        """Let the dreamer dream; the next wake batch may only be sent after the outcome ``Slept``."""
        ...

    def barrier(self, recorded: Recorded, barrier: Barrier) -> None:
        """Let every part write its state as the barrier passes."""
        ...

    def restore(self, recorded: Recorded, restore: Restore) -> None:
        """Go on from barrier ``restore.to``, which has to be the last event: nothing changes but the place in the stream."""
        ...

    def change(self, recorded: Recorded, change: Change) -> None:
        """Let every part change as the event passes; what comes after it meets changed parts only."""
        ...

    def publish(self, seq: int) -> None:
        """Ask for a copy of all weights as they are after event ``seq``, the last one sent."""
        ...

    def outcomes(self, timeout: float) -> list[Outcome]:
        """What has come out since the last call, in order; waits up to ``timeout`` seconds for the first.

        Raises:
            ChainError: when a part has failed or died.
        """
        ...

    def digests(self) -> dict[str, str]:
        """A sha256 of the state of every part, by name."""
        ...

    def close(self) -> None:
        """Stop every part."""
        ...
