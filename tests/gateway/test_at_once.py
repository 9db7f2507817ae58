"""What is read in one go is what is read piece by piece, and so is what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffstream.errors import FFStreamError
from ffstream_gateway import at_once, bodies
from ffstream_gateway.problems import Problem

TAKEN = bodies.Taken(inputs=3, classes=4, words={"ash": 0, "1": 2, "late": 4})
JSON, NDJSON = "application/json", "application/x-ndjson"

NUMBERS = ["0", "-0.0", "1", "0.1", "3.4028234663852886e38", "3.4028235677973366e38", "1e39", "1e400", f"{2**53 + 1}", "9" * 30]
ODD = ["true", "null", '"1"', "[1]", "{}", "9" * 400]
LABELS = ["0", "3", "4", "-1", "-2", "null", "true", "1.0", '"ash"', '"1"', '"late"', '"elm"', "9" * 30, "[]"]

number = st.sampled_from(NUMBERS * 3 + ODD)
row = st.one_of(
    st.lists(number, min_size=3, max_size=3).map(lambda each: f"[{', '.join(each)}]"),
    st.sampled_from(["[1, 2]", "[1, 2, 3, 4]", '"abc"', "null", "7", '{"a": 1, "b": 2, "c": 3}', "[[1, 2, 3]]", "[0.5, 0, 1]"]),
)
label = st.sampled_from(LABELS + ["2"] * 10)
single = st.one_of(
    st.builds('{{"frame": {}}}'.format, row),
    st.builds('{{"frame": {}, "label": {}}}'.format, row, label),
    st.sampled_from(["", "  ", "[]", "7", "{", '{"label": 1}', '{"frame": [1, 2, 3], "more": 1}']),
)


def outcome(kind: str, raw: bytes, labels: bool = True) -> object:
    """The arrays to the bit, or the refusal."""
    try:
        read = bodies.read(kind, raw, TAKEN, labels=labels)
    except Problem as problem:
        return problem.status, problem.kind, problem.detail, problem.place
    except FFStreamError as error:
        return str(error)
    known = None if read.labels is None else (read.labels.dtype, read.labels.tolist())
    return read.frames.dtype, read.frames.shape, read.frames.tobytes(), known


def piece_by_piece(kind: str, raw: bytes, labels: bool = True) -> object:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("frames", "lines"):
            patch.setattr(at_once, name, lambda *_: None)
        return outcome(kind, raw, labels)


@given(st.lists(single, min_size=1, max_size=4), st.booleans())
def test_lines(lines, labels):
    raw = "\n".join(lines).encode()
    assert outcome(NDJSON, raw, labels) == piece_by_piece(NDJSON, raw, labels)


@given(st.lists(row, max_size=4), st.one_of(st.none(), st.lists(label, max_size=4)))
def test_lists(rows, labels):
    members = [f'"frames": [{", ".join(rows)}]'] + ([] if labels is None else [f'"labels": [{", ".join(labels)}]'])
    raw = f"{{{', '.join(members)}}}".encode()
    assert outcome(JSON, raw) == piece_by_piece(JSON, raw)


def test_what_is_right_is_read_in_one_go(monkeypatch):
    monkeypatch.setattr(bodies, "_frame", lambda *_: pytest.fail("read piece by piece"))
    frames = [[0.5, 1, 0], [0.1, 0.2, 0.3]]
    as_list = json.dumps({"frames": frames, "labels": [None, "1"]}).encode()
    as_lines = b'{"frame": [0.5, 1, 0]}\n\n{"frame": [0.1, 0.2, 0.3], "label": "1"}'
    for kind, raw in ((JSON, as_list), (NDJSON, as_lines)):
        read = bodies.read(kind, raw, TAKEN, labels=True)
        np.testing.assert_array_equal(read.frames, np.array(frames, np.float32))
        assert read.labels.tolist() == [-1, 2]
