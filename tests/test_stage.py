import pytest
import torch

from ffstream import NetworkConfig, Polarity
from ffstream.checks.law import bits, differing
from ffstream.errors import GapError, SnapshotError
from ffstream.labels import LabelViews
from ffstream.message import Batch, Position, enter
from ffstream.stage import Stage, restore

CONFIG = NetworkConfig(inputs=6, classes=3, units=(9, 8), batch=10)


def batch(polarity=Polarity.POSITIVE, labels=(0, 1, 2, -1, 1, -1), seq=1):
    x = torch.rand(len(labels), 6, generator=torch.Generator().manual_seed(seq))
    return Batch(Position(seq), polarity, x, torch.tensor(labels), torch.arange(len(labels)) + 1)


def learned(stages, given):
    message = stages[0].enter(given)
    for stage in stages:
        message = stage.learn(message)
    return message


@pytest.fixture
def stages():
    stages = [Stage(CONFIG, 0), Stage(CONFIG, 1)]
    learned(stages, batch())
    return stages


def test_label_views_are_frame_and_label_side_by_side():
    views = LabelViews(classes=3, strength=0.5)
    x = torch.rand(4, 6) * torch.tensor([1e-3, 1.0, 50.0, 1e6])[:, None]
    for rows, label in (
        (views.labelled(x, torch.tensor([2, 2, 2, 2])), torch.tensor([0.0, 0.0, 1.0])),
        (views.neutral(x), torch.full((3,), 1 / 3)),
    ):
        assert rows.shape == (4, 9)
        assert torch.allclose(rows.square().mean(dim=1), torch.ones(4), atol=1e-5)
        frame, side = rows[:, :6], rows[:, 6:]
        assert torch.allclose(side / side.norm(dim=1, keepdim=True), label / label.norm(), atol=1e-5)
        assert torch.allclose(side.norm(dim=1) / frame.norm(dim=1), 0.5 * label.norm().expand(4), atol=1e-2)
    assert not torch.equal(views.labelled(x, torch.tensor([0] * 4)), views.labelled(x, torch.tensor([1] * 4)))


def test_wake_sends_true_labels_first_and_every_frame_neutral():
    views, given = LabelViews(3, 0.44), batch()
    message = enter(given, views)
    known = given.labels != -1
    assert message.taught == 4
    assert torch.equal(message.activity[:4], views.labelled(given.frames[known], given.labels[known]))
    assert torch.equal(message.activity[4:], views.neutral(given.frames))
    assert message.known.tolist() == known.tolist()


def test_sleep_sends_wrong_labels_only():
    views, given = LabelViews(3, 0.44), batch(Polarity.NEGATIVE, labels=(0, 1, 2))
    message = enter(given, views)
    assert message.taught == len(message.activity) == 3
    assert torch.equal(message.activity, views.labelled(given.frames, given.labels))


def test_sleep_leaves_the_readout_alone(stages):
    before = [bits(stage.readout.state()) for stage in stages]
    layers = [bits(stage.layer.state()) for stage in stages]
    learned(stages, batch(Polarity.NEGATIVE, labels=(0, 1, 2)))
    assert not any(differing(was, stage.readout.state()) for was, stage in zip(before, stages, strict=True))
    assert all(differing(was, stage.layer.state()) for was, stage in zip(layers, stages, strict=True))


def test_frames_without_labels_teach_nothing(stages):
    before = [bits(stage.layer.state() | stage.readout.state()) for stage in stages]
    message = learned(stages, batch(labels=(-1, -1, -1), seq=2))
    assert message.reports == ()
    assert message.logits.any()
    after = [stage.layer.state() | stage.readout.state() for stage in stages]
    assert not any(differing(was, now) for was, now in zip(before, after, strict=True))


def test_frames_without_labels_may_come_first():
    stages = [Stage(CONFIG, 0), Stage(CONFIG, 1)]
    assert not learned(stages, batch(labels=(-1, -1))).logits.any()


def test_what_is_handed_on_was_computed_before_learning():
    """With any labels, the neutral rows and the logits that go up are the same bits."""
    one, other = ([Stage(CONFIG, 0), Stage(CONFIG, 1)] for _ in range(2))
    for stages in (one, other):
        learned(stages, batch())
    first = learned(one, batch(labels=(0, 1, 2), seq=2))
    second = learned(other, batch(labels=(2, 2, 0), seq=2))
    assert torch.equal(first.activity[3:], second.activity[3:])
    assert torch.equal(first.logits, second.logits)


def test_only_the_direction_is_handed_on(stages):
    layer, rows = stages[0].layer, stages[0].enter(batch(seq=2))
    activities = layer.forward(rows.activity)
    message = stages[0].learn(rows)
    assert torch.equal(message.activity, layer.goodness.normalize(activities))
    assert not torch.allclose(message.activity, activities)
    assert not message.activity.requires_grad


def test_one_report_a_layer_before_its_step(stages):
    given = batch(seq=2)
    rows = stages[0].enter(given)
    layer = stages[0].layer
    expected = layer.goodness.value(layer.forward(rows.activity[: rows.taught])).mean()
    reports = learned(stages, given).reports
    assert [report.polarity for report in reports] == [Polarity.POSITIVE] * 2
    assert reports[0].goodness == pytest.approx(float(expected), rel=1e-5)


def test_places_follow_one_another():
    stage = Stage(CONFIG, 0)
    for position in ((1, 0), (2, 0), (2, 1), (2, 2), (3, 0)):
        assert stage.advance(Position(*position))
        assert stage.position == position


@pytest.mark.parametrize("position", [(2, 0), (1, 1), (1, 0)])
def test_what_was_applied_is_dropped(position):
    stage = Stage(CONFIG, 0)
    for past in ((1, 0), (1, 1), (2, 0)):
        stage.advance(Position(*past))
    assert not stage.advance(Position(*position))
    assert stage.position == (2, 0)


@pytest.mark.parametrize("position", [(4, 0), (2, 2), (3, 1)])
def test_a_gap_is_an_error(position):
    stage = Stage(CONFIG, 0)
    for past in ((1, 0), (2, 0)):
        stage.advance(Position(*past))
    with pytest.raises(GapError, match="missing"):
        stage.advance(Position(*position))
    assert stage.position == (2, 0)


def test_restore_changes_all_or_nothing(stages):
    saved, live = bits(stages[0].state()), Stage(CONFIG, 0).state()
    before = bits(live)
    name = sorted(saved)[-1]
    for wrong in (
        {other: tensor for other, tensor in saved.items() if other != name},
        saved | {"more": torch.zeros(1)},
        saved | {name: torch.zeros(77, dtype=saved[name].dtype)},
        saved | {name: saved[name].to(torch.float16)},
    ):
        with pytest.raises(SnapshotError):
            restore(live, wrong)
        assert not differing(before, live)
    restore(live, saved)
    assert not differing(saved, live)


def test_published_weights_are_copies(stages):
    published = stages[0].weights()
    before = bits(published.tensors())
    learned(stages, batch(seq=2))
    assert not differing(before, published.tensors())
    assert differing(before, stages[0].weights().tensors())
