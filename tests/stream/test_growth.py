"""Labels that nobody had told of: a stream that may grow makes room for them, as an event among others."""

import json
from dataclasses import replace

import pytest
import torch

from ffstream import Method, NetworkConfig, Schedule, Stream
from ffstream.checks.samples import blobs
from ffstream.errors import ConfigError, ShapeError
from ffstream.outcome import Changed
from ffstream.stream.events import Grow
from ffstream.stream.snapshot import MANIFEST, folder_of
from ffstream.stream.stream import SNAPSHOTS

CONFIG = NetworkConfig(inputs=8, classes=2, units=(20, 16), batch=10, memory=100)
SCHEDULE = Schedule(every=40, idle=None)
MOST = 5
X, Y = blobs(1000, 8, MOST)
KNOWN = [row for row in range(1000) if Y[row] < 2]


def open_stream(folder=None, *, max_classes=MOST, **options):
    return Stream.in_process(CONFIG, SCHEDULE, folder=folder, max_classes=max_classes, **options)


def grows(stream):
    return [each.event.classes for each in stream.journal.events(0, kind=Grow.kind)]


@pytest.fixture
def stream(tmp_path):
    stream = open_stream(tmp_path)
    yield stream
    stream.close()


def test_labels_that_come_up_are_learned(folder):
    stream = open_stream(folder)
    stream.feed(X[KNOWN[:100]], Y[KNOWN[:100]])
    assert (grows(stream), stream.config.classes) == ([], 2)
    assert stream.classify(X[:9]).scores.shape == (9, 2)
    stream.accept(X[:600], Y[:600])
    outcomes = stream.settle()
    changed = [outcome for outcome in outcomes if isinstance(outcome, Changed)]
    assert [each.change.classes for each in changed] == grows(stream)
    assert grows(stream)[-1] == stream.config.classes == MOST
    for method in Method:
        assert stream.classify(X[600:], method).scores.shape == (400, MOST)
    assert float((stream.classify(X[600:], Method.ONE_PASS).labels.numpy() == Y[600:]).mean()) > 0.9
    stream.close()


def test_every_frame_was_predicted_among_the_labels_known_when_it_came(stream):
    learned = stream.feed(X[:100], Y[:100])
    widths = [outcome.logits.shape[1] for outcome in learned]
    assert widths == sorted(widths)
    for outcome in learned:
        assert int(outcome.labels.max()) < outcome.logits.shape[1]
    assert sum(len(outcome.ids) for outcome in learned) == 100
    assert stream.progress.labelled == 100


def test_labels_beyond_the_most_are_refused_and_nothing_grows(stream):
    with pytest.raises(ShapeError, match=r"labels\[1\]: got 5, expected 0 to 4, or -1 for not known"):
        stream.accept(X[:2], [0, 5])
    stream.accept(X[:1])
    with pytest.raises(ShapeError, match=r"labels\[0\]: got 1000000, expected 0 to 4"):
        stream.accept_labels([1], [1_000_000])
    assert (stream.journal.last_frame, stream.settle()[0].seq, grows(stream)) == (1, 1, [])


def test_without_a_most_nothing_grows():
    stream = open_stream(max_classes=None)
    with pytest.raises(ShapeError, match=r"labels\[0\]: got 2, expected 0 to 1"):
        stream.feed(X[:1], [2])
    stream.feed(X[KNOWN], Y[KNOWN])
    assert grows(stream) == []
    stream.close()


def test_a_late_label_makes_room_too(stream):
    stream.feed(X[:10])
    stream.label([3], [4])
    assert (grows(stream), stream.config.classes) == ([5], 5)


@pytest.mark.parametrize(
    ("config", "most", "message"),
    [
        (replace(CONFIG, classes=3), 2, "max_classes: got 2, but the network was made with 3 labels"),
        (
            replace(CONFIG, classes=20, encoding="symbols", negatives="generated_symbols"),
            21,
            "a network of symbols does not grow",
        ),
    ],
)
def test_a_most_that_cannot_be_is_refused(config, most, message):
    with pytest.raises(ConfigError, match=message):
        Stream.in_process(config, max_classes=most)


