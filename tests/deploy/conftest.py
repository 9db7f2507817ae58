"""What the tests of deployment share: the files, and a real service that has done a bit of everything."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from ffstream.client import Client
from ffstream_gateway.child import Child
from tests.patience import until


class Served(NamedTuple):
    url: str

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def metrics(self) -> str:
        answer = httpx2.get(f"{self.url}/metrics")
        assert answer.status_code == 200
        return answer.text


@pytest.fixture(scope="session")
def deploy() -> Path:
    return Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def served(no_settings: None, digits) -> Iterator[Served]:
    """A service that has learned and slept, and has refused something."""
    with Child(["--chain", "in-process", "--units", "40,40", "--every", "100", "--idle", "never"]) as child:
        url = child.url()
        with Client(url) as client:
            client.ready(30)
            last = client.feed(digits.x[:250], digits.y[:250]).last
            client.classify(digits.x_held[:10])
            until(lambda: client.status().through == last and client.status().sleeps, 30)
        assert httpx2.get(f"{url}/nowhere").status_code == 404
        yield Served(url)
