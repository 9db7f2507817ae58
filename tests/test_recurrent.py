"""The recurrent network against its equations, written out once more in the plainest way."""

import collections
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ffstream import RECURRENT, LayerConfig, Method, NetworkConfig, Reader, Schedule, Stream, VideoConfig
from ffstream.checks.samples import blobs
from ffstream.clips import bouncing
from ffstream.errors import ConfigError, GapError
from ffstream.message import Batch, Position
from ffstream.network import Network
from ffstream.pacing import Pacer, Side
from ffstream.polarity import Polarity
from ffstream.recurrent import Eye, TickStage
from ffstream.stage import Stage, StageWeights

STILL = VideoConfig(ticks=5, read=(2, 4))
CONFIG = NetworkConfig(6, 3, (8, 7, 5), batch=4, label_strength=0.7, layer=LayerConfig("mean_of_squares"), video=STILL)
CLIPS = replace(CONFIG, inputs=30, video=replace(STILL, clip=5))


def weights(config, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(units, config.layer_inputs(index) + 1) for index, units in enumerate(config.units)]
    layers = [torch.randn(shape, generator=generator) / 2 for shape in shapes]
    readouts = [torch.randn(config.classes, units, generator=generator) for units in config.units]
    return [StageWeights(*pair) for pair in zip(layers, readouts, strict=True)]


def rms(row):
    return row / np.sqrt(np.mean(row**2) + 1e-12)


def by_hand(config, stages, frame, told):
    """Goodness [ticks, depth] and normalized states [ticks][depth] of one frame, in float64, a unit after another's sources."""
    pictures = frame.reshape(config.video.clip, -1)
    layers = [stage.layer.double().numpy() for stage in stages]
    told = told * config.label_strength * np.sqrt(config.units[-2])
    state, seen = [], rms(pictures[0])
    for layer, (_, above) in zip(layers, (config.sources(at) for at in range(config.depth)), strict=True):
        state.append(np.maximum(0, layer @ np.concatenate([seen, np.zeros(above), [1]])))
        seen = rms(state[-1])
    goodness, shown = [], []
    for tick in range(config.video.ticks):
        row = [rms(pictures[min(tick, len(pictures) - 1)]), *(rms(each) for each in state), told]
        new = [np.maximum(0, each @ np.concatenate([row[at], row[at + 2], [1]])) for at, each in enumerate(layers)]
        state = [0.3 * old + 0.7 * each for old, each in zip(state, new, strict=True)]
        goodness.append([np.mean(each**2) for each in new])
        shown.append([rms(each) for each in state])
    return np.array(goodness), shown


@pytest.mark.parametrize("config", [CONFIG, CLIPS], ids=["still", "clips"])
def test_reading_is_the_equations(config):
    stages = weights(config)
    reader = Reader(config, stages)
    frames = torch.rand(2, config.inputs, generator=torch.Generator().manual_seed(1))
    found = reader.goodness(frames, torch.tensor([2, 0]))
    logits = reader.logits(frames)
    for row, label in enumerate((2, 0)):
        goodness, _ = by_hand(config, stages, frames[row].double().numpy(), np.eye(3)[label])
        np.testing.assert_allclose(found[row], goodness[1:4].mean(axis=0), rtol=1e-4)
        _, shown = by_hand(config, stages, frames[row].double().numpy(), np.full(3, 1 / 3))
        read = [np.mean([tick[layer] for tick in shown[1:4]], axis=0) for layer in range(3)]
        z = sum(stage.readout.double().numpy() @ state for stage, state in zip(stages, read, strict=True))
        np.testing.assert_allclose(logits[row], z, rtol=1e-3, atol=1e-4)


