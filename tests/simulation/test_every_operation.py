"""One life in which each operation of the journal and the snapshots fails in turn, in every way there is."""

import itertools

import pytest

from tests.simulation.disk import Fault
from tests.simulation.life import Life, live

HAPPENS = (
    "starts from a snapshot",
    "sleep events",
    "repeated requests",
    "late labels",
    "steps of pruning",
    "restore events",
    "grow events",
)
"""What has to be in the life, so that each kind of operation fails once."""

SCRIPT = (
    *(Life.feed, Life.turn, Life.ask_for_a_snapshot, Life.turn, Life.turn),
    *(
        Life.feed,
        Life.ask_for_sleep,
        Life.turn,
        Life.feed,
        Life.label_late,
        Life.retry,
        Life.turn,
        Life.ask_for_a_snapshot,
        Life.turn,
        Life.turn,
    ),
    *(Life.crash, Life.turn, Life.feed, Life.turn, Life.turn),
    *(Life.go_back, Life.turn, Life.feed, Life.turn, Life.turn),
)


@pytest.fixture(scope="module")
def seed() -> int:
    """The first with which all of it happens when nothing fails."""
    return next(seed for seed in range(1000) if all(live(seed, SCRIPT).happened[name] for name in HAPPENS))


@pytest.mark.parametrize("fault", Fault)
def test_the_nth_operation_fails(seed: int, fault: Fault) -> None:
    """For every n until there is no n-th."""
    for n in itertools.count(1):
        life = live(seed, SCRIPT, lambda number, n=n: fault if number == n else None)
        if not life.happened["faults of the disk"]:
            break
    assert n > 100


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.TORN])
def test_every_nth_operation_fails(seed: int, fault: Fault) -> None:
    """From every one to none at all."""
    for n in itertools.count(1):
        life = live(seed, SCRIPT, lambda number, n=n: fault if number % n == 0 else None)
        if not life.happened["faults of the disk"]:
            break
    assert n > 100
