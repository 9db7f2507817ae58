"""One life in which each operation of the journal and the snapshots fails in turn, in every way there is."""

import itertools

import pytest

from tests.simulation.disk import Fault
from tests.simulation.life import Life, live

SEED = 31
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


@pytest.mark.parametrize("fault", Fault)
def test_the_nth_operation_fails(fault: Fault) -> None:
    """For every n until there is no n-th."""
    for n in itertools.count(1):
        life = live(SEED, SCRIPT, lambda number, n=n: fault if number == n else None)
        if not life.happened["faults of the disk"]:
            break
    assert n > 100
    assert life.happened["starts from a snapshot"]
    assert life.happened["sleep events"]
    assert life.happened["repeated requests"]
    assert life.happened["late labels"]
    assert life.happened["steps of pruning"]
    assert life.happened["restore events"]


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.TORN])
def test_every_nth_operation_fails(fault: Fault) -> None:
    """From every one to none at all."""
    for n in itertools.count(1):
        life = live(SEED, SCRIPT, lambda number, n=n: fault if number % n == 0 else None)
        if not life.happened["faults of the disk"]:
            break
    assert n > 100
