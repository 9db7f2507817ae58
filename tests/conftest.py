import pytest
import torch

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.datasets import load

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits():
    return load("digits")


@pytest.fixture(scope="session")
def learned(digits):
    """A stream that has learned 5,000 digits, in one go. Not to be fed any further."""
    config = NetworkConfig(inputs=64, classes=10, units=(500, 500), batch=25)
    stream = Stream.in_process(config, Schedule(every=125, idle=None))
    order = digits.order(4, seed=0)[:5000]
    stream.feed(digits.x[order], digits.y[order])
    yield stream
    stream.close()
