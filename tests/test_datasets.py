import gc
import gzip
import struct

import numpy as np
import pytest

from ffstream.datasets import MNIST_FILES, load, read_idx
from ffstream.errors import DatasetError

IMAGES = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)
LABELS = np.array([3, 0, 1, 2, 9], np.uint8)


def idx(array, kind=0x08, dtype=">u1"):
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.astype(dtype).tobytes()


@pytest.fixture(params=["plain", "gz"])
def write(request, tmp_path):
    """Writes a file, gzipped or not, and says where."""

    def write(name, raw):
        path = tmp_path / (name + (".gz" if request.param == "gz" else ""))
        path.write_bytes(gzip.compress(raw) if request.param == "gz" else raw)
        return path

    return write


@pytest.mark.parametrize(
    ("kind", "dtype"), [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
def test_idx_of_every_type(write, kind, dtype):
    found = read_idx(write("some", idx(IMAGES, kind, dtype)))
    assert found.shape == (5, 2, 3)
    assert np.array_equal(found, IMAGES)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x00\x08",
        idx(IMAGES)[:10],
        idx(IMAGES)[:-1],
        idx(IMAGES) + b"\x00",
        idx(IMAGES, kind=0x07),
        b"\x01" + idx(IMAGES)[1:],
        idx(IMAGES, kind=0x0C),
        b"<html>not found</html>" * 9,
    ],
    ids=["empty", "short", "header cut", "values cut", "too long", "type", "magic", "odd bytes", "page"],
)
def test_what_is_no_idx(write, raw):
    with pytest.raises(DatasetError, match="some"):
        read_idx(write("some", raw))


def test_gzip_that_was_cut_or_is_none(tmp_path):
    path = tmp_path / "some.gz"
    for raw in (gzip.compress(idx(IMAGES))[:-9], idx(IMAGES), b""):
        path.write_bytes(raw)
        with pytest.raises(DatasetError, match=r"some\.gz"):
            read_idx(path)


def test_gzip_that_was_damaged(tmp_path):
    path = tmp_path / "some.gz"
    raw = bytearray(gzip.compress(idx(np.random.default_rng(0).integers(256, size=(20, 30)))))
    raw[10] = 0xFF
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match=r"some\.gz"):
        read_idx(path)


def test_mnist_from_a_folder(write, tmp_path):
    for name in MNIST_FILES:
        write(name, idx(LABELS if "labels" in name else IMAGES))
    data = load(str(tmp_path))
    assert (data.inputs, data.classes) == (6, 10)
    assert np.array_equal(data.x, IMAGES.reshape(5, 6))
    assert data.x.dtype == np.uint8
    assert data.y.tolist() == data.y_held.tolist() == LABELS.tolist()
    assert data.y.dtype == np.int64


def test_mnist_with_a_file_missing(write, tmp_path):
    for name in MNIST_FILES[:-1]:
        write(name, idx(IMAGES))
    with pytest.raises(DatasetError, match=MNIST_FILES[-1]):
        load(str(tmp_path))


def test_mnist_with_fewer_labels_than_images(write, tmp_path):
    for name in MNIST_FILES:
        write(name, idx(LABELS[:4] if "labels" in name else IMAGES))
    with pytest.raises(DatasetError, match="5 frames and 4 labels"):
        load(str(tmp_path))


def test_digits(digits):
    assert (digits.name, digits.inputs, digits.classes) == ("digits", 64, 10)
    assert digits.x.dtype == np.uint8
    assert (len(digits.x), len(digits.x_held)) == (1438, 359)
    assert (digits.x.min(), digits.x.max()) == (0, 255)
    assert set(digits.y_held.tolist()) == set(range(10))


def test_an_order_is_whole_passes(digits):
    order = digits.order(3, seed=5)
    passes = order.reshape(3, -1)
    assert all(sorted(each) == list(range(len(digits.x))) for each in passes.tolist())
    assert not np.array_equal(passes[0], passes[1])
    assert np.array_equal(order, digits.order(3, seed=5))
    assert not np.array_equal(order, digits.order(3, seed=6))


