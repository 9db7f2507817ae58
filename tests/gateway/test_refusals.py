"""Every bad request is refused as a problem, and nothing of it is kept."""

import io
import json
from typing import Any

import numpy as np
import pytest

JSON, NDJSON, NPY = "application/json", "application/x-ndjson", "application/x-npy"
ROW = [0.5] * 64


@pytest.fixture(autouse=True, scope="module")
def warm(shared):
    """Something is learned before anything is refused."""
    shared.accepted(np.ones((25, 64)), [1] * 25)
    shared.settle()


@pytest.fixture(autouse=True)
def still(shared):
    shared.settle()


def npy(array: Any, *more: Any) -> bytes:
    raw = io.BytesIO()
    for each in (array, *more):
        np.save(raw, each, allow_pickle=True)
    return raw.getvalue()


def header(descr: str, shape: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A ``.npy`` array with any header."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
    return raw_header(text, data, version)


def raw_header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    line = (text + "\n").encode()
    return b"\x93NUMPY" + version + len(line).to_bytes(2 if version == b"\x01\x00" else 4, "little") + line + data


def members(**content: Any) -> bytes:
    return json.dumps(content).encode()


def with_number(number: str) -> bytes:
    """JSON of two frames, ``number`` at frames[1][7]."""
    odd = ", ".join([*["0.5"] * 7, number, *["0.5"] * 56])
    return f'{{"frames": [{json.dumps(ROW)}, [{odd}]]}}'.encode()


def lines(count: int, bad: dict[int, str]) -> bytes:
    good = json.dumps({"frame": ROW, "label": 1})
    return "\n".join(bad.get(number, good) for number in range(1, count + 1)).encode()


def line(**content: Any) -> str:
    return json.dumps(content)


def nan_at(row: int, column: int, value: float = np.nan) -> Any:
    array = np.ones((5, 64))
    array[row, column] = value
    return array


BOTH = {  # name: type, body, kind of problem, place (None when there is no one place)
    "json-short-frame": (JSON, members(frames=[ROW, ROW[1:]]), "shape", "frames[1]"),
    "json-long-frame": (JSON, members(frames=[[*ROW, 1]]), "shape", "frames[0]"),
    "json-empty-frame": (JSON, members(frames=[ROW, []]), "shape", "frames[1]"),
    "json-ragged": (JSON, members(frames=[ROW, ROW, ROW[:3], ROW]), "shape", "frames[2]"),
    "json-no-frames": (JSON, members(frames=[]), "shape", "frames"),
    "json-no-member": (JSON, b"{}", "shape", "frames"),
    "json-null-frames": (JSON, members(frames=None), "shape", "frames"),
    "json-string-frames": (JSON, members(frames="0.5"), "shape", "frames"),
    "json-flat-frames": (JSON, members(frames=ROW), "shape", "frames[0]"),
    "json-object-frame": (JSON, members(frames=[{"0": 1}]), "shape", "frames[0]"),
    "json-nan": (JSON, with_number("NaN"), "json", None),
    "json-infinity": (JSON, with_number("Infinity"), "json", None),
    "json-1e999": (JSON, with_number("1e999"), "json", None),
    "json-1e300": (JSON, with_number("1e300"), "shape", "frames[1][7]"),
    "json-minus-1e39": (JSON, with_number("-1e39"), "shape", "frames[1][7]"),
    "json-string-number": (JSON, with_number('"0.5"'), "shape", "frames[1][7]"),
    "json-null-number": (JSON, with_number("null"), "shape", "frames[1][7]"),
    "json-boolean-number": (JSON, with_number("true"), "shape", "frames[1][7]"),
    "json-list-number": (JSON, with_number("[0.5]"), "shape", "frames[1][7]"),
    "json-list": (JSON, json.dumps([ROW]).encode(), "json", "body"),
    "json-empty-list": (JSON, b"[]", "json", "body"),
    "json-null": (JSON, b"null", "json", "body"),
    "json-truncated": (JSON, members(frames=[ROW])[:-5], "json", "body"),
    "json-two-values": (JSON, members(frames=[ROW]) * 2, "json", "body"),
    "json-deep": (JSON, b"[" * 100_000, "json", "body"),
    "json-not-utf8": (JSON, b'{"frames": "\xff"}', "json", "body"),
    "json-unknown-member": (JSON, members(frames=[ROW], label=[1]), "unknown-member", "body"),
    "json-blank": (JSON, b"  \n", "json", "body"),
    "ndjson-malformed": (NDJSON, lines(100, {37: '{"frame": [0.5,'}), "json", "line 37"),
    "ndjson-not-object": (NDJSON, lines(100, {37: "[]"}), "json", "line 37"),
    "ndjson-unknown-member": (NDJSON, lines(100, {37: line(frame=ROW, labels=1)}), "unknown-member", "line 37"),
    "ndjson-short-frame": (NDJSON, lines(100, {37: line(frame=ROW[1:])}), "shape", "line 37: frame"),
    "ndjson-number": (NDJSON, lines(100, {37: line(frame=[*ROW[1:], "x"])}), "shape", "line 37: frame[63]"),
    "ndjson-1e999": (NDJSON, lines(100, {37: line(frame=ROW).replace("0.5", "1e999", 1)}), "json", "line 37"),
    "ndjson-no-frame": (NDJSON, lines(2, {2: "{}"}), "shape", "line 2: frame"),
    "ndjson-blank-lines-count": (NDJSON, b"\n\n" + lines(1, {1: "x"}), "json", "line 3"),
    "ndjson-blank": (NDJSON, b"\n \n", "shape", "frames"),
    "npy-short-frames": (NPY, npy(np.ones((3, 63))), "shape", "frames"),
    "npy-flat": (NPY, npy(np.ones(64)), "shape", "frames"),
    "npy-scalar": (NPY, npy(np.ones(())), "shape", "frames"),
    "npy-cube": (NPY, npy(np.ones((1, 8, 8))), "shape", "frames"),
    "npy-empty": (NPY, npy(np.ones((0, 64))), "shape", "frames"),
    "npy-no-inputs": (NPY, npy(np.ones((2, 0))), "shape", "frames"),
    "npy-nan": (NPY, npy(nan_at(3, 7)), "shape", "frames[3][7]"),
    "npy-infinity": (NPY, npy(nan_at(3, 7, -np.inf)), "shape", "frames[3][7]"),
    "npy-1e300": (NPY, npy(nan_at(3, 7, 1e300)), "shape", "frames[3][7]"),
    "npy-complex": (NPY, npy(np.ones((1, 64), complex)), "shape", "frames"),
    "npy-pickle": (NPY, npy(np.full((1, 64), None)), "shape", "frames"),
    "npy-string": (NPY, npy(np.full((1, 64), "a")), "shape", "frames"),
    "npy-date": (NPY, npy(np.zeros((1, 64), "M8[s]")), "shape", "frames"),
    "npy-record": (NPY, npy(np.zeros((1, 64), [("a", "f4")])), "shape", "frames"),
    "npy-not": (NPY, b"PK\x03\x04 not an array", "npy", "frames"),
    "npy-one-byte": (NPY, b"\x93", "npy", "frames"),
    "npy-unknown-version": (NPY, header("'<f4'", "(1, 64)", bytes(256), b"\x09\x00"), "npy", "frames"),
    "npy-truncated-header": (NPY, npy(np.ones((1, 64)))[:40], "npy", "frames"),
    "npy-truncated-data": (NPY, npy(np.ones((2, 64)))[:-1], "npy", "frames"),
    "npy-no-data": (NPY, header("'<f4'", "(1, 64)"), "npy", "frames"),
    "npy-terabytes": (NPY, header("'<f8'", f"({10**12}, 64)", bytes(512)), "npy", "frames"),
    "npy-beyond-64-bits": (NPY, header("'<f8'", f"({10**30}, 64)", bytes(512)), "npy", "frames"),
    "npy-none-of-very-much": (NPY, header("'<f8'", f"(0, {10**30})"), None, "frames"),
    "npy-negative-length": (NPY, header("'<f4'", "(-1, 64)", bytes(512)), None, "frames"),
    "npy-negative-and-odd": (NPY, header("'<f4'", "(-1, 64)", bytes(513)), None, "frames"),
    "npy-negative-twice": (NPY, header("'<f4'", "(-2, -64)", bytes(512)), None, "frames"),
    "npy-many-axes": (NPY, header("'<f4'", f"({'1, ' * 65})", bytes(4)), None, "frames"),
    "npy-unclosed-header": (NPY, raw_header("{'descr': '<f4', 'shape': (1, 64"), "npy", "frames"),
    "npy-unclosed-string": (NPY, raw_header("{'descr': '''<f4"), "npy", "frames"),
    "npy-odd-indent": (NPY, raw_header("  if x:\n      1\n    2"), "npy", "frames"),
    "npy-unhashable-header": (NPY, raw_header("{[]: 1}"), "npy", "frames"),
    "npy-deep-header": (NPY, raw_header("-" * 9000 + "1"), "npy", "frames"),
    "npy-parentheses": (NPY, raw_header("(" * 9000), "npy", "frames"),
    "npy-code-in-header": (NPY, raw_header("__import__('os').getcwd()"), "npy", "frames"),
    "npy-huge-header": (NPY, raw_header("{" + " " * 100_000, version=b"\x02\x00"), "npy", "frames"),
    "npy-header-beyond-body": (NPY, b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "npy", "frames"),
    "npy-unknown-dtype": (NPY, header("'<q9'", "(1, 64)"), "npy", "frames"),
    "npy-bytes-after": (NPY, npy(np.ones((1, 64)), np.ones(1, int)) + b"x", "npy", None),
    "npy-junk-after-frames": (NPY, npy(np.ones((1, 64))) + b"\0\0\0", "npy", "labels"),
    "npy-three-arrays": (NPY, npy(np.ones((1, 64)), np.ones(1, int), np.ones(1, int)), "npy", None),
}

LABELS = {
    "json-too-large": (JSON, members(frames=[ROW] * 2, labels=[1, 10]), "labels[1]"),
    "json-minus-2": (JSON, members(frames=[ROW] * 2, labels=[1, -2]), "labels[1]"),
    "json-float": (JSON, members(frames=[ROW] * 2, labels=[1, 3.0]), "labels[1]"),
    "json-string": (JSON, members(frames=[ROW] * 2, labels=[1, "3"]), "labels[1]"),
    "json-boolean": (JSON, members(frames=[ROW] * 2, labels=[1, True]), "labels[1]"),
    "json-beyond-64-bits": (JSON, members(frames=[ROW] * 2, labels=[1, 10**30]), "labels[1]"),
    "json-too-few": (JSON, members(frames=[ROW] * 2, labels=[1]), "labels"),
    "json-too-many": (JSON, members(frames=[ROW], labels=[1, 2]), "labels"),
    "json-none": (JSON, members(frames=[ROW], labels=[]), "labels"),
    "json-one-number": (JSON, members(frames=[ROW], labels=3), "labels"),
    "json-lists": (JSON, members(frames=[ROW], labels=[[3]]), "labels[0]"),
    "ndjson-too-large": (NDJSON, lines(100, {37: line(frame=ROW, label=10)}), "line 37: label"),
    "ndjson-float": (NDJSON, lines(100, {37: line(frame=ROW, label=1.0)}), "line 37: label"),
    "ndjson-boolean": (NDJSON, lines(100, {37: line(frame=ROW, label=False)}), "line 37: label"),
    "ndjson-string": (NDJSON, lines(100, {37: line(frame=ROW, label="1")}), "line 37: label"),
    "npy-too-large": (NPY, npy(np.ones((2, 64)), np.array([1, 10])), "labels[1]"),
    "npy-minus-2": (NPY, npy(np.ones((2, 64)), np.array([1, -2])), "labels[1]"),
    "npy-unsigned": (NPY, npy(np.ones((2, 64)), np.array([1, 2**64 - 1], np.uint64)), "labels[1]"),
    "npy-float": (NPY, npy(np.ones((2, 64)), np.array([1.0, 2.0])), "labels"),
    "npy-boolean": (NPY, npy(np.ones((2, 64)), np.array([True, False])), "labels"),
    "npy-too-few": (NPY, npy(np.ones((2, 64)), np.array([1])), "labels"),
    "npy-column": (NPY, npy(np.ones((2, 64)), np.array([[1], [2]])), "labels"),
    "npy-pickle": (NPY, npy(np.ones((2, 64)), np.array([1, None])), "labels"),
    "npy-truncated": (NPY, npy(np.ones((2, 64)), np.array([1, 2]))[:-1], "labels"),
}


@pytest.mark.parametrize("path", ["/feed", "/classify"])
@pytest.mark.parametrize("name", BOTH)
def test_bodies(shared, refused, path, name):
    kind, raw, problem_kind, place = BOTH[name]
    if path == "/classify" and kind == NDJSON:
        raw = raw.replace(b', "label": 1}', b"}")
    if path == "/classify" and name in ("npy-bytes-after", "npy-three-arrays"):
        problem_kind = None
    kept = shared.kept
    problem = refused(shared.post(path, raw, kind), 422, problem_kind, place)
    assert any(word in problem["detail"] for word in ("got", "expected", "not JSON", "not a .npy"))
    assert len(problem["detail"]) < 1000
    assert shared.kept == kept


@pytest.mark.parametrize("name", LABELS)
def test_labels(shared, refused, name):
    kind, raw, place = LABELS[name]
    kept = shared.kept
    problem = refused(shared.post("/feed", raw, kind), 422, None, place)
    assert "got" in problem["detail"]
    assert shared.kept == kept


def test_detail_says_what_was_got_and_expected(shared, refused):
    detail = refused(shared.post("/feed", members(frames=[ROW, ROW[1:]])), 422)["detail"]
    assert detail == "frames[1]: got 63 numbers, expected 64"
    detail = refused(shared.post("/feed", npy(np.ones((3, 63))), NPY), 422)["detail"]
    assert detail == "frames: got shape [3, 63], expected [n, 64]"


@pytest.mark.parametrize("path", ["/feed", "/classify"])
@pytest.mark.parametrize("kind", [JSON, NDJSON, NPY])
def test_no_body(shared, refused, path, kind):
    kept = shared.kept
    refused(shared.post(path, b"", kind), 422, "empty", "body")
    assert shared.kept == kept


@pytest.mark.parametrize("path", ["/feed", "/classify"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png", "json", ""])
def test_other_content_types(shared, refused, path, kind):
    kept = shared.kept
    problem = refused(shared.post(path, members(frames=[ROW]), kind), 415, "content-type")
    assert (kind or "none") in problem["detail"]
    assert JSON in problem["detail"]
    assert shared.kept == kept


def test_no_content_type(shared, refused):
    refused(shared.http.post("/feed", content=members(frames=[ROW])), 415, "content-type")


@pytest.mark.parametrize("path", ["/feed", "/classify"])
def test_body_over_the_limit_by_its_length(shared, refused, path):
    kept = shared.kept
    raw = members(frames=[ROW] * 1000)
    assert len(raw) > 200_000
    refused(shared.post(path, raw), 413)
    assert shared.kept == kept


@pytest.mark.parametrize("path", ["/feed", "/classify"])
def test_body_over_the_limit_in_chunks(shared, refused, path):
    kept = shared.kept
    raw = members(frames=[ROW] * 1000)
    refused(shared.post(path, (raw[at : at + 10_000] for at in range(0, len(raw), 10_000))), 413)
    assert shared.kept == kept


def test_body_over_the_limit_is_one_kind_of_problem(shared, refused):
    by_length = shared.post("/feed", bytes(300_000))
    in_chunks = shared.post("/feed", (bytes(1000) for _ in range(300)))
    assert refused(by_length, 413)["type"] == refused(in_chunks, 413)["type"]


def test_body_within_the_limit_in_chunks(shared):
    raw = members(frames=[ROW] * 10)
    answer = shared.post("/feed", (raw[at : at + 100] for at in range(0, len(raw), 100)))
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"dreams": 0}', "body.dreams"),
        (b'{"dreams": -1}', "body.dreams"),
        (b'{"dreams": 10000001}', "body.dreams"),
        (b'{"dreams": "many"}', "body.dreams"),
        (b'{"dreams": "500"}', "body.dreams"),
        (b'{"dreams": true}', "body.dreams"),
        (b'{"dreams": 1.5}', "body.dreams"),
        (b'{"dreams": [5]}', "body.dreams"),
        (b'{"dreams": 1e999}', "body.dreams"),
        (b'{"dreams": NaN}', "body.dreams"),
        (b'{"dream": 5}', "body.dream"),
        (b"[]", "body"),
        (b"5", "body"),
        (b'"long"', "body"),
    ],
)
def test_sleep(shared, refused, raw, place):
    kept = shared.kept
    refused(shared.post("/sleep", raw), 422, "invalid", place)
    assert shared.settle().kept == kept