def test_another_stream_on_the_folder_takes_the_labels_that_it_has_grown_to(tmp_path):
    """From the first moment on, whatever it is told of how far it may grow."""
    stream = open_stream(tmp_path)
    stream.feed(X[:100], Y[:100])
    digests = stream.chain.digests()
    stream.close()
    again = open_stream(tmp_path, max_classes=None, start=False)
    again.accept(X[:1])
    with pytest.raises(ShapeError, match="expected 0 to 4"):
        again.accept(X[:1], [MOST])
    again.accept(X[:1], [MOST - 1])
    again.start()
    again.settle()
    assert (grows(again)[-1], again.config.classes) == (MOST, MOST)
    assert again.chain.digests() != digests
    again.close()


def test_a_restart_replays_growth_from_a_narrower_snapshot(tmp_path):
    stream = open_stream(tmp_path)
    stream.feed(X[KNOWN[:30]], Y[KNOWN[:30]])
    narrow = stream.snapshot()
    stream.feed(X[:60], Y[:60])
    digests, width = stream.chain.digests(), stream.config.classes
    stream.close()
    again = open_stream(tmp_path)
    assert again.reader.seq == narrow
    assert (again.config.classes, again.reader.config.classes) == (2, 2)
    again.settle()
    assert (again.chain.digests(), again.config.classes) == (digests, width)
    again.close()


def test_a_snapshot_is_as_wide_as_the_network_was(tmp_path):
    stream = open_stream(tmp_path)
    stream.feed(X[:60], Y[:60])
    wide = stream.snapshot()
    digests, scores = stream.chain.digests(), stream.classify(X[:9]).scores
    stream.close()
    again = open_stream(tmp_path)
    assert (again.reader.seq, again.config.classes) == (wide, MOST)
    assert torch.equal(again.classify(X[:9]).scores, scores)
    assert again.chain.digests() == digests
    assert again.journal.last_seq == wide
    again.close()


def test_back_before_the_growth_there_are_fewer_labels(tmp_path, stream):
    """What comes then is learned as if nothing had been in between, growth included; the way forward is open too."""
    stream.feed(X[KNOWN[:30]], Y[KNOWN[:30]])
    narrow = stream.snapshot()
    stream.feed(X[:60], Y[:60])
    wide = stream.snapshot()
    grown = stream.chain.digests()
    stream.restore(narrow)
    assert (stream.config.classes, stream.classify(X[:9]).scores.shape) == (2, (9, 2))
    stream.feed(X[:60], Y[:60])
    assert stream.config.classes == MOST
    layers = {name: digest for name, digest in grown.items() if name != "dreamer"}
    assert layers.items() <= stream.chain.digests().items()
    stream.restore(wide)
    assert (stream.config.classes, stream.chain.digests()) == (MOST, grown)
    digests = stream.chain.digests()
    again = open_stream(tmp_path)
    again.settle()
    assert (again.config.classes, again.chain.digests()) == (MOST, digests)
    again.close()


def test_frames_that_wait_grow_the_network_again_on_another_branch(stream):
    stream.feed(X[KNOWN[:30]], Y[KNOWN[:30]])
    narrow = stream.snapshot()
    stream.feed(X[:1], [2])
    stream.request_restore(narrow)
    stream.accept(X[:1], [2])
    stream.settle()
    assert grows(stream) == [3, 3]
    assert stream.config.classes == 3


def test_a_folder_is_that_of_the_network_as_it_was_made(tmp_path):
    """Its digest stays, in snapshots too; of growth a manifest tells only when there was any."""
    stream = open_stream(tmp_path)
    stream.feed(X[KNOWN[:30]], Y[KNOWN[:30]])
    seqs = [stream.snapshot()]
    stream.feed(X[:60], Y[:60])
    seqs.append(stream.snapshot())
    stream.close()
    manifests = [json.loads((folder_of(tmp_path / SNAPSHOTS, seq) / MANIFEST).read_text()) for seq in seqs]
    assert [each["config"] for each in manifests] == [CONFIG.digest()] * 2
    assert [each["progress"].get("classes") for each in manifests] == [None, MOST]


def test_what_may_grow_and_does_not_is_what_may_not(tmp_path):
    """To the bit: journal, snapshots, weights."""
    found = []
    for name, most in (("may", MOST), ("may not", None)):
        stream = open_stream(tmp_path / name, max_classes=most)
        stream.feed(X[KNOWN[:90]], Y[KNOWN[:90]])
        seq = stream.snapshot()
        files = stream.saved()[0].files
        found.append((stream.chain.digests(), files, [each.event for each in stream.journal.events(0)], seq))
        stream.close()
    assert found[0] == found[1]
