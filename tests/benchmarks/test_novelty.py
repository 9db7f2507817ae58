from functools import partial

import pytest

from benchmarks.novelty import Contestant, auroc, isolation, reconstruction, tuned, without


def test_a_digit_that_is_left_out_is_not_learned_from_and_is_held_out(digits):
    rest = without(digits, 3)
    assert 3 not in rest.y
    assert len(rest.x) == (digits.y != 3).sum()
    assert 3 in rest.y_held


@pytest.mark.parametrize("score", [partial(reconstruction, components=15), partial(isolation, trees=50, samples=128)])
def test_a_zero_is_strange_to_who_has_never_seen_one(digits, score):
    assert auroc(digits, 0, Contestant("", score), seed=0) > 0.7


def test_the_best_on_both_digits_is_chosen(digits):
    near = [Contestant(str(n), partial(reconstruction, components=n)) for n in (1, 15, 64)]
    assert tuned(digits, near).name == "15", "one direction tells little, and all 64 reconstruct whatever there is"
