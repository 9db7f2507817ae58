import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ffstream.errors import FFStreamError, ShapeError
from ffstream.frames import check_frames, check_labels, to_tensor


@pytest.mark.parametrize(
    "frames",
    [
        [[1, 2], [3, 4]],
        [[True, False]],
        np.ones((1, 2), np.float64),
        np.ones((1, 2), np.float16),
        np.ones((1, 2), np.int8),
        np.asfortranarray(np.ones((3, 2), np.float32)),
        np.ones((6, 4), np.float32)[::2, ::2],
        np.ones((1, 2), ">f4"),
        torch.ones(2, 2),
    ],
)
def test_numbers_become_float32(frames):
    checked = check_frames(frames, 2)
    assert checked.dtype == np.float32
    assert checked.flags.c_contiguous
    assert np.array_equal(checked, np.asarray(frames).astype(np.float32))


def test_bytes_stay_bytes():
    checked = check_frames(np.array([[0, 255]], np.uint8), 2)
    assert checked.dtype == np.uint8
    assert torch.equal(to_tensor(checked), torch.tensor([[0.0, 1.0]]))


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([[1, 2, 3]], r"got shape \[1, 3\], expected \[n, 2\]"),
        ([1, 2], r"got shape \[2\]"),
        (5, r"got shape \[\]"),
        (np.zeros((1, 2, 1)), r"got shape \[1, 2, 1\]"),
        (np.zeros((0, 2)), "expected at least one"),
        ([["a", "b"]], "got type <U1"),
        ([[1j, 2]], "got type complex128"),
        ([[None, 2]], "got type object"),
        ([[1, 2], [3]], "frames"),
        ([[10**400, 2]], "got type object"),
        ([[0, 1], [2, float("nan")]], r"frames\[1\]\[1\]: got nan"),
        ([[float("-inf"), 1]], r"frames\[0\]\[0\]: got -inf"),
        ([[1, 1e39]], r"frames\[0\]\[1\]: got inf, expected a finite number of float32 range"),
    ],
)
def test_what_is_no_frame_is_refused(frames, said):
    with pytest.raises(ShapeError, match=said) as refused:
        check_frames(frames, 2)
    assert isinstance(refused.value, FFStreamError)
    assert isinstance(refused.value, ValueError)


@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.int16, np.bool_]),
        arrays.array_shapes(max_dims=3, min_side=0, max_side=3),
    )
)
def test_any_array_is_taken_whole_or_refused(array):
    try:
        checked = check_frames(array, 2)
    except ShapeError:
        good = array.ndim == 2 and array.shape[1] == 2 and len(array)
        with np.errstate(over="ignore"):
            assert not good or not np.isfinite(array.astype(np.float32)).all()
    else:
        assert checked.shape == array.shape
        assert bool(to_tensor(checked).isfinite().all())


def test_a_tensor_of_its_own():
    checked = check_frames(np.ones((2, 2), np.float32), 2)
    to_tensor(checked).zero_()
    assert checked.all()


def test_labels_that_are_not_known():
    assert check_labels(None, 3, classes=5).tolist() == [-1, -1, -1]
    checked = check_labels(np.array([4, -1, 0], np.int8), 3, classes=5)
    assert checked.tolist() == [4, -1, 0]
    assert checked.dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 1], r"got shape \[2\], expected \[3\]"),
        ([[0, 1, 2]], r"got shape \[1, 3\]"),
        (1, r"got shape \[\]"),
        ([0, 1, 5], r"labels\[2\]: got 5, expected 0 to 4, or -1"),
        ([0, -2, 1], r"labels\[1\]: got -2"),
        ([0.0, 1.0, 2.0], "got type float64"),
        (["a", "b", "c"], "got type <U1"),
        ([0, None, 1], "got type object"),
        ([0, [1], 2], "labels"),
        ([True, False, True], "got type bool"),
        (np.array([0, 1, 2**64 - 1], np.uint64), r"labels\[2\]"),
    ],
)
def test_what_is_no_label_is_refused(labels, said):
    with pytest.raises(ShapeError, match=said):
        check_labels(labels, 3, classes=5)
