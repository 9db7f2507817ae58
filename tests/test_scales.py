from dataclasses import replace

import numpy as np
import pytest
import torch

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.labels import LabelViews
from ffstream.message import Batch, Position
from ffstream.polarity import Polarity
from ffstream.scales import LIMIT, SPAN, WEIGHT, Scales, of_z, spread, width
from ffstream.stage import Stage

TABLE = NetworkConfig(inputs=3, classes=2, units=(20, 10), batch=10, standardize=True)
RNG = np.random.default_rng(0)
ROWS = torch.from_numpy((RNG.standard_normal((200, 3)) * [1, 1e4, 1e-3] + [0, 1e5, 7]).astype(np.float32))


def seen(frames: torch.Tensor) -> Scales:
    scales = Scales(frames.shape[1])
    scales.observe(frames)
    return scales


def z_of(frames: torch.Tensor, scales: Scales) -> torch.Tensor:
    return of_z(spread(frames, scales.moments), frames.shape[1]) / WEIGHT


def test_moments_are_mean_and_variance():
    mean, variance = seen(ROWS).moments
    torch.testing.assert_close(mean, ROWS.double().mean(dim=0))
    torch.testing.assert_close(variance, ROWS.double().var(dim=0, correction=0))


def test_frames_may_come_in_any_portions():
    parts = Scales(3)
    for part in ROWS.split([1, 1, 58, 0, 140]):
        parts.observe(part)
    torch.testing.assert_close(parts.moments, seen(ROWS).moments)
    assert parts.frames.tolist() == [200.0] * 3


def test_every_number_becomes_z_and_bins():
    scales = seen(torch.tensor([[-1.0], [1.0]]))
    rows = spread(torch.tensor([[0.0], [0.25], [-1.5], [4.0], [-90.0]]), scales.moments)
    assert rows.shape == (5, width(1))
    assert rows.tolist() == [
        [2, 0, 0, 0, 1, 0, 0],
        [2, 0.5, 0, 0, 0.75, 0.25, 0],
        [2, -3, 0.5, 0.5, 0, 0, 0],
        [2, 8, 0, 0, 0, 0, 1],
        [2, -10, 1, 0, 0, 0, 0],
    ]


def test_a_constant_number_is_0_whatever_it_is():
    frames = torch.tensor([[0.1, 1e30, 0.0]]).expand(70, -1)
    scales = Scales(3)
    for part in frames.split(7):
        scales.observe(part)
    assert not spread(frames, scales.moments).any()
    assert not spread(torch.tensor([[5.0, 5.0, 5.0]]), scales.moments).any()


def test_before_any_frame_every_row_is_0():
    assert not spread(ROWS, Scales(3).moments).any()


def test_a_number_that_has_not_varied_changes_nothing_for_the_others():
    frames = torch.cat([ROWS, torch.full((200, 1), 7.0)], dim=1)
    assert torch.equal(spread(frames, seen(frames).moments)[:, : width(3)], spread(ROWS, seen(ROWS).moments))


def test_a_wild_number_does_no_lasting_harm():
    scales = seen(ROWS)
    before = scales.moments.clone()
    scales.observe(torch.tensor([[3e38, -3e38, 3e38]]))
    assert (scales.moments[1] < 1.5 * before[1]).all()
    assert z_of(torch.tensor([[3e38, -3e38, 3e38]]), scales).tolist() == [[LIMIT, -LIMIT, LIMIT]]


def test_a_scale_that_changes_is_followed():
    before = ROWS[:, :1]
    scales, after = seen(before), 1000 * before + 500
    for part in after.repeat(15, 1).split(25):
        scales.observe(part)
    z = z_of(after, scales)
    assert abs(float(z.mean())) < 0.3
    assert 0.6 < float(z.std()) < 1.5


def test_what_is_long_past_is_forgotten():
    scales = Scales(1)
    scales.frames += 100 * SPAN
    for _ in range(30):
        scales.observe(torch.tensor([[2.0], [4.0]]).repeat(SPAN // 4, 1))
    torch.testing.assert_close(scales.moments, torch.tensor([[3.0], [1.0]], dtype=torch.float64), rtol=0.01, atol=0.0)


def test_after_a_drift_the_moments_follow_sooner():
    stages = [Stage(TABLE, 0) for _ in range(2)]
    for stage in stages:
        stage.scales.observe(ROWS.repeat(10, 1))
    stages[1].forget()
    for stage in stages:
        stage.scales.observe(ROWS + 2)
    kept, forgot = (abs(float(stage.scales.moments[0, 0]) - 2) for stage in stages)
    assert forgot < 0.5 < kept


def batch(polarity: Polarity, step: int = 0, seq: int = 1) -> Batch:
    labels = torch.arange(10) % 2
    return Batch(Position(seq, step), polarity, ROWS[:10], labels, torch.arange(10))


def test_wake_teaches_the_moments_and_sleep_does_not():
    stage = Stage(TABLE, 0)
    stage.enter(batch(Polarity.POSITIVE))
    learned = stage.state()["scales.moments"].clone()
    torch.testing.assert_close(learned, seen(ROWS[:10]).moments)
    stage.enter(batch(Polarity.NEGATIVE, step=1, seq=2))
    stage.enter(batch(Polarity.POSITIVE, step=2, seq=2))
    assert torch.equal(stage.state()["scales.moments"], learned)


def test_a_micro_batch_is_seen_before_it_is_scaled():
    stage, given = Stage(TABLE, 0), batch(Polarity.POSITIVE)
    message = stage.enter(given)
    views = LabelViews(2, TABLE.label_strength, moments=seen(ROWS[:10]).moments)
    assert torch.equal(message.activity[:10], views.labelled(given.frames, given.labels))
    assert torch.equal(message.activity[10:], views.neutral(given.frames))


def test_only_the_first_stage_of_a_table_has_scales():
    assert [any("scales" in name for name in Stage(TABLE, index).state()) for index in range(2)] == [True, False]
    assert not any("scales" in name for name in Stage(replace(TABLE, standardize=False), 0).state())
    assert [Stage(TABLE, index).weights().moments is None for index in range(2)] == [False, True]


@pytest.mark.parametrize("standardize", [True, False])
def test_a_few_columns_of_unequal_scale_are_learned_when_they_are_standardized(standardize):
    """The label is in the column that is 10,000,000 times smaller than its neighbour, and in how far it is from its mean."""
    x = (RNG.standard_normal((1200, 3)) * [1, 1e4, 1e-3] + [0, 1e5, 7]).astype(np.float32)
    y = (np.abs(x[:, 2] - 7) > 0.00067).astype(np.int64)
    stream = Stream.in_process(replace(TABLE, standardize=standardize), Schedule(every=10, idle=None))
    stream.feed(x[:1000], y[:1000])
    right = (stream.classify(x[1000:]).labels.numpy() == y[1000:]).mean()
    assert (right > 0.85) == standardize