GOOD = {"every": 100, "idle": 5.0, "dreams_per_frame": 1.0}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"every": 0}, "body.every"),
        ({"every": -5}, "body.every"),
        ({"every": 1.5}, "body.every"),
        ({"every": "often"}, "body.every"),
        ({"every": "100"}, "body.every"),
        ({"every": True}, "body.every"),
        ({"every": 1e999}, "body.every"),
        ({"idle": 0}, "body.idle"),
        ({"idle": -0.5}, "body.idle"),
        ({"idle": float("nan")}, "body.idle"),
        ({"idle": float("inf")}, "body.idle"),
        ({"idle": "5"}, "body.idle"),
        ({"idle": [5]}, "body.idle"),
        ({"dreams_per_frame": 0}, "body.dreams_per_frame"),
        ({"dreams_per_frame": 101}, "body.dreams_per_frame"),
        ({"dreams_per_frame": None}, "body.dreams_per_frame"),
        ({"dreams_per_frame": float("nan")}, "body.dreams_per_frame"),
        ({"nightly": True}, "body.nightly"),
    ],
)
def test_schedule(shared, refused, change, place):
    before = shared.get("/schedule")
    raw = json.dumps(GOOD | change).encode()
    answer = shared.http.put("/schedule", content=raw, headers={"content-type": JSON})
    refused(answer, 422, "invalid", place)
    assert shared.get("/schedule") == before


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b'{"every": 1}'])
def test_schedule_that_is_not_whole(shared, refused, raw):
    before = shared.get("/schedule")
    refused(shared.http.put("/schedule", content=raw, headers={"content-type": JSON}), 422, "invalid")
    assert shared.get("/schedule") == before