def save(tmp_path, **arrays):
    path = tmp_path / "my.npz"
    np.savez(path, **arrays)
    return str(path)


def test_npz_holds_out_every_fifth(tmp_path):
    x, y = np.arange(40.0).reshape(10, 2, 2), np.arange(10) % 3
    data = load(save(tmp_path, x=x, y=y))
    assert (data.name, data.inputs, data.classes) == ("my", 4, 3)
    assert data.x.dtype == np.float32
    assert np.array_equal(data.x_held, x.reshape(10, 4)[[4, 9]])
    assert data.y_held.tolist() == y[[4, 9]].tolist()
    assert np.array_equal(data.x, np.delete(x.reshape(10, 4), [4, 9], axis=0))
    assert data.y.tolist() == np.delete(y, [4, 9]).tolist()


def test_npz_with_a_part_held_out(tmp_path):
    x, y = np.ones((3, 2), np.uint8), np.array([0, 1, 0], np.int8)
    data = load(save(tmp_path, x=x, y=y, x_test=x[:2] + 1, y_test=y[:2]))
    assert data.x_held.tolist() == [[2, 2], [2, 2]]
    assert data.x.dtype == np.uint8
    assert (data.y.dtype, data.y_held.dtype) == (np.int64, np.int64)


ONES = np.ones((10, 2))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": ONES}, "expected arrays 'x' and 'y'"),
        ({"x": ONES, "y": np.arange(8)}, "frames and"),
        ({"x": ONES[:3], "y": np.arange(3)}, "got 0 frames"),
        ({"x": ONES, "y": np.arange(10.0)}, "must be integers"),
        ({"x": ONES, "y": np.arange(10) - 1}, "from -1"),
        ({"x": ONES, "y": np.array([None] * 10)}, "allow_pickle"),
        ({"x": ONES, "y": np.arange(10), "x_test": ONES, "y_test": np.arange(9)}, "10 frames and 9 labels"),
    ],
)
def test_npz_that_is_no_data_set(tmp_path, arrays, said):
    with pytest.raises(DatasetError, match=said):
        load(save(tmp_path, **arrays))


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": ONES, "y": np.arange(12)},
        {"x": ONES[:0], "y": np.arange(0)},
        {"x": np.float32(1), "y": np.arange(10)},
        {"x": ONES.astype(str), "y": np.arange(10)},
        {"x": ONES, "y": np.ones((10, 1), int)},
        {"x": np.full((10, 2), np.nan), "y": np.arange(10)},
        {"x": ONES, "y": np.arange(10), "x_test": np.ones((10, 3)), "y_test": np.arange(10)},
    ],
    ids=["more labels", "no frames", "a number", "text", "labels in columns", "not finite", "other width held out"],
)
def test_npz_of_other_shapes(tmp_path, arrays):
    with pytest.raises(DatasetError):
        load(save(tmp_path, **arrays))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", ["cut", "flipped", "npy"])
def test_a_damaged_npz(tmp_path, damage):
    path = tmp_path / "my.npz"
    np.savez(path, x=np.arange(200.0).reshape(20, 10), y=np.arange(20))
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(raw[:200])
    elif damage == "flipped":
        raw[500] ^= 255
        path.write_bytes(raw)
    else:
        with path.open("wb") as file:
            np.save(file, ONES)
    try:
        with pytest.raises(DatasetError):
            load(str(path))
    finally:
        gc.collect()


def test_a_file_that_is_no_npz(tmp_path):
    path = tmp_path / "my.npz"
    path.write_bytes(b"not a zip archive")
    with pytest.raises(DatasetError, match=r"my\.npz"):
        load(str(path))


@pytest.mark.parametrize("name", ["", "mnist", "/nowhere/at/all", "digits.tsv", "nowhere.npz"])
def test_nothing_of_that_name(name):
    with pytest.raises(DatasetError, match=r"expected 'digits', 'openml:NAME'|neither"):
        load(name)
