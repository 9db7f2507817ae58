from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.epochs import EndlessFrames, Epochs, shifted, some_labels
from benchmarks.runs import Run
from ffstream.datasets import load
from ffstream.frames import to_tensor
from ffstream.labels import UNLABELLED

RUN = Run("ffstream", {"phase": 3, "shift": 1}, units=(30, 20), batch=100, passes=3)


def test_a_run_that_was_stopped_ends_like_one_that_was_not(tmp_path):
    whole = Epochs(RUN, "digits", tmp_path / "whole")
    figures = whole.complete()
    Epochs(replace(RUN, passes=2), "digits", tmp_path / "stopped").complete()
    resumed = Epochs(RUN, "digits", tmp_path / "stopped")
    assert resumed.passes == 2
    assert resumed.complete().looks[2] == figures.looks[2]
    assert resumed.network.digests() == whole.network.digests()
    assert figures.looks[2]["learned"] < figures.looks[0]["learned"]


def test_a_run_that_was_to_be_longer_is_read_where_it_stopped(tmp_path):
    unlabelled = {"phase": 1, "negatives": "hybrid_frames", "goodness": "mean_of_squares"}
    longer = Epochs(Run("ffstream", unlabelled, units=(30,), batch=500, passes=2), "digits", tmp_path)
    longer.run = replace(longer.run, passes=1)
    longer.complete()
    longer.figures.held_out.clear()
    longer._save()
    figures = Epochs(longer.run, "digits", tmp_path).complete()
    assert figures.held_out == [{"one_pass": figures.looks[0]["one_pass"]}]
    assert len(figures.looks) == 1
    with pytest.raises(ValueError, match="there are 1 already"):
        Epochs(replace(longer.run, passes=0), "digits", tmp_path).complete()


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_frame_is_recalled_as_it_was_seen(shift):
    digits = load("digits")
    frames = EndlessFrames(digits, seed=5, shift=shift)
    numbers = np.arange(1, 2 * len(digits.x) + 1)
    seen = frames.recall(numbers)
    chosen = np.random.default_rng(0).permutation(numbers)[:300]
    assert torch.equal(frames.recall(chosen), seen[torch.from_numpy(chosen - 1)])
    rows = frames.rows(numbers).reshape(2, -1)
    assert (np.sort(rows, axis=1) == np.arange(len(digits.x))).all()
    assert (rows[0] != rows[1]).any()
    unmoved = to_tensor(digits.x[frames.rows(numbers)])
    assert torch.equal(seen, unmoved) == (shift == 0)


def test_shifted_moves_down_and_right_and_lets_nothing_in():
    frame = torch.arange(1.0, 10.0)[None]
    moves = np.array([[0, 0], [1, 0], [0, -1], [-2, 2]])
    expected = [
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
        [0, 0, 0, 1, 2, 3, 4, 5, 6],
        [2, 3, 0, 5, 6, 0, 8, 9, 0],
        [0, 0, 7, 0, 0, 0, 0, 0, 0],
    ]
    assert shifted(frame.expand(4, -1), moves).tolist() == expected


def test_few_labels_are_spread_over_the_classes_and_layers_learn_all_the_same(tmp_path):
    digits = load("digits")
    labels = some_labels(digits, 23)
    known = labels != UNLABELLED
    assert known.sum() == 23
    assert (labels[known] == digits.y[known]).all()
    assert set(np.bincount(labels[known])) == {2, 3}
    assert (some_labels(digits, None) == digits.y).all()
    constants = {"phase": 3, "negatives": "hybrid_frames", "goodness": "mean_of_squares", "sharpness": 30.0, "rate": 0.1}
    few, many = (
        Epochs(replace(RUN, constants=constants | {"labels": count}, passes=2), "digits", tmp_path / str(count))
        for count in (30, 900)
    )
    errors = [each.complete().held_out[-1]["one_pass"] for each in (few, many)]
    assert errors[1] < errors[0] < 0.85
    weights = [each.network.states()["layer-1"]["layer.weights"] for each in (few, many)]
    assert torch.equal(*weights), "no layer knows who has a label"