def test_all_labels_count_every_layer():
    """The first layer hears of the label from above: its goodness counts too."""
    reader = Reader(CONFIG, weights(CONFIG))
    frames = torch.rand(4, 6, generator=torch.Generator().manual_seed(1))
    scores = reader.classify(frames, Method.GOODNESS).scores
    tried = torch.stack([reader.goodness(frames, torch.full((4,), label)).mean(dim=1) for label in range(3)], dim=1)
    torch.testing.assert_close(scores, (CONFIG.layer.sharpness * tried).softmax(dim=1))


def test_a_clip_is_classified_while_it_plays():
    """At the last tick that is read the answer is the one to the whole clip; before, it owes nothing to what is to come."""
    reader = Reader(CLIPS, weights(CLIPS))
    clips = torch.rand(2, 30, generator=torch.Generator().manual_seed(2))
    clips[1, :12] = clips[0, :12]
    played = []
    for clip in clips:
        playing = reader.play()
        played.append([playing.see(picture).clone() for picture in clip.view(5, 6)])
        torch.testing.assert_close(played[-1][3], reader.classify(clip[None]).scores[0])
        torch.testing.assert_close(played[-1][4], played[-1][3])
    assert all(torch.equal(one, other) for one, other in zip(played[0][:2], played[1][:2], strict=True))
    assert not torch.equal(played[0][2], played[1][2])
    assert torch.equal(Reader(CLIPS, ()).play().see(clips[0, :6]), torch.full((3,), 1 / 3))
    with pytest.raises(ConfigError, match="feed-forward"):
        Reader(replace(CONFIG, video=None), weights(replace(CONFIG, video=None))).play()


def batch(seq, polarity=Polarity.POSITIVE, rows=5):
    easy = blobs(rows, 6, 3, seed=seq)
    labels = torch.from_numpy(easy.y)
    if polarity is Polarity.POSITIVE:
        labels[1] = -1
    return Batch(Position(seq), polarity, torch.from_numpy(easy.x), labels, torch.arange(rows))


def test_every_tick_teaches_every_layer():
    """With one more tick every layer has learned something else; its readout reads those of the window only."""
    for ticks in (1, 2, 3):
        networks = [Network(replace(CONFIG, video=VideoConfig(n, read=(1, 1))), lambda ids: None) for n in (ticks, ticks + 1)]
        for network in networks:
            network.wake(batch(1))
        one, other = networks
        for before, after in zip(one.stages, other.stages, strict=True):
            assert not torch.equal(before.layer.weights, after.layer.weights)


def test_only_the_ticks_of_a_window_are_learned():
    """Before it the first weights act, after it nothing is left to learn; the micro-batch is one update all the same."""
    still = VideoConfig(ticks=4, read=(2, 2), lanes=1, learn=(2, 2))
    given = batch(1)
    told = given.labels >= 0
    network = Network(replace(CONFIG, video=still), lambda ids: None)
    first = [StageWeights(stage.layer.weights.clone(), stage.readout.weights) for stage in network.stages]
    reader = Reader(network.config, first)
    network.wake(given)
    expected = reader.goodness(given.frames[told], given.labels[told]).mean(dim=0)
    (learned,) = network.outcomes(0)
    torch.testing.assert_close(torch.tensor([report.goodness for report in learned.reports]), expected)
    other = Network(replace(CONFIG, video=replace(still, ticks=2)), lambda ids: None)
    other.wake(given)
    for stage, same in zip(network.stages, other.stages, strict=True):
        assert torch.equal(stage.layer.weights, same.layer.weights)
        assert float(stage.layer.state()["rule.phase"][1]) == pytest.approx(int(told.sum()) / CONFIG.batch)


def test_weights_are_rounded_anew_once_they_have_changed(monkeypatch):
    config = replace(CONFIG, layer=replace(CONFIG.layer, precision="bfloat16"))
    once, always = Network(config, lambda ids: None), Network(config, lambda ids: None)
    for seq in (1, 2, 3):
        once.wake(batch(seq))
    states = TickStage._states

    def anew(stage, *given, **named):
        stage._live = stage._steady = None
        return states(stage, *given, **named)

    monkeypatch.setattr(TickStage, "_states", anew)
    for seq in (1, 2, 3):
        always.wake(batch(seq))
    assert [stage.digest() for stage in once.stages] == [stage.digest() for stage in always.stages]