@pytest.mark.parametrize(("verb", "path"), [("POST", "/sleep"), ("PUT", "/schedule")])
@pytest.mark.parametrize("raw", [b"nonsense", b'{"dreams": 5', b'{"every": 1, "idle": \xff}'])
def test_not_json(shared, refused, verb, path, raw):
    kept = shared.kept
    answer = shared.http.request(verb, path, content=raw, headers={"content-type": JSON})
    problem = refused(answer, 400 if b"\xff" in raw else 422)
    assert "got {}" not in problem["detail"], "an empty object is not what was got"
    assert shared.kept == kept


@pytest.mark.parametrize(("verb", "path"), [("POST", "/sleep"), ("PUT", "/schedule")])
def test_json_by_another_name(shared, refused, verb, path):
    kept = shared.kept
    answer = shared.http.request(verb, path, content=json.dumps(GOOD), headers={"content-type": "text/plain"})
    refused(answer, 422)
    assert shared.kept == kept


@pytest.mark.parametrize("path", ["/pages", "/feeds", "/feed/1", "/snapshots/1", "/favicon.ico"])
def test_unknown_paths(shared, refused, path):
    assert path in refused(shared.http.get(path), 404, "not-found")["detail"]


@pytest.mark.parametrize(
    ("verb", "path"), [("GET", "/feed"), ("DELETE", "/feed"), ("GET", "/classify"), ("POST", "/schedule"), ("POST", "/status")]
)
def test_wrong_verbs(shared, refused, verb, path):
    answer = shared.http.request(verb, path)
    assert verb in refused(answer, 405, "method-not-allowed")["detail"]
    assert answer.headers["allow"]


def test_what_is_not_known_is_a_problem_too(gateway, refused, monkeypatch):
    app = gateway.open()

    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError("something new")

    monkeypatch.setattr(app.stream, "accept", break_down)
    refused(app.feed(np.ones((1, 64))), 500, "internal")
