import pytest
import torch

from ffstream.errors import ConfigError
from ffstream.fast_weights import FastWeights
from ffstream.symbols import one_of_n, to_frames

KINDS = 3


def product(symbols):
    """The tensor product of symbols, one of n each."""
    key = torch.ones(1)
    for symbol in symbols:
        key = torch.outer(key, torch.eye(KINDS)[symbol]).flatten()
    return key


def by_matrix(fast, window, order):
    """What a head recalls, its matrix written one outer product after another."""
    matrix = torch.zeros(KINDS, KINDS**order)
    for place in range(order, len(window)):
        matrix = fast.decay * matrix + torch.outer(torch.eye(KINDS)[window[place]], product(window[place - order : place]))
    recalled = matrix @ product(window[len(window) - order :])
    return fast.strength * recalled / (1 + recalled.sum())


def test_what_is_recalled_is_what_the_matrix_answers():
    fast = FastWeights(context=2, orders=(0, 1, 2, 3), decay=0.9, strength=1.5)
    windows = torch.randint(KINDS, (200, 12), generator=torch.Generator().manual_seed(0))
    seen = fast.see(to_frames(windows), KINDS)
    assert seen.shape == (200, fast.width(KINDS))
    assert torch.equal(seen[:, : 2 * KINDS], one_of_n(to_frames(windows[:, -2:]), KINDS))
    expected = torch.stack([torch.cat([by_matrix(fast, window, order) for order in (0, 1, 2, 3)]) for window in windows])
    assert torch.allclose(seen[:, 2 * KINDS :], expected, atol=1e-6)
    assert expected.any(dim=0).all()


@pytest.mark.parametrize("wrong", [{"orders": ()}, {"orders": (-1,)}, {"context": 0}, {"decay": 1.1}, {"strength": 0.0}])
def test_fast_weights_that_cannot_work(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        FastWeights(**wrong)


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="colour"):
        FastWeights.from_dict({"colour": "red"})
