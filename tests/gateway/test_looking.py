"""What can be looked at: status, probes, metrics, the OpenAPI document."""

import json
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

import ffstream
from ffstream_gateway import inference, look_models, models


def figures(app: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = app.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples}


def test_status(gateway, frames):
    app = gateway.open(every=100).settle()
    fresh = app.get("/status")
    models.Status.model_validate_json(json.dumps(fresh), strict=True)
    assert fresh.keys() == models.Status.model_fields.keys()
    assert fresh["state"] == "ready"
    assert fresh["accuracy"] is fresh["accuracy_overall"] is fresh["error"] is None
    assert fresh["layers"] == [
        {"layer": 1, "positive": None, "negative": None},
        {"layer": 2, "positive": None, "negative": None},
    ]
    app.accepted(frames[0][:250], frames[1][:250])
    app.settle()
    status = app.get("/status")
    models.Status.model_validate_json(json.dumps(status), strict=True)
    assert status["accepted"] == status["frames"] == status["labelled"] == 250
    assert status["waiting"] == 0
    assert status["seq"] == status["reader_seq"] == app.kept[1] == 12
    assert (status["sleeps"], status["phase"]) == (2, "wake")
    assert 0 < status["accuracy"] == status["accuracy_overall"] < 1
    assert status["version"] == ffstream.__version__
    assert status["network"] == json.loads((gateway.folder / "network.json").read_text())
    for number, layer in enumerate(status["layers"], start=1):
        assert layer["layer"] == number
        for polarity in ("positive", "negative"):
            assert layer[polarity].keys() == {"goodness", "p_positive", "taught"}
            assert layer[polarity]["goodness"] != 0
            assert 0 <= layer[polarity]["p_positive"] <= 1
            assert 0 <= layer[polarity]["taught"] <= 1


def test_frames_per_second(gateway, frames, wait_until, monkeypatch):
    monkeypatch.setattr("ffstream_gateway.service.RATE_OVER", 1.0)
    app = gateway.open().settle()
    assert app.get("/status")["frames_per_second"] == 0
    app.accepted(frames[0][:500], frames[1][:500])
    assert wait_until(lambda: app.get("/status")["frames_per_second"]) > 0
    assert wait_until(lambda: app.get("/status")["frames_per_second"] == 0), "nothing was learned for a while"


def test_probes(gateway):
    opening = gateway.hold("__init__")
    app = gateway.open()
    assert app.get("/livez") == {"state": "live"}
    assert app.http.get("/readyz").status_code == 503
    assert app.http.get("/readyz").json() == {"state": "starting"}
    opening.open()
    app.settle()
    assert app.get("/readyz") == {"state": "ready"}


def test_metrics(gateway, frames):
    app = gateway.open(every=100).settle()
    before = figures(app)
    assert before["ffstream_frames_accepted_total", ()] == 0
    assert ("ffstream_accuracy_ratio", ()) not in before
    app.accepted(frames[0][:250], frames[1][:250])
    app.settle()
    app.feed(np.ones((1, 63)))
    app.http.get("/nowhere/at/all")
    after, status = figures(app), app.get("/status")
    for name, value in {
        "frames_accepted_total": 250,
        "frames_learned_total": 250,
        "dreams_total": status["dreams"],
        "sleeps_total": 2,
        "frames_waiting": 0,
        "sleep_owed_frames": 50,
        "asleep": 0,
        "ready": 1,
        "seq": status["seq"],
        "reader_seq": status["reader_seq"],
        "accuracy_ratio": status["accuracy"],
    }.items():
        assert after[f"ffstream_{name}", ()] == value, name
    for layer in ("1", "2"):
        for polarity in ("positive", "negative"):
            assert after["ffstream_goodness", (("layer", layer), ("polarity", polarity))] != 0

    def count(route: str, method: str, status: str) -> float:
        return after["ffstream_http_request_duration_seconds_count", (("method", method), ("route", route), ("status", status))]

    assert count("/feed", "POST", "202") == 1
    assert count("/feed", "POST", "422") == 1
    assert count("other", "GET", "404") == 1
    assert count("/metrics", "GET", "200") == 1
    assert after["ffstream_learn_lag_seconds_count", ()] == 1, "one request was learned"
    assert 0 < after["ffstream_learn_lag_seconds_sum", ()] < 60
    for kind, times in {"wake": 10, "sleep": 2}.items():
        assert after["ffstream_event_duration_seconds_count", (("kind", kind),)] == times
    assert after["ffstream_state", (("ffstream_state", "ready"),)] == 1
    assert after["ffstream_journal_size_bytes", ()] >= 250 * 64


