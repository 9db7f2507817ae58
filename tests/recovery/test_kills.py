"""Real signals to the processes of a running service; ``make bench-recovery`` has many more."""

import signal
from pathlib import Path

import pytest

from benchmarks.attacks import Attack, Victim

ATTACKS = [
    Attack("awake", ("layer-1",)),
    Attack("saving", ("dreamer",)),
    Attack("asleep", ("layer-2",)),
    Attack("recovering", ("dreamer",)),
    Attack("awake", ("gateway", "layer-0")),
    Attack("awake", ("raylet",), signal.SIGSTOP),
    Attack("recovering", ("ray",)),
]


@pytest.mark.timeout(900)
def test_weights_do_not_show_what_the_service_has_suffered(tmp_path: Path) -> None:
    """Ten kills, the first before any snapshot; after each all snapshots equal those of an undisturbed run, bit for bit."""
    with Victim(tmp_path / "data", "--snapshot-every", "100", pause=0.2) as victim:
        for attack in ATTACKS:
            victim.suffer(attack)
    assert victim.prove() > 1000
