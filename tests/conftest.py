import os

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


@pytest.fixture(scope="module")
def no_settings(tmp_path_factory):
    """A folder without a file of settings, and none in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("cwd"))
        for name in [name for name in os.environ if name.startswith("FFSTREAM_")]:
            patch.delenv(name)
        yield