def test_a_request_is_followed_once(gateway, frames):
    """However often it is repeated, and also when its frames are learned again after a failure."""
    app = gateway.open()
    tried = gateway.break_wake(lambda first: first == 26 and tried.count(26) < 2)
    for _ in range(2):
        app.feed(frames[0][:50], frames[1][:50], idempotency_key="one")
    app.settle()
    assert tried.count(26) == 2
    found = figures(app)
    assert found["ffstream_learn_lag_seconds_count", ()] == 1
    assert found["ffstream_chain_openings_total", ()] == 2


def test_metrics_asleep(gateway, frames):
    app = gateway.open()
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    dreaming = gateway.hold("sleep")
    app.http.post("/sleep")
    assert dreaming.reached.wait(10)
    assert figures(app)["ffstream_asleep", ()] == 1
    dreaming.open()


def test_metrics_count_what_is_too_large(gateway):
    app = gateway.open(max_body=1000)
    app.post("/feed", bytes(2000))
    counted = [labels for name, labels in figures(app) if name == "ffstream_http_request_duration_seconds_count"]
    assert any(("status", "413") in labels for labels in counted)


def test_two_services_have_metrics_of_their_own(gateway, tmp_path):
    one, other = gateway.open(), gateway.open(folder=tmp_path / "other")
    one.accepted(np.ones((3, 64)), [1, 2, 3])
    one.settle()
    assert figures(one)["ffstream_frames_accepted_total", ()] == 3
    assert figures(other)["ffstream_frames_accepted_total", ()] == 0


def test_docs(shared):
    assert shared.http.get("/docs").status_code == 200


@pytest.fixture(scope="module")
def document(shared):
    return shared.get("/openapi.json")


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for each in [schema, *schema.get("anyOf", [])]:
        if "$ref" in each:
            return document["components"]["schemas"][each["$ref"].rsplit("/", 1)[1]]
    return schema


def examples(document: dict[str, Any], media: dict[str, Any]) -> list[Any]:
    named = [each["value"] for each in media.get("examples", {}).values()]
    schema = resolved(document, media.get("schema", {}))
    return [*([media["example"]] if "example" in media else []), *named, *schema.get("examples", [])]


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(verb, path, each) for path, item in document["paths"].items() for verb, each in item.items()]


def test_every_route_is_documented(document):
    assert {(verb.upper(), path) for verb, path, _ in operations(document)} == {
        ("POST", "/feed"),
        ("POST", "/labels"),
        ("GET", "/frames/{number}"),
        ("POST", "/classify"),
        ("POST", "/sleep"),
        ("GET", "/sleep"),
        ("GET", "/schedule"),
        ("PUT", "/schedule"),
        ("GET", "/status"),
        ("GET", "/models"),
        ("POST", "/snapshots"),
        ("GET", "/snapshots"),
        ("POST", "/snapshots/{seq}/restore"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/events"),
        ("GET", "/moment"),
        ("GET", "/shape"),
        ("GET", "/recent"),
        ("GET", "/dreams"),
        ("GET", "/goodness"),
        ("GET", "/fields"),
        ("POST", "/explain"),
        ("GET", "/feeding"),
        ("PUT", "/feeding"),
        ("GET", "/v2"),
        ("GET", "/v2/health/live"),
        ("GET", "/v2/health/ready"),
        ("GET", "/v2/models/{name}"),
        ("GET", "/v2/models/{name}/ready"),
        ("POST", "/v2/models/{name}/infer"),
    }


def test_every_example_of_a_body_is_accepted(gateway, document):
    app = gateway.open(inputs=64).settle()
    sent = set()
    for verb, path, operation in operations(document):
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            for example in examples(document, media):
                raw = example if isinstance(example, str) else json.dumps(example)
                url = path.replace("{name}", inference.MODEL)
                answer = app.http.request(verb, url, content=raw, headers={"content-type": kind})
                assert answer.status_code in (200, 202), (path, kind, answer.text)
                sent.add((path, kind))
    bodies = {(path, kind) for path in ("/feed", "/classify") for kind in ("application/json", "application/x-ndjson")}
    others = ("/sleep", "/schedule", "/labels", "/explain", "/feeding", "/v2/models/{name}/infer")
    assert sent == bodies | {(path, "application/json") for path in others}


def test_every_example_of_an_answer_is_one(document):
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            model = next(getattr(each, name) for each in (look_models, models, inference) if name in vars(each))
            model.model_validate_json(json.dumps(example), strict=True)


def test_every_answer_has_an_example(document):
    without = []
    for verb, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            media = answer.get("content", {}).get("application/json")
            if media is None or not status.startswith("2"):
                continue
            items = media["schema"].get("items", {})
            if not examples(document, media) and not examples(document, {"schema": items}):
                without.append(f"{verb} {path}")
    assert not without


def test_refusals_are_documented_as_problems(document):
    otherwise = []
    for verb, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status.startswith("4") and list(answer.get("content", {})) != ["application/problem+json"]:
                otherwise.append(f"{verb} {path} {status}")
    assert not otherwise
