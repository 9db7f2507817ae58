import pytest
import torch

from ffstream.moment import Moment, due


@pytest.mark.parametrize("share", [1.0, 0.25, 0.04])
def test_shares_of_an_update_count_as_shares(share):
    """The moment after 40 updates is the same to a few percent, however they were cut."""
    x = torch.randn(4000, 12, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.2, 2, 12) + 1
    whole, cut = (Moment(12, frozenset(), 50) for _ in range(2))
    rows = round(100 * share)
    for start in range(0, 4000, 100):
        whole.observe(x[start : start + 100])
    for start in range(0, 4000, rows):
        cut.observe(x[start : start + rows], share)
    assert float(cut.updates) == pytest.approx(40)
    assert torch.allclose(whole.matrix, cut.matrix, rtol=0.15, atol=0.15)


def test_when_it_is_due():
    at, found = frozenset({2, 5}), []
    before = 0
    for now in (0, 0, 1, 1, 2, 3, 5, 5, 9, 10, 10, 21):
        found.append(due(before, now, at, every=10))
        before = now
    assert found == [True, True, True, False, True, False, True, False, False, True, False, False]
