from collections.abc import Iterator

import pytest

from ffstream.actors.local import LocalRay


@pytest.fixture(scope="session")
def ray_runs() -> Iterator[None]:
    """One Ray for all tests that do not kill it."""
    local = LocalRay()
    local.open()
    yield
    local.close()