def test_sleep_lowers_the_goodness_that_wake_raises():
    layer = replace(CONFIG.layer, rule="plain", rate=0.3, momentum=0.0, peer=0.0)
    network = Network(replace(CONFIG, layer=layer), lambda ids: None)
    seen = []
    for polarity in (Polarity.POSITIVE,) * 6 + (Polarity.NEGATIVE,) * 12:
        given = replace(batch(1, polarity), position=Position(len(seen) + 1), labels=torch.tensor([0, 1, 2, 0, 1]))
        network.wake(given)
        seen.append(network.outcomes(0)[0].reports)
    for layer in range(3):
        goodness = [reports[layer].goodness for reports in seen]
        assert goodness[0] < goodness[5]
        assert goodness[5] > goodness[-1]


class Post:
    """Two pacers' neighbours, whose letters wait until they are delivered."""

    def __init__(self, at, stage, pacers, letters):
        self.at, self.stage, self.pacers, self.letters = at, stage, pacers, letters
        self.marks = []

    def show(self, states):
        for to, side in ((self.at - 1, Side.ABOVE), (self.at + 1, Side.BELOW)):
            if 0 <= to < len(self.pacers):
                self.letters.setdefault((self.at, to), []).append((side, states))

    def hand_on(self, message):
        self.letters.setdefault((self.at, self.at + 1), []).append((Side.BELOW, message))

    def mark(self, thing):
        self.marks.append(thing)
        return self.stage


def row_of_pacers(config):
    pacers, letters = [None] * config.depth, {}
    stages = [Stage(config, index) for index in range(config.depth)]
    for at, stage in enumerate(stages):
        pacers[at] = Pacer(stage, Post(at, stage, pacers, letters))
    return stages, pacers, letters


@pytest.mark.parametrize("seed", range(5))
def test_no_order_of_arrival_changes_a_bit(seed):
    """Neighbours' letters stay in order, those of different neighbours do not; the end is always the specification's."""
    rng = np.random.default_rng(seed)
    stages, pacers, letters = row_of_pacers(CONFIG)
    reference = Network(CONFIG, lambda ids: None)
    for seq in (1, 2, 3):
        given = batch(seq, Polarity.NEGATIVE if seq == 2 else Polarity.POSITIVE)
        eye = Eye(CONFIG, given)
        shown = [eye.shows(tick, lane) for tick in range(eye.video.ticks) for lane in range(eye.lanes)]
        letters.setdefault((-1, 0), []).extend((Side.BELOW, each) for each in (*shown, eye.question(3), f"mark {seq}"))
        reference.wake(given)
    while ready := [way for way, waiting in letters.items() if waiting and way[1] < len(pacers)]:
        way = ready[rng.integers(len(ready))]
        pacers[way[1]].came(*letters[way].pop(0))
    assert [stage.digest() for stage in stages] == [stage.digest() for stage in reference.stages]
    assert pacers[0].neighbours.marks == ["mark 1", "mark 2", "mark 3"]
    predicted = [
        message.prediction for _, message in letters[2, 3] if len(message.reports) and message.polarity.value == "positive"
    ]
    learned = [outcome.logits for outcome in reference.outcomes(0)]
    assert torch.equal(predicted[0], learned[0])


