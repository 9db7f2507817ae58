"""The page and its parts as they are served, the stream of moments, and pausing."""

import json

import numpy as np
import pytest

from ffstream_gateway import look_models
from ffstream_gateway.live import PAGE


def test_the_page_runs_nothing_from_elsewhere(shared):
    answer = shared.http.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    for file in PAGE.iterdir():
        text = file.read_text()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), file
        assert "https://" not in text, file
        assert "innerHTML" not in text, file


def test_every_part_is_served(shared):
    kinds = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for file in PAGE.iterdir():
        answer = shared.http.get(f"/page/{file.name}")
        assert answer.text == file.read_text()
        assert answer.headers["content-type"].startswith(kinds[file.suffix])
        assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("name", ["none.js", "..%2Fapp.py", "%2e%2e", ".", "__init__.py"])
def test_nothing_else_is(shared, refused, name):
    refused(shared.http.get(f"/page/{name}"), 404)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(("verb", "path"), [("POST", "/sleep"), ("PUT", "/feeding"), ("POST", "/snapshots/1/restore")])
def test_pages_of_others_may_change_nothing(shared, refused, site, verb, path):
    before = shared.kept
    answer = shared.http.request(verb, path, headers={"sec-fetch-site": site}, json={"paused": True})
    refused(answer, 403, "cross-origin", "Sec-Fetch-Site")
    assert shared.get("/feeding") == {"paused": False}
    assert shared.kept == before


def test_its_own_page_may(shared):
    answer = shared.http.put("/feeding", headers={"sec-fetch-site": "same-origin"}, json={"paused": False})
    assert answer.status_code == 200


def test_events_end_when_the_server_stops(gateway, frames):
    app = gateway.open().settle()
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    app.app.state.moments.end()
    answer = app.http.get("/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    moment = look_models.Moment.model_validate_json(told[0], strict=True)
    assert (moment.state, moment.frames, moment.phase) == ("ready", 50, "wake")
    assert json.loads(told[0]) | {"at": 0} == app.get("/moment") | {"at": 0}
    assert app.app.state.moments.listeners == 0


def test_not_too_many_listen(gateway, refused, monkeypatch):
    monkeypatch.setattr("ffstream_gateway.moments.LISTENERS", 0)
    app = gateway.open()
    answer = app.http.get("/events")
    refused(answer, 503, "listeners")
    assert int(answer.headers["retry-after"]) > 0


def test_since_when_it_is_awake_or_asleep(gateway, frames):
    app = gateway.open().settle()
    assert app.get("/moment")["since"] == app.service.opened_at
    app.accepted(frames[0][:50], frames[1][:50])
    app.settle()
    dreaming = gateway.hold("sleep")
    app.http.post("/sleep")
    assert dreaming.reached.wait(10)
    moment = app.app.state.moments._make()
    assert (moment.phase, moment.since) == ("sleep", app.events("sleep")[0].at)
    dreaming.open()
    app.settle()
    moment = app.app.state.moments._make()
    assert (moment.phase, moment.since) == ("wake", app.service.recent.woke_at)
    assert moment.since > app.events("sleep")[0].at


def test_paused_takes_no_frames_and_learns_what_waits(gateway, refused, frames):
    learning = gateway.hold("wake")
    app = gateway.open().settle()
    assert app.get("/feeding") == {"paused": False}
    app.accepted(frames[0][:50])
    assert app.http.put("/feeding", json={"paused": True}).json() == app.get("/feeding") == {"paused": True}
    answers = [
        app.feed(frames[0][50:60], frames[1][50:60]),
        app.http.post("/labels", json={"labels": [{"id": 1, "label": 3}]}),
    ]
    for answer in answers:
        refused(answer, 503, "paused")
        assert int(answer.headers["retry-after"]) > 0
    with app.http.websocket_connect("/feed") as socket:
        socket.receive_json()
        socket.send_text(json.dumps({"frame": [0.0] * 64}))
        answer = socket.receive_json()
        assert (answer["status"], answer["type"]) == (503, "urn:ffstream:problem:paused")
        assert answer["retry_after"] > 0
    learning.open()
    app.settle()
    assert app.kept[0] == app.get("/status")["frames"] == 50
    assert app.classify(frames[0][:2]).status_code == 200
    assert app.http.post("/sleep", json={"dreams": 25}).status_code == 202
    assert app.http.put("/feeding", json={"paused": False}).status_code == 200
    app.accepted(np.ones((1, 64)), [1])


def test_a_restart_resumes(gateway):
    app = gateway.open()
    app.http.put("/feeding", json={"paused": True})
    app.close()
    assert gateway.open().get("/feeding") == {"paused": False}


@pytest.mark.parametrize("body", [{}, {"paused": 1}, {"paused": None}, {"paused": True, "more": 1}, [], "true"])
def test_wrong_wishes(shared, refused, body):
    refused(shared.http.put("/feeding", json=body), 422)
    assert shared.get("/feeding") == {"paused": False}
