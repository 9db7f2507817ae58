"""That it learns: scikit-learn's digits, 5,000 frames, one pass over the stream."""

import pytest

from ffstream import Method, NetworkConfig, Schedule, Stream


def held_out(stream, digits, method):
    return float((stream.classify(digits.x_held, method).labels.numpy() == digits.y_held).mean())


def test_prequential(learned):
    assert learned.progress.labelled == 5000
    assert learned.progress.accuracy >= 0.95
    assert learned.progress.sleeps == 40
    assert learned.progress.dreams == 5000


@pytest.mark.parametrize(("method", "expected"), [(Method.GOODNESS, 0.96), (Method.SHORTLIST, 0.96), (Method.ONE_PASS, 0.94)])
def test_held_out(learned, digits, method, expected):
    assert held_out(learned, digits, method) >= expected


def test_a_stream_that_trickles_in_teaches_as_much(digits):
    """One frame at a time, and 7 at a time, against full micro-batches of 25."""
    config = NetworkConfig(inputs=64, classes=10, units=(200, 200), batch=25)
    order = digits.order(2, seed=0)[:2500]
    right = {}
    for size in (25, 7, 1):
        stream = Stream.in_process(config, Schedule(every=125, idle=None))
        for start in range(0, len(order), size):
            part = order[start : start + size]
            stream.feed(digits.x[part], digits.y[part])
        assert stream.progress.frames == 2500
        right[size] = stream.progress.accuracy, held_out(stream, digits, Method.GOODNESS)
        stream.close()
    assert min(right[25]) > 0.9, right
    for size in (7, 1):
        assert right[size][0] > right[25][0] - 0.02, right
        assert right[size][1] > right[25][1] - 0.03, right
