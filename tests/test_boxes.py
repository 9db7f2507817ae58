"""Black boxes between layers, instances of hardware, and labels that are distributions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ffstream import LayerConfig, Method, NetworkConfig, Schedule, Stream
from ffstream.boxes import BoxConfig, Net, Port
from ffstream.classify import Reader
from ffstream.datasets import load
from ffstream.errors import ConfigError
from ffstream.frames import to_tensor
from ffstream.hardware import LEVELS, Instance
from ffstream.layer import Layer
from ffstream.polarity import Polarity
from ffstream.soft import asked, soften

DIGITS = load("digits")
CONFIG = NetworkConfig(inputs=64, classes=10, units=(80, 80), batch=25)
SCHEDULE = Schedule(every=250, idle=None)


def coins(units, config, rng):
    """A box of one's own: a tenth of the units is lost, another one at every call."""
    return lambda h, rng: h * torch.from_numpy(rng.random(h.shape) < 0.9)


def errors(reader, method=Method.SHORTLIST, x=DIGITS.x_held):
    return float((reader.classify(x, method).labels.numpy() != DIGITS.y_held).mean())


def lived(config, x=DIGITS.x, y=DIGITS.y, passes=1):
    stream = Stream.in_process(config, SCHEDULE)
    for _ in range(passes):
        stream.feed(x, y)
    return stream


@pytest.mark.parametrize("kind", ["unknown", "net", f"{__name__}:coins"])
def test_layers_learn_through_a_box(kind):
    """By goodness, of which only the layer above the box has a say; layers that do not move are at chance, 0.9."""
    stream = lived(replace(CONFIG, box=BoxConfig(kind, strength=0.2, looks=4)))
    assert errors(stream, Method.GOODNESS) < 0.6


def test_a_box_that_is_not_there():
    for kind in ("nothing", "ffstream.boxes:Nothing", "no.such.module:box"):
        with pytest.raises(ConfigError, match="box kind"):
            BoxConfig(kind)


def test_a_net_estimates_the_derivative_from_values_alone():
    """The mean of many slow steps goes where the derivative points."""
    layer = Layer(30, 20, LayerConfig(sharpness=5.0), seed=1)
    h = torch.rand(40, 30, generator=torch.Generator().manual_seed(0))
    net = Net(30, BoxConfig("net", 0.0, rate=1e-3), np.random.default_rng(0))
    start = net.weights.clone()
    probe = start.clone().requires_grad_()
    layer.cost((h @ probe[0].t()).relu() @ probe[1].t(), Polarity.POSITIVE).mean().backward()
    moved = torch.zeros_like(start)
    for number in range(400):
        net.weights.copy_(start)
        net.learn(h, np.random.default_rng(number), lambda out: layer.cost(out, Polarity.POSITIVE))
        moved += net.weights - start
    for step, gradient in zip(moved, probe.grad, strict=True):
        assert float(torch.cosine_similarity(-step.flatten(), gradient.flatten(), dim=0)) > 0.5


def test_the_weights_of_a_box_are_published_with_the_layer():
    stream = lived(replace(CONFIG, box=BoxConfig("net", rate=1e-4)), DIGITS.x[:100], DIGITS.y[:100])
    live = [stage.port.weights for stage in stream.chain.stages[1:]]
    first = [Port(stream.config.box, 0, index, 80).weights for index in (1,)]
    for stage, now, before in zip(stream.reader.stages[1:], live, first, strict=True):
        assert torch.equal(stage.box, now)
        assert not torch.equal(now, before)


def test_an_instance_has_units_of_its_own_and_four_bits():
    inputs = torch.randn(200, 50, generator=torch.Generator().manual_seed(0)) * 3
    one, again, other = (Instance(number, 0, 50).value(inputs) for number in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert len(one.unique()) == LEVELS + 1
    assert one.min() == 0


def test_weights_are_of_use_on_their_own_instance_only():
    """Copied to another instance they are lost; what they do is passed on by soft labels."""
    teacher = lived(replace(CONFIG, hardware=1))
    copied = Reader(replace(CONFIG, hardware=2), teacher.reader.stages)
    assert errors(teacher) < 0.2
    assert errors(copied, x=to_tensor(DIGITS.x_held)) > errors(teacher) + 0.2
    told = teacher.classify(DIGITS.x, Method.SHORTLIST)
    config = replace(CONFIG, hardware=2, inputs=74, soft_labels=True, seed=5)
    student = lived(config, soften(DIGITS.x, told.scores), told.labels.numpy())
    assert errors(student, x=asked(DIGITS.x_held, 10)) < errors(teacher) + 0.1


def test_a_question_may_say_what_it_likes_of_its_label():
    few = DIGITS.y[:100]
    student = lived(replace(CONFIG, inputs=74, soft_labels=True), soften(DIGITS.x[:100], np.eye(10)[few]), few)
    for method in Method:
        told = student.classify(soften(DIGITS.x_held, np.eye(10)[DIGITS.y_held]), method).scores
        assert torch.equal(told, student.classify(asked(DIGITS.x_held, 10), method).scores)
