"""A stream that changes, as a user of the service sees it."""

import numpy as np
import pytest

from ffstream.datasets import load

DIGITS = load("digits")
LEARNED, CHANGED = 2000, 1000
"""Frames before every digit is called something else, and after."""


def live_through(app):
    order = DIGITS.order(3, 0)[: LEARNED + CHANGED]
    labels = np.where(np.arange(len(order)) < LEARNED, DIGITS.y[order], (DIGITS.y[order] + 3) % 10)
    for part in np.split(np.arange(len(order)), 30):
        app.accepted(DIGITS.x[order[part]], labels[part])
        app.settle()
    return app.get("/status")


@pytest.mark.parametrize("reaction", ["tell", "sleep", "forget"])
def test_it_is_told_of(gateway, reaction):
    app = gateway.open(drift=reaction)
    status = live_through(app)
    told = app.events("drift")
    assert status["drifts"] == len(told) >= 1
    last = status["last_drift"]
    assert (last["seq"], last["reaction"]) == (told[-1].seq, reaction)
    assert last["since"] > last["before"]
    moment = app.get("/moment")
    assert (moment["drifts"], moment["last_drift"]) == (status["drifts"], last)
    assert f"ffstream_drifts_total {float(len(told))}" in app.http.get("/metrics").text
    assert bool(app.events("sleep")) == (reaction == "sleep")


def test_nobody_looks(gateway):
    app = gateway.open(drift="never")
    status = live_through(app)
    assert (status["drifts"], status["last_drift"]) == (0, None)
    assert not app.events("drift")
