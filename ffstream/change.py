"""What an event that changes every part does to each of them, as it passes.

Another such event takes a class in :mod:`ffstream.stream.events` and its case in these three functions. The network, the
actors, the journals, a replay and the way back to a snapshot know of changes only that they are some.
"""

from dataclasses import replace

from ffstream.config import NetworkConfig
from ffstream.dreamer import Dreamer
from ffstream.growth import grown
from ffstream.stage import Stage
from ffstream.stream.events import Change, Drift, Grow


def changed_network(config: NetworkConfig, change: Change) -> NetworkConfig:
    """What the network is from then on."""
    match change:
        case Grow(classes):
            return replace(config, classes=classes)
        case Drift():
            return config


def changed_stage(stage: Stage, change: Change) -> Stage:
    """A stage as it goes on: another one, or the same."""
    match change:
        case Grow():
            return grown(stage, changed_network(stage.config, change))
        case Drift():
            if change.forgets:
                stage.forget()
            return stage


def change_dreamer(dreamer: Dreamer, change: Change) -> None:
    """Let the dreamer go on so."""
    match change:
        case Grow():
            dreamer.grow(changed_network(dreamer.config, change))
        case Drift() if change.forgets:
            dreamer.memory.forget(change.frames)
