"""The whole chain in one process: the specification that every other chain must match bit for bit."""

from pathlib import Path

from torch import Tensor

from ffstream.change import change_dreamer, changed_stage
from ffstream.config import NetworkConfig
from ffstream.devices import ON_THE_PROCESSOR, Devices, check_here, claim
from ffstream.dreamer import Dreamer
from ffstream.growth import grown
from ffstream.message import Batch, Message, Position
from ffstream.negatives import Recall
from ffstream.outcome import Changed, Outcome, Passed, Published, Restored, Saved
from ffstream.recurrent import TickStage, run
from ffstream.stage import Stage
from ffstream.stage import restore as restore_state
from ffstream.stream.events import Barrier, Change, Recorded, Restore, Sleep
from ffstream.stream.snapshot import Manifest, folder_of, read_part, write_part


class Network:
    """Stages one after another, or tick by tick when they are recurrent, the dreamer at the end; every call is done when it
    returns.

    Args:
        config: shape, constants and seed.
        recall: reads frames back by number, for dreaming.
        snapshots: folder for snapshots; None when barriers are only passed.
        start: snapshot to begin from; None for first weights.
        devices: where layers compute, if not on the processor (:mod:`ffstream.devices`).

    Raises:
        ConfigError: when a device is not there.
    """

    def __init__(
        self,
        config: NetworkConfig,
        recall: Recall,
        *,
        snapshots: Path | None = None,
        start: Manifest | None = None,
        devices: Devices = ON_THE_PROCESSOR,
    ) -> None:
        check_here(devices, config.depth)
        config = config if start is None else start.network(config)
        self.snapshots = snapshots
        self._stand([Stage(config, index).to(claim(devices, f"layer-{index}")) for index in range(config.depth)])
        self.dreamer = Dreamer(config, recall)
        self._outcomes: list[Outcome] = []
        if start is not None and snapshots is not None:
            for name, state in self.states().items():
                restore_state(state, read_part(snapshots, start, name))

    @property
    def config(self) -> NetworkConfig:
        """What the network is now: it may have grown."""
        return self.stages[0].config

    def _stand(self, stages: list[Stage]) -> None:
        self.stages = stages
        self._ticking = [TickStage(stage) for stage in stages] if self.config.video else []

    def grow(self, config: NetworkConfig) -> None:
        """Go on with more classes or inputs (:mod:`ffstream.growth`); ``recall`` has to give frames of its new width then.

        Raises:
            ConfigError: when this network cannot become that one; nothing is changed then.
        """
        self._stand([grown(stage, config) for stage in self.stages])
        self.dreamer.grow(config)

    def wake(self, batch: Batch) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._learn(batch)

    def sleep(self, recorded: Recorded, sleep: Sleep) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._pass(recorded)
        steps = 0
        stages = [stage.weights() for stage in self.stages] if self.config.generates else []
        for batch in self.dreamer.dreams(recorded, sleep, stages):
            self._learn(batch)
            steps += 1
        self._outcomes.append(self.dreamer.slept(recorded.seq, steps))

    def barrier(self, recorded: Recorded, barrier: Barrier) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._pass(recorded)
        files = {}
        if self.snapshots is not None:
            folder = folder_of(self.snapshots, recorded.seq)
            files = {name: write_part(folder, name, state) for name, state in self.states().items()}
        self._outcomes += [Passed(recorded.seq, self.dreamer.memory.oldest), Saved(recorded.seq, files)]

    def restore(self, recorded: Recorded, restore: Restore) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._pass(recorded)
        self._outcomes.append(Restored(recorded.seq, restore.last))

    def change(self, recorded: Recorded, change: Change) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._pass(recorded)
        self._stand([changed_stage(stage, change) for stage in self.stages])
        change_dreamer(self.dreamer, change)
        self._outcomes.append(Changed(recorded.seq, change))

    def publish(self, seq: int) -> None:
        """See :class:`~ffstream.chain.Chain`."""
        self._outcomes.append(Published(seq, tuple(stage.weights() for stage in self.stages)))

    def outcomes(self, timeout: float) -> list[Outcome]:
        """See :class:`~ffstream.chain.Chain`; never waits."""
        done, self._outcomes = self._outcomes, []
        return done

    def digests(self) -> dict[str, str]:
        """See :class:`~ffstream.chain.Chain`."""
        return {f"layer-{stage.index}": stage.digest() for stage in self.stages} | {"dreamer": self.dreamer.digest()}

    def states(self) -> dict[str, dict[str, Tensor]]:
        """The live tensors of every part, by the part's name and the tensor's."""
        stages = {f"layer-{stage.index}": stage.state() for stage in self.stages}
        return stages | {"dreamer": self.dreamer.state()}

    def close(self) -> None:
        """See :class:`~ffstream.chain.Chain`; there is nothing to stop."""

    def _learn(self, batch: Batch) -> None:
        """One batch through all layers, if it is new to them."""
        if all([stage.advance(batch.position) for stage in self.stages]):
            message = run(self.config, self._ticking, batch) if self._ticking else self._ascend(batch)
            self._outcomes.append(self.dreamer.finish(message))

    def _ascend(self, batch: Batch) -> Message:
        """Bottom to top, once."""
        message = self.stages[0].enter(batch)
        for stage in self.stages:
            message = stage.learn(message)
        return message

    def _pass(self, recorded: Recorded) -> None:
        for stage in self.stages:
            stage.advance(Position(recorded.seq), recorded.before)
