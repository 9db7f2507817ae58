"""What the benchmarks of speed are made of. How fast anything is, no test asks."""

from functools import partial

import pytest
import torch

from benchmarks.cost import Cost
from benchmarks.depth import LARGE, SMALL, Deep, growth, spread
from benchmarks.learners.speed import FORMATS, FastBackprop, StraightPort
from benchmarks.roofline import Life, needed, where
from benchmarks.soak import BOUNDS, MIB, Look
from benchmarks.soak import growth as soaked
from benchmarks.throughput import BATCH, CORES, PHASE, compare, frames_of, one_a_core, port, steps, stream
from benchmarks.turns import Turn, interleaved, ratio
from ffstream import NetworkConfig, Schedule, Stream
from ffstream.datasets import load
from ffstream.frames import to_tensor
from ffstream.polarity import Polarity
from ffstream.precision import PRECISIONS

DIGITS = load("digits")
X, Y = to_tensor(DIGITS.x), torch.from_numpy(DIGITS.y)


@pytest.mark.parametrize("format", FORMATS)
def test_backprop_learns_in_every_format(format: str) -> None:
    network = FastBackprop((64, 50, 50, 10), format)
    losses = [network.step(X[:200], Y[:200]) for _ in range(150)]
    assert losses[-1] < losses[0] / 2


def test_the_straight_port_learns() -> None:
    network = StraightPort((64, 100, 100), 10)
    losses = [network.step(X[:500], Y[:500]) for _ in range(500)]
    right = network.goodness(X[:500]).argmax(dim=1) == Y[:500]
    assert losses[-1] < losses[0]
    assert right.float().mean() > 0.8


def test_turns_are_taken_and_who_fails_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"port": "digits", "lost": "not there"}
    makes = {name: partial(steps, each, partial(port, (20,)), 1) for name, each in data.items()}
    turns = interleaved(makes, dict.fromkeys(makes, BATCH), rounds=2)
    assert [turn.frames for turn in turns["port"]] == [BATCH, BATCH]
    assert turns.keys() == {"port"}
    assert all(turn.cost.wall > 0 and turn.cost.cpu >= 0 for turn in turns["port"])
    said = capsys.readouterr().err
    assert "left out: lost: DatasetError" in said


def test_a_turn_of_ours_is_days_and_nights() -> None:
    with stream("digits", (20, 20), "float32", actors=False) as learn:
        assert 0 < learn(2 * PHASE * BATCH) <= 1
        opened = learn.args[0]
    assert opened.progress.frames == opened.progress.dreams == 2 * PHASE * BATCH
    assert opened.progress.sleeps == 2


def test_one_network_a_core_learns_all_frames_together() -> None:
    frames = frames_of("in process float32", 20, days=1)
    assert frames == CORES * PHASE * BATCH
    makes = {"cores": partial(one_a_core, "digits", (20, 20), "float32")}
    (turn,) = interleaved(makes, {"cores": frames}, rounds=1)["cores"]
    assert turn.frames == frames
    assert 0 < turn.taught <= 1
    assert turn.cost.cpu > 0


def test_ratios_are_of_turns_side_by_side() -> None:
    assert ratio([1.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == 2.0
    turns = {f"chain {each}": [Turn(100, Cost(1.0, 2.0), 0.5)] for each in PRECISIONS}
    turns |= {f"in process {each}": [Turn(100, Cost(2.0, 1.8), 0.5)] for each in PRECISIONS}
    turns |= {"backprop a": [Turn(100, Cost(0.5, 1.0), 1.0)], "backprop b": [Turn(100, Cost(0.8, 1.0), 1.0)]}
    turns |= {"port": [Turn(100, Cost(4.0, 4.0), 1.0)]}
    assert compare(turns) == {"in process": 0.9, "backprop": 0.5, "port": 4.0}


def test_watching_a_layer_changes_no_bit() -> None:
    life = Life(DIGITS, 24, "float32")
    updates = life.day()
    config = NetworkConfig(64, 10, (24, 24), batch=BATCH)
    plain = Stream.in_process(config, Schedule(every=PHASE * BATCH, idle=None))
    plain.feed(DIGITS.x[(order := DIGITS.order(1, seed=0)[: PHASE * BATCH])], DIGITS.y[order])
    watched = life.watched.layer.state()
    assert all(torch.equal(watched[name], tensor) for name, tensor in plain.chain.stages[1].layer.state().items())
    assert {polarity: len(each.seconds) for polarity, each in updates.items()} == dict.fromkeys(Polarity, PHASE)
    assert updates[Polarity.POSITIVE].forwarded == [2 * BATCH] * PHASE


def test_the_floor_has_the_products_of_the_rule() -> None:
    life = Life(DIGITS, 24, "float32")
    updates = life.day()[Polarity.NEGATIVE]
    updates.taught = [0.5]
    large, thin = needed(life.watched.layer, updates, Polarity.NEGATIVE)
    assert [product[:3] for product in large] == [(BATCH, 24, 24), (24, BATCH // 2, 25), (25, BATCH, 25)]
    assert len(thin) == 6
    shares = where(life)
    assert sum(shares.values()) == pytest.approx(1)
    assert {"thin products", "sweeps", "LAPACK", "Python"} <= shares.keys()


def test_what_grows_with_batch_and_depth_stands_alone() -> None:
    found = {(depth, batch): 1000 + 7 * depth + 3 * batch + 5 * depth * batch for depth in (1, 4) for batch in (SMALL, LARGE)}
    assert growth(found) == 5
    layers = [Deep(1, 1.0, 1.0, 1.0, [200]), Deep(3, 1.0, 1.0, 1.0, [210, 100, 104]), Deep(2, 1.0, 1.0, 1.0, [205, 92])]
    assert spread(layers) == pytest.approx(10 / 97)


def test_growth_is_counted_after_the_first_fifth() -> None:
    sizes = [0, 10, 30, 20, 25, 35, 31, 20, 20, 20]
    seen = [Look(at, size * MIB, size * MIB, size, size * MIB) for at, size in enumerate(sizes, start=1)]
    assert soaked(seen) == dict.fromkeys(BOUNDS, 25.0)
