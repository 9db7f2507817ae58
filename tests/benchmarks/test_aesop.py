import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import aesop, strings
from benchmarks.runs import Figures, Run
from ffstream.alphabet import LETTERS
from ffstream.symbols import to_symbols


@pytest.fixture(scope="module")
def fables(tmp_path_factory):
    """A text that is long enough, of words that follow each other at random."""
    words = np.random.default_rng(0).choice(["the fox ", "and ", "a crow; ", "grapes. "], 20_000)
    path = tmp_path_factory.mktemp("text") / "fables.txt"
    path.write_text("THE FOX AND THE GRAPES\n" + "".join(words))
    return str(path)


def test_titles_are_left_out():
    assert strings.tales("THE FOX\nA fox saw.\n1 - 2\n\nTHE CROW, II\nThe crow") == "A fox saw.\n1 - 2\n\nThe crow"


def test_every_part_has_strings_of_its_own(fables):
    parts = strings.strings(fables)
    assert {name: part.shape for name, part in parts.items()} == {name: (248, 100) for name in strings.PARTS}
    text = LETTERS.encode(strings.tales(Path(fables).read_text())).tobytes()
    places = [text.find(string.tobytes()) for part in parts.values() for string in part]
    assert min(places) >= 0
    assert len(set(places)) == 3 * 248


def test_windows_do_not_reach_from_string_to_string(fables):
    given = strings.strings(fables)["test"][:2]
    x, y = strings.asked(given)
    assert x.shape == (180, 10)
    assert (x[0] == given[0, :10]).all()
    assert (y[:90] == given[0, 10:]).all()
    assert (x[90] == given[1, :10]).all()


def test_a_long_window_begins_before_its_string(fables):
    given = strings.strings(fables)["test"][:2]
    x, y = strings.asked(given, 99)
    assert x.shape == (180, 99)
    assert (LETTERS.decode(x[90][:89]), x[90][89:].tolist()) == (";" * 89, given[1, :10].tolist())
    assert (x[89] == given[0, :99]).all()
    assert (y == strings.asked(given)[1]).all()


def test_a_short_text_is_refused(tmp_path):
    (tmp_path / "short.txt").write_text("the fox. " * 100)
    with pytest.raises(ValueError, match=r"got 9 strings of 100 characters, expected 744"):
        strings.strings(str(tmp_path / "short.txt"))


def test_perplexity_counts_what_might_have_come():
    given = np.tile(np.arange(30, dtype=np.uint8), (3, 4))[:, :100]

    def evenly(frames):
        return torch.zeros(len(frames), 30)

    def one_of_two(frames):
        following = (to_symbols(frames)[:, -1] + torch.tensor([[1], [2]])) % 30
        return torch.full((len(frames), 30), -1e9).scatter_(1, following.t(), 0.0)

    assert aesop.perplexity(evenly, given)[0] == pytest.approx(30)
    assert aesop.perplexity(one_of_two, given)[0] == pytest.approx(2)


def test_validation_chooses_the_pass():
    looks = [{"passes": 1, "validation": 3.0, "test": 2.0}, {"passes": 2, "validation": 2.5, "test": 2.6}]
    assert aesop.best(Figures(looks=looks)) == looks[1]
    assert aesop.mean_of([Figures(looks=looks)], "test") == 2.6


@pytest.mark.parametrize("name", [aesop.STILL, aesop.ASLEEP, aesop.BACKPROP])
def test_a_learner_learns(fables, name):
    curve = aesop.CURVES[name]
    constants = curve.constants | ({"rate": 1e-2} if name == aesop.BACKPROP else {})
    run = Run(curve.learner, constants, (40, 40), 200, passes=1)
    frames = strings.part_of(fables, "test")
    learner = (aesop.Ours if curve.learner == "ffstream" else aesop.Theirs)(run, frames)
    learner.learn(frames.x[:4000], frames.y[:4000])
    found, right = aesop.perplexity(learner.logits, strings.strings(fables)["test"][:20])
    assert 1 < found < math.exp(2.5)
    assert right > 0.4
    if name == aesop.ASLEEP:
        assert (learner.stream.progress.sleeps, learner.stream.progress.dreams) == (1, 4000)
    elif name == aesop.STILL:
        assert learner.stream.progress.dreams == 0
