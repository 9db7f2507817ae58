import numpy as np
import pytest
from PIL import Image

from ffstream.datasets import load
from ffstream.errors import DatasetError
from ffstream.images import FRAME, read_batch, read_binary

CLASSES = ("airplane", "bird", "cat")


def paint(path, colour, size=(4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def pictures(tmp_path):
    """Three images of every class to learn, two of the last; one of each held out."""
    for label, name in enumerate(CLASSES):
        for number in range(2 if name == "cat" else 3):
            paint(tmp_path / "train" / name / f"{number:04}.png", (label, 10 * number, 200))
        paint(tmp_path / "test" / name / "0000.jpg", (200, 200, 200))
    return tmp_path


def test_a_folder_of_pictures_for_every_class(pictures):
    data = load(str(pictures))
    assert data.y.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert data.x.shape == (8, 3 * 3 * 4)
    assert data.x.dtype == np.uint8
    red, green, blue = data.x.reshape(8, 3, 12).transpose(1, 0, 2)
    assert (red == data.y[:, None]).all()
    assert (green == np.array([0, 0, 0, 10, 10, 10, 20, 20])[:, None]).all()
    assert (blue == 200).all()
    assert data.y_held.tolist() == [0, 1, 2]
    assert data.names == CLASSES
    assert np.abs(data.x_held.astype(int) - 200).max() <= 2


def test_rows_of_pixels_go_across(tmp_path):
    for part in ("train", "test"):
        picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        (tmp_path / part / "only").mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / part / "only" / "a.png")
    assert load(str(tmp_path)).x[0, :6].tolist() == [0, 3, 6, 9, 12, 15]


def test_pictures_of_two_sizes_and_no_pictures_are_refused(pictures):
    paint(pictures / "test" / "bird" / "0001.jpg", (0, 0, 0), size=(5, 5))
    with pytest.raises(DatasetError, match="one size"):
        load(str(pictures))
    (pictures / "test" / "bird" / "0001.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"0001\.jpg: not a readable picture"):
        load(str(pictures))
    for path in (pictures / "test").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(DatasetError, match="expected folders of"):
        load(str(pictures))


def images(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, FRAME), dtype=np.uint8), rng.integers(10, size=n)


def pickled(frames, labels, *, said=b"labels"):
    """As Python 2 pickled them: a dictionary of a text, numbers, and the array as one string, memoized all along."""
    raw = frames.tobytes()
    return b"".join(
        [
            b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03",
            b"U" + bytes([len(said)]) + said + b"q\x04]q\x05(",
            *(b"K" + bytes([label]) for label in labels),
            b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09",
            b"(K\x01K" + bytes([len(frames)]) + b"M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + len(raw).to_bytes(4, "little") + raw,
            b"q\x0ctbU\x09filenamesq\x0d]q\x0e(U\x05a.pngq\x0feu.",
        ]
    )


@pytest.mark.parametrize("kind", ["binary", "python"])
def test_cifar_as_it_is_distributed(tmp_path, kind):
    for number in range(6):
        frames, labels = images(number + 1, seed=number)
        name = f"data_batch_{number}" if number else "test_batch"
        if kind == "python":
            (tmp_path / name).write_bytes(pickled(frames, labels))
        else:
            (tmp_path / f"{name}.bin").write_bytes(np.column_stack([labels.astype(np.uint8), frames]).tobytes())
    data = load(str(tmp_path))
    assert np.array_equal(data.x, np.concatenate([images(number + 1, seed=number)[0] for number in range(1, 6)]))
    assert np.array_equal(data.y, np.concatenate([images(number + 1, seed=number)[1] for number in range(1, 6)]))
    assert np.array_equal(data.x_held, images(1, seed=0)[0])


def test_a_python_batch_is_never_unpickled(tmp_path):
    """Its instructions would write a file; listing them does not."""
    frames, labels = images(2)
    told = f"cos\nsystem\n(U{chr(20)}touch {tmp_path.name[:10]:<14}tR0".encode()
    path = tmp_path / "data_batch_1"
    path.write_bytes(b"\x80\x02" + told + pickled(frames, labels)[2:])
    found = read_batch(path)
    assert np.array_equal(found[0], frames)
    assert found[1].tolist() == labels.tolist()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>not found</html>",
        pickled(*images(2))[:5000],
        pickled(*images(2), said=b"lapels"),
        pickled(images(3)[0], images(2)[1]),
        pickled(images(2)[0], [3, 11]),
    ],
    ids=["empty", "page", "cut", "no labels", "fewer labels", "no such class"],
)
def test_what_is_no_python_batch(tmp_path, raw):
    (tmp_path / "data_batch_1").write_bytes(raw)
    with pytest.raises(DatasetError, match="data_batch_1"):
        read_batch(tmp_path / "data_batch_1")


@pytest.mark.parametrize("raw", [b"", b"\x00" * FRAME, b"\x0b" * (FRAME + 1)], ids=["empty", "short", "no such class"])
def test_what_is_no_binary_batch(tmp_path, raw):
    (tmp_path / "test_batch.bin").write_bytes(raw)
    with pytest.raises(DatasetError, match="test_batch"):
        read_binary(tmp_path / "test_batch.bin")