@pytest.mark.parametrize("lost", [1, 4, 10])
def test_a_lost_letter_is_noticed(lost):
    _, pacers, _ = row_of_pacers(replace(CONFIG, units=(8,)))
    eye = Eye(replace(CONFIG, units=(8,)), batch(1))
    shown = [eye.shows(tick, lane) for tick in range(5) for lane in range(2)] + [eye.question(3)]
    del shown[lost]
    with pytest.raises(GapError, match="missing"):
        collections.deque(pacers[0].came(Side.BELOW, each) for each in [*shown, "mark"])


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"ticks": 0}, "ticks"),
        ({"clip": 3}, "clip"),
        ({"kept": 1.0}, "kept"),
        ({"read": (3, 9)}, "read"),
        ({"read": (0, 2)}, "read"),
        ({"lanes": 0}, "lanes"),
        ({"learn": (3, 9)}, "learn"),
        ({"learn": (3, 2)}, "learn"),
    ],
)
def test_impossible_settings(changed, match):
    with pytest.raises(ConfigError, match=match):
        VideoConfig(**changed)


@pytest.mark.parametrize("ticks", [[], [1], [1, 2, 3], 5])
def test_a_window_is_a_pair(ticks):
    for name in ("read", "learn"):
        with pytest.raises(ConfigError, match="a first and a last"):
            VideoConfig.from_dict({name: ticks})


def test_impossible_networks():
    with pytest.raises(ConfigError, match="multiple"):
        replace(CLIPS, inputs=31)
    with pytest.raises(ConfigError, match="wrong labels"):
        replace(CONFIG, inputs=9, negatives="hybrid_frames")


def test_sources():
    assert [CONFIG.sources(index) for index in range(3)] == [(6, 7), (8, 5), (7, 3)]
    assert [CLIPS.sources(index) for index in range(3)] == [(6, 7), (8, 5), (7, 3)]
    plain = replace(CONFIG, video=None)
    assert [plain.sources(index) for index in range(3)] == [(6, 3), (8,), (7,)]
    assert "video" not in plain.to_dict()
    assert NetworkConfig.from_dict(CLIPS.to_dict()) == CLIPS


def test_a_window_that_is_learned_as_plain_data():
    """A network without one has the digest that it had before there were any."""
    some = replace(CONFIG, video=replace(STILL, learn=(2, 3)))
    assert NetworkConfig.from_dict(json.loads(json.dumps(some.to_dict()))) == some
    assert "learn" not in CONFIG.to_dict()["video"]
    assert some.digest() != CONFIG.digest()


def test_beats_feed_forward_on_occluded_pictures(digits):
    """Moving digits behind a curtain: what was seen before it, and what is expected from above, is worth something."""
    ticks, side, curtain = 6, 10, 7
    rng = np.random.default_rng(0)
    rows = digits.order(2, 0)[:2000]
    clips, held = (bouncing(x, ticks, side, curtain, rng) for x in (digits.x[rows], digits.x_held))
    layer = replace(RECURRENT, directions=8)
    video = VideoConfig(ticks, ticks, read=(1, ticks), lanes=1)
    watching = Stream.in_process(
        NetworkConfig(ticks * side * side, 10, (100, 100), batch=25, layer=layer, video=video, label_strength=1.5),
        Schedule(every=25, idle=None),
    )
    watching.feed(clips.x, digits.y[rows])
    glancing = Stream.in_process(NetworkConfig(side * side, 10, (100, 100), batch=150), Schedule(every=150, idle=None))
    glancing.feed(clips.pictures.reshape(-1, side * side), np.repeat(digits.y[rows], ticks))
    wrong = {"recurrent": [], "feed-forward": []}
    for clip, occluded, label in list(zip(held.pictures, held.occluded, digits.y_held, strict=True))[:150]:
        playing = watching.reader.play()
        seen = [int(playing.see(torch.from_numpy(picture).float()).argmax()) for picture in clip]
        wrong["recurrent"] += [seen[tick] != label for tick in np.flatnonzero(occluded)]
        wrong["feed-forward"] += (glancing.classify(clip[occluded]).labels.numpy() != label).tolist()
    recurrent, feed_forward = (np.mean(each) for each in wrong.values())
    assert recurrent < 0.8 * feed_forward, f"{recurrent:.2f} against {feed_forward:.2f} of {len(wrong['recurrent'])} pictures"
