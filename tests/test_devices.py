"""Layers on GPUs, which are pretended here (``tests/pretended.py``): bits are the processor's, and no tensor is elsewhere."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from ffstream import ADAM, PLAIN, UNSUPERVISED, UNSUPERVISED_READOUT, LayerConfig, Schedule, Stream
from ffstream.boxes import BoxConfig
from ffstream.checks.script import Fail, Feed, Forget, GoBack, Reopen, Rest, Save, play, sample
from ffstream.classify import Method
from ffstream.devices import CPU, ON_THE_PROCESSOR, device_of
from ffstream.errors import ConfigError
from ffstream.fast_weights import FastWeights
from ffstream.growth import grown
from ffstream.stage import Stage
from tests.networks import CLIPS, CONVOLUTIONAL, JOINT, LOCAL, NETWORK, RECURRENT, RECURRENT_LOCAL, SEQUENCE, TABLE
from tests.pretended import gpus, place

KINDS = {
    "dense": NETWORK,
    "plain": replace(NETWORK, layer=PLAIN),
    "adam": replace(NETWORK, layer=ADAM),
    "bfloat16": replace(NETWORK, layer=LayerConfig(precision="bfloat16")),
    "blocks": replace(NETWORK, layer=LayerConfig(goodness="detectors_and_constraints", activation="student_t", blocks=2)),
    "activities": replace(NETWORK, layer=LayerConfig(goodness="negative_mean_of_activities", weight_cost=0.01)),
    "local": LOCAL,
    "convolutional": CONVOLUTIONAL,
    "unlabelled": replace(NETWORK, inputs=16, negatives="hybrid_frames", layer=UNSUPERVISED, readout=UNSUPERVISED_READOUT),
    "joint": JOINT,
    "table": TABLE,
    "soft": replace(NETWORK, soft_labels=True),
    "symbols": SEQUENCE,
    "fast_weights": replace(SEQUENCE, fast_weights=FastWeights(context=3)),
    "unknown_box": replace(NETWORK, box=BoxConfig()),
    "net": replace(NETWORK, box=BoxConfig("net", rate=0.01)),
    "hardware": replace(NETWORK, hardware=7),
    "recurrent": RECURRENT,
    "clips": CLIPS,
    "recurrent_local": RECURRENT_LOCAL,
}


def lived(config, devices=ON_THE_PROCESSOR):
    """A short life, awake and asleep, with labels and without: what every part came to, and what it makes of frames."""
    stream = Stream.in_process(config, devices=devices)
    x, y = sample(stream, 0, 24)
    stream.feed(x[:10], y[:10])
    stream.feed(x[10:14])
    stream.sleep(dreams=10)
    stream.feed(x[14:], y[14:])
    found = stream.classify(x, Method.ONE_PASS)
    return stream.chain, stream.chain.digests(), found.scores.tolist(), found.p_positive.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_on_gpus_is_the_network(kind):
    """On two of them, and a processor where there is a third layer."""
    expected = lived(KINDS[kind])[1:]
    with gpus(2):
        chain, *found = lived(KINDS[kind], {"layer-0": "cuda", "layer-1": "cuda:1"})
    assert tuple(found) == expected
    for stage, device in zip(chain.stages, ("cuda:0", "cuda:1", "cpu"), strict=False):
        state = stage.state().values()
        assert {place(tensor) for tensor in state if tensor.dtype is torch.float32} == {stage.device} == {torch.device(device)}
        assert {place(tensor) for tensor in state if tensor.dtype is not torch.float32} == {CPU}, "counts are at hand"


LIFE = [
    Feed(20),
    Feed(1, exact=True),
    Rest(),
    Save(),
    Feed(10),
    Fail(),
    Forget(),
    Feed(30),
    Save(),
    GoBack(),
    Reopen(),
    Feed(10),
]


def test_a_life_on_a_gpu_is_the_life(tmp_path):
    """With labels that are new, exact steps, snapshots, failures, and a way back."""
    config = replace(NETWORK, classes=3, units=(20, 16))
    make = partial(Stream.in_process, config, Schedule(idle=None), max_classes=5)
    expected = play(LIFE, lambda folder: make(folder=folder), tmp_path / "processor")
    with gpus(1):
        found = play(LIFE, lambda folder: make(folder=folder, devices={"layers": "cuda"}), tmp_path / "gpu")
    assert found == expected
    assert "layer-0" in found.digests


def test_a_folder_goes_on_on_another_device(tmp_path):
    """Snapshots are files of numbers, wherever those were."""
    digests = []
    with gpus(1):
        for devices in ({"layers": "cuda"}, {}, {"layer-1": "cuda"}):
            stream = Stream.in_process(NETWORK, folder=tmp_path, devices=devices)
            digests.append(stream.chain.digests())
            stream.feed(*sample(stream, 0, 10))
            stream.snapshot()
            digests.append(stream.chain.digests())
            stream.close()
    assert digests[1] == digests[2] != digests[3] == digests[4]


def test_first_weights_are_the_same_bits_everywhere():
    with gpus(1):
        stage = Stage(NETWORK, 0).to(torch.device("cuda:0"))
        assert stage.digest() == Stage(NETWORK, 0).digest()
        assert stage.average.live["layer"] is stage.layer.weights, "what is followed is what learns"
        assert stage.to(stage.device) is stage
        assert stage.to(CPU).device == CPU


def test_what_grows_stays_where_it_is():
    with gpus(1):
        stage = grown(Stage(NETWORK, 0).to(torch.device("cuda:0")), replace(NETWORK, classes=5))
        assert place(stage.layer.weights) == stage.device == torch.device("cuda:0")


def test_devices_of_layers():
    devices = {"layers": "cuda", "layer-1": "cpu"}
    assert [device_of(devices, part) for part in ("layer-0", "layer-1")] == ["cuda", "cpu"]
    assert device_of({}, "layer-0") == "cpu"


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ({"layer-3": "cuda"}, "layer-3, expected one of layer-0, layer-1, layer-2, layers"),
        ({"dreamer": "cuda"}, "dreamer"),
        ({"layer-1": "gpu"}, "layer-1: got 'gpu', expected cpu, cuda"),
        ({"layer-1": "cuda:1"}, r"layer-1: got cuda:1, but the number of GPUs .* here is 1"),
    ],
)
def test_devices_that_do_not_fit(devices, said, tmp_path):
    with gpus(1), pytest.raises(ConfigError, match=said):
        Stream.in_process(NETWORK, folder=tmp_path, devices=devices)
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_pretended_gpus_refuse_what_gpus_would():
    """What the other tests rest on."""
    with gpus(2):
        here, there, elsewhere = (torch.ones(3, device=torch.device(name)) for name in ("cpu", "cuda:0", "cuda:1"))
        for wrong in (
            lambda: there + here,
            lambda: here.add_(there),
            lambda: there + elsewhere,
            lambda: torch.cat([there, here]),
            lambda: here[there > 0],
            lambda: there.cumsum(0),
            there.numpy,
            lambda: np.asarray(there),
            there.data_ptr,
        ):
            with pytest.raises(AssertionError):
                wrong()
        assert here.copy_(there) is here
        assert there[here > 0].cpu().numpy().tolist() == [1, 1, 1]
