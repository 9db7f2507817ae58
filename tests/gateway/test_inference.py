"""The Open Inference Protocol, where no client of it goes: strange bodies, keys, and a service that is not ready."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ffstream_gateway import tensors
from ffstream_gateway.keys import Scope, add
from ffstream_gateway.problems import Problem
from ffstream_gateway.service import Service

INFER = "/v2/models/ffstream/infer"


def tensor(**members):
    return {"name": "frames", "shape": [2, 64], "datatype": "FP32", **members}


def infer(app, **members):
    return app.http.post(INFER, json={"inputs": [tensor(**members)]})


FLAT = [0.5] * 128
WRONG = {
    "name": tensor(name="input-0", data=FLAT),
    "datatype": tensor(datatype="BYTES", data=FLAT),
    "shape": tensor(shape=[64, 2], data=FLAT),
    "one axis": tensor(shape=[128], data=FLAT),
    "too few": tensor(data=FLAT[1:]),
    "too many": tensor(data=[*FLAT, 1]),
    "ragged": tensor(data=[FLAT[:63], FLAT[:65]]),
    "mixed": tensor(data=[FLAT[:64], 1]),
    "deep": tensor(data=[[FLAT[:64]], [FLAT[:64]]]),
    "words": tensor(data=["0.5"] * 128),
    "truth": tensor(data=[True] * 128),
    "nothing": tensor(data=[None] * 128),
    "no data": tensor(),
    "huge": tensor(data=[1e300] * 128),
    "negative length": tensor(shape=[-1, 64], data=FLAT),
    "half a pixel": tensor(datatype="UINT8", data=FLAT),
    "bright": tensor(datatype="UINT8", data=[256] * 128),
    "no room": tensor(shape=[10**30, 64], data=FLAT),
    "raw without bytes": tensor(parameters={"binary_data_size": 512}),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_in_the_protocols_form(shared, refused, what):
    problem = refused(shared.http.post(INFER, json={"inputs": [WRONG[what]]}), 422)
    assert problem["error"] == problem["detail"]
    assert problem["place"].startswith("inputs")


def test_flat_or_by_rows_is_the_same(shared):
    x = np.random.default_rng(0).random((2, 64))
    flat, rows = infer(shared, data=x.ravel().tolist()), infer(shared, data=x.tolist())
    assert flat.status_code == 200
    assert flat.json() == rows.json()
    assert infer(shared, datatype="INT32", data=[1] * 128).status_code == 200
    one = {"inputs": [tensor(shape=[1, 64], data=x[0].tolist())], "outputs": [{"name": "label"}]}
    assert shared.http.post(INFER, json=one).json()["outputs"][0]["shape"] == [1]


def test_lengths_that_are_none(shared, refused):
    body = json.dumps({"inputs": [tensor(data=FLAT)]}).encode()
    for length in ("x", "-1", str(len(body) + 1), "9" * 5000):
        refused(shared.http.post(INFER, content=body, headers={tensors.HEADER: length}), 422, "invalid", tensors.HEADER)
    refused(shared.http.post(INFER, content=body + b"more", headers={tensors.HEADER: str(len(body))}), 422, "shape")
    assert shared.http.post(INFER, content=body, headers={tensors.HEADER: str(len(body))}).status_code == 200


def test_refusals_of_all_kinds_have_the_protocols_member(shared, refused):
    for answer, status in (
        (shared.http.get("/v2/models/another"), 404),
        (shared.http.get("/v2/nothing"), 404),
        (shared.http.get(INFER), 405),
        (shared.http.post(INFER, content=b"[" * 300_000), 413),
        (shared.http.post(INFER, json={}, headers={"sec-fetch-site": "cross-site"}), 403),
        (shared.http.post(INFER, json={"inputs": [tensor(data=FLAT)], "outputs": [{"name": "logits"}]}), 422),
    ):
        assert refused(answer, status)["error"]
    assert "error" not in refused(shared.http.get("/nothing"), 404)
    assert "error" not in refused(shared.http.get("/v2x"), 404)


def test_it_answers_before_anything_is_learned_and_not_when_all_has_failed(gateway, monkeypatch):
    opening = gateway.hold("__init__")
    app = gateway.open()
    assert app.http.get("/readyz").status_code == 503
    assert app.http.get("/v2/health/live").json() == {"live": True}
    assert app.http.get("/v2/health/ready").json() == {"ready": True}
    assert infer(app, data=FLAT).json()["parameters"]["status"] == "cold"
    opening.open()
    app.settle()
    monkeypatch.setattr(Service, "accepts", False)
    for path in ("/v2/health/ready", "/v2/models/ffstream/ready"):
        answer = app.http.get(path)
        assert (answer.status_code, answer.json()["ready"]) == (503, False)


def test_what_needs_a_key(gateway):
    path = gateway.settings().keys_file
    keys = {scope: {"authorization": f"Bearer {add(path, scope.value, [scope])}"} for scope in Scope}
    app = gateway.open().settle()
    assert app.http.get("/v2/health/live").status_code == app.http.get("/v2/health/ready").status_code == 200
    assert app.http.get("/v2").json()["error"]
    body = {"inputs": [tensor(data=FLAT)]}
    for scope, key in keys.items():
        assert app.http.get("/v2/models/ffstream", headers=key).status_code == 200
        assert app.http.post(INFER, json=body, headers=key).status_code == (403 if scope is Scope.FEED else 200)


def test_symbols(gateway):
    app = gateway.open(task="sequence", context=5, units=(20, 20)).settle()
    assert app.http.get("/v2/models/ffstream").json()["inputs"] == [{"name": "frames", "datatype": "UINT8", "shape": [-1, 5]}]
    assert infer(app, shape=[1, 5], datatype="UINT8", data=[0, 1, 2, 3, 4]).status_code == 200
    assert infer(app, shape=[1, 5], datatype="UINT8", data=[0, 1, 2, 3, 200]).status_code == 422


NUMBERS = st.integers(-3, 300) | st.floats() | st.sampled_from([10**40, 10**400, None, True, "1", []])
DATA = st.lists(NUMBERS, max_size=9) | st.lists(st.lists(NUMBERS, min_size=3, max_size=5), max_size=3)
LENGTHS = st.integers(0, 300).map(str) | st.none() | st.text(max_size=3)
BODIES = st.fixed_dictionaries(
    {
        "shape": st.sampled_from([[1, 4], [2, 4], [0, 4], [4], [1, 5], [10**20, 4]]),
        "datatype": st.sampled_from([*tensors.CODES, "BYTES"]),
    },
    optional={"data": DATA, "parameters": st.fixed_dictionaries({"binary_data_size": st.sampled_from([0, 4, 16, 32, -1])})},
)


@given(BODIES, LENGTHS, st.binary(max_size=40))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_whatever_comes_is_read_or_refused(members, length, behind):
    head = json.dumps({"inputs": [{"name": "frames", **members}]}).encode()
    length = str(len(head)) if length == "0" else length
    try:
        _, found = tensors.read(head + behind, length, 4)
    except Problem as problem:
        found = problem
    assert getattr(found, "status", None) == 422 or found.shape == tuple(members["shape"])
