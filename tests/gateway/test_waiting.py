"""What a client is told that has to wait."""

import numpy as np
import pytest

from ffstream_gateway.service import Service


@pytest.mark.parametrize(
    ("waiting", "rate", "seconds"), [(1, 0.0, 5), (1000, 0.0, 5), (31, 1.0, 15), (200, 10.0, 10), (5, 10.0, 1), (1000, 1.0, 60)]
)
def test_until_half_of_what_waits_is_learned(gateway, refused, monkeypatch, waiting, rate, seconds):
    monkeypatch.setattr(Service, "frames_per_second", rate)
    opening = gateway.hold("__init__")
    app = gateway.open(backlog=waiting)
    app.accepted(np.ones((waiting, 64)))
    answer = app.feed(np.ones((1, 64)))
    refused(answer, 429, "backlog")
    assert answer.headers["retry-after"] == str(seconds)
    opening.open()
