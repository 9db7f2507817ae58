"""Real video, written and decoded by PyAV: what comes out, and what is fed of it."""

import io
from pathlib import Path

import numpy as np
import pytest

from ffstream.errors import DatasetError
from ffstream_gateway.moving import Labels, Picture, clips, in_time, pictures, side_of_picture
from tests.cli.answers import FED, STATUS

av = pytest.importorskip("av", reason="comes with the extra video")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second: 20 pictures, brighter and brighter, the left half black."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for number in range(20):
            image = np.zeros((32, 64, 3), np.uint8)
            image[:, 32:] = 60 + 9 * number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_pictures_are_grey_small_and_in_time(film):
    seen = list(pictures(str(film), 4, 2))
    assert [round(each.at, 2) for each in seen] == [round(number / 20, 2) for number in range(20)]
    for number, each in enumerate(seen):
        picture = each.pixels.reshape(2, 4).astype(int)
        assert picture[:, 0].max() < 20
        assert abs(picture[:, 3] - (60 + 9 * number)).max() < 25
    assert all(one.pixels[3] < other.pixels[3] for one, other in zip(seen[::4], seen[4::4], strict=False))


def test_names_in_a_film_need_not_be_text(film, tmp_path):
    odd = tmp_path / "odd.mp4"
    odd.write_bytes(film.read_bytes().replace(b"VideoHandler", b"Video\xff\xfendler"))
    assert odd.read_bytes() != film.read_bytes()
    assert len(list(pictures(str(odd), 4, 2))) == 20


def test_fewer_pictures_a_second(film):
    at = [each.at for each in pictures(str(film), 4, 2, rate=5.0)]
    np.testing.assert_allclose(at, [0.0, 0.2, 0.4, 0.6, 0.8], atol=0.051)


def test_clips_are_whole(film):
    seen = list(pictures(str(film), 4, 2))
    cut = list(clips(seen, 6))
    assert [each.at for each in cut] == [seen[5].at, seen[11].at, seen[17].at]
    assert np.array_equal(cut[1].frame.reshape(6, 8), [each.pixels for each in seen[6:12]])


def test_a_file_plays_as_fast_as_a_camera(monkeypatch):
    now, slept = [10.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    monkeypatch.setattr("ffstream_gateway.moving.time.sleep", sleep)
    shown = []
    for picture in in_time([Picture(at, np.zeros(1, np.uint8)) for at in (0.0, 0.5, 1.0, 1.1)], clock=lambda: now[0]):
        shown.append(round(now[0] - 10, 3))
        now[0] += 0.3 if picture.at == 1.0 else 0.1
    assert slept == [0.0, 0.4, 0.4, 0.0]
    assert shown == [0.0, 0.5, 1.0, 1.3]


def test_labels_hold_until_the_next(tmp_path):
    file = tmp_path / "labels"
    file.write_text("1.5,2\n0.5,7\n")
    labels = Labels.read(file)
    assert [labels.at(seconds) for seconds in (0.0, 0.5, 1.4, 1.5, 9.0)] == [-1, 7, 7, 2, 2]
    file.write_text("1.5,2\n0.5\n")
    with pytest.raises(ValueError, match=r"line 2: got '0\.5'"):
        Labels.read(file)


def test_sides():
    assert side_of_picture(100, None) == (10, 10)
    assert side_of_picture(100, 20) == (20, 5)
    for pixels, width in ((99, None), (100, 30)):
        with pytest.raises(ValueError, match="divisor"):
            side_of_picture(pixels, width)


def test_what_is_no_video(tmp_path):
    file = tmp_path / "film.mp4"
    file.write_bytes(b"no film")
    for source in (str(file), str(tmp_path / "nowhere"), "987"):
        with pytest.raises(DatasetError, match="cannot be decoded"):
            list(pictures(source, 4, 2))


def test_a_film_is_fed_clip_by_clip(ffstream, server, film, tmp_path):
    labels = tmp_path / "labels"
    labels.write_text("0.4,2\n")
    server.answer(STATUS | {"network": {"inputs": 48, "video": {"clip": 6}}})
    for last in (1, 2, 3):
        server.answer(FED | {"first": last, "last": last}, 202)
    server.answer(STATUS | {"through": 3, "accuracy": 0.5})
    run = ffstream("feed", "--video", film, "--labels", labels, "--width", 4, "--url", server.url)
    assert run.wait() == 0, run.complained
    assert run.said == "learned 3 clips of 6 pictures, 4 x 2; prequential 50.0 %\n"
    fed, seen = [io.BytesIO(each.body) for each in server.asked[1:4]], list(pictures(str(film), 4, 2))
    frames, known = zip(*((np.load(body), np.load(body)) for body in fed), strict=True)
    assert np.array_equal(np.concatenate(frames).reshape(18, 8), [each.pixels for each in seen[:18]])
    assert np.concatenate(known).tolist() == [-1, 2, 2]


@pytest.mark.parametrize("arguments", [[], ["digits", "--video", "film"]])
def test_a_data_set_or_a_video(ffstream, arguments):
    run = ffstream("feed", *arguments)
    assert run.wait() == 2
    assert "expected a DATASET, or --video" in run.complained
