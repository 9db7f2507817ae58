import pytest
import torch

from ffstream.average import Average


def after_a_jump(span, updates):
    """How much of a jump, after 1,000 still updates, an average shows so many updates later."""
    live = torch.zeros(1)
    average = Average({"weights": live}, span)
    for _ in range(1000):
        average.follow()
    live += 1
    for _ in range(updates):
        average.follow()
    return float(average.mean["weights"])


@pytest.mark.parametrize(("span", "least", "most"), [(4, 0.99, 1.0), (200, 0.05, 0.15)])
def test_a_short_span_follows_sooner(span, least, most):
    assert least <= after_a_jump(span, updates=20) <= most
    assert after_a_jump(span, updates=5 * span) == pytest.approx(1, abs=0.02)


def test_parts_of_updates_come_to_the_same():
    """As when a stream trickles in."""
    live = torch.zeros(1)
    whole, parts = (Average({"weights": live}, 8) for _ in range(2))
    for _ in range(100):
        live += 1
        whole.follow()
        for _ in range(4):
            parts.follow(0.25)
    torch.testing.assert_close(parts.mean["weights"], whole.mean["weights"], rtol=0.02, atol=0.0)
