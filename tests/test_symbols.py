import numpy as np
import pytest
import torch

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.checks.samples import sequence
from ffstream.errors import ShapeError
from ffstream.frames import check_frames
from ffstream.labels import LabelViews
from ffstream.negatives import GENERATED
from ffstream.outcome import Dreamt
from ffstream.polarity import Polarity
from ffstream.symbols import follow, one_of_n, to_frames, to_symbols, windows

CONFIG = NetworkConfig(5, 6, (40, 30), batch=10, encoding="symbols", negatives="generated_symbols")


def test_every_byte_survives_the_way_through_a_frame():
    symbols = torch.arange(256)[None]
    assert torch.equal(to_symbols(to_frames(symbols)), symbols)
    assert torch.equal(one_of_n(to_frames(symbols), 256), torch.eye(256).flatten()[None])


def test_windows_are_followed_by_their_labels():
    text = np.random.default_rng(0).integers(256, size=50).astype(np.uint8)
    x, y = windows(text, 7)
    assert len(x) == len(y) == 43
    assert all((x[start] == text[start : start + 7]).all() and y[start] == text[start + 7] for start in range(43))
    with pytest.raises(ShapeError, match="got 7 symbols, expected more than the 7"):
        windows(text[:7], 7)


def test_a_network_is_asked_about_what_it_has_said():
    asked = []

    def predict(frames):
        asked.append(to_symbols(frames))
        return torch.nn.functional.one_hot((to_symbols(frames)[:, -1] + 1) % 6, 6) * 1e4

    begun = to_frames(torch.tensor([[0, 1, 2], [3, 4, 5]]))
    said = follow(predict, begun, 4, np.random.default_rng(0))
    assert said.tolist() == [[0, 1, 2, 3, 4, 5, 0], [3, 4, 5, 0, 1, 2, 3]]
    assert [each.tolist() for each in asked] == [said[:, at : at + 3].tolist() for at in range(4)]
    never = follow(predict, begun, 4, np.random.default_rng(0), never=torch.tensor([3, 0]))
    assert (never[:, 3] != torch.tensor([3, 0])).all()
    assert (never[:, 4] == (never[:, 3] + 1) % 6).all()


def test_symbols_are_drawn_as_often_as_they_are_likely():
    p = torch.tensor([0.1, 0.6, 0.3])
    said = follow(lambda frames: p.log().expand(len(frames), -1), torch.zeros(4000, 2), 1, np.random.default_rng(0))
    shares = said[:, -1].bincount(minlength=3) / 4000
    assert shares.tolist() == pytest.approx(p.tolist(), abs=0.03)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([[0, 1, 6]], r"frames\[0\]\[2\]: got 6.0, expected a symbol from 0 to 5"),
        ([[0, 1, 2], [0, -1, 2]], r"frames\[1\]\[1\]: got -1.0"),
        ([[0, 1.5, 2]], "got 1.5"),
        (np.array([[6, 0, 0]], np.uint8), "got 6, expected"),
    ],
)
def test_what_is_no_symbol_is_refused(frames, said):
    with pytest.raises(ShapeError, match=said):
        check_frames(frames, 3, 6)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_symbols_are_kept_as_bytes(kind):
    checked = check_frames(np.array([[0, 5, 3]], kind), 3, 6)
    assert checked.dtype == np.uint8
    assert checked.tolist() == [[0, 5, 3]]


def test_a_view_shows_every_symbol_by_itself():
    views, window = LabelViews(4, 0.5, symbols=4), to_frames(torch.tensor([[3, 0]]))
    row = views.labelled(window, torch.tensor([1]))
    assert row.shape == (1, 2 * 4 + 4)
    assert row.nonzero()[:, 1].tolist() == [3, 4, 9]


@pytest.fixture(scope="module")
def slept():
    """A stream that has learned a sequence, and what its last sleep dreamt."""
    stream = Stream.in_process(CONFIG, Schedule(every=50, idle=None))
    x, y = sequence(600, 5, 6)
    stream.feed(x, y)
    stream.sequencer.request_sleep(200)
    return stream, [outcome for outcome in stream.settle() if isinstance(outcome, Dreamt)]


def test_a_sequence_is_learned_and_dreams_are_told_from_it(slept):
    stream, _ = slept
    x, y = sequence(900, 5, 6)
    assert (stream.classify(x[-300:]).labels.numpy() == y[-300:]).mean() > 0.95
    reports = stream.progress.goodness
    for positive, negative in zip(reports[Polarity.POSITIVE], reports[Polarity.NEGATIVE], strict=True):
        assert positive.goodness > negative.goodness


def test_one_window_begins_several_dreams(slept):
    _, dreamt = slept
    ids = torch.cat([outcome.ids for outcome in dreamt])
    assert len(ids) == 200
    assert len(ids.unique()) == 200 // GENERATED


def test_a_network_does_not_fall_for_what_it_generated(slept):
    stream, _ = slept
    x, y = sequence(300, 5, 6)
    frames = to_frames(torch.from_numpy(x))
    said = follow(stream.reader.logits, frames, GENERATED, np.random.default_rng(0), never=torch.from_numpy(y))
    real = stream.reader.goodness(frames, torch.from_numpy(y)).mean()
    made = stream.reader.goodness(to_frames(said[:, GENERATED - 1 : -1]), said[:, -1]).mean()
    assert real > made
