"""Every request has a name, which is answered and in all that is logged of it, until its frames are learned."""

import logging

import pytest
from structlog.contextvars import get_contextvars

ID = "X-Request-ID"


def test_a_sane_name_is_taken_over(shared):
    for name in ("a", "order-7", "550e8400-e29b-41d4-a716-446655440000", "x" * 128):
        assert shared.http.get("/livez", headers={ID: name}).headers[ID] == name


@pytest.mark.parametrize("name", ["", "x" * 129, "two words", 'quote"', "a\tb", "é".encode("latin-1"), "{}"])
def test_any_other_gets_a_new_one(shared, name):
    answered = [shared.http.get("/livez", headers={ID: name}).headers[ID] for _ in range(2)]
    assert len(set(answered)) == 2
    assert all(len(each) == 32 and each.isalnum() for each in answered)


def test_refusals_and_failures_have_one(gateway, monkeypatch):
    app = gateway.open()
    for path in ("/nowhere", "/frames/99"):
        answer = app.http.get(path, headers={ID: "mine"})
        assert (answer.status_code, answer.headers[ID]) == (404, "mine")
    monkeypatch.setattr("ffstream_gateway.models.status", lambda *_: 1 / 0)
    answer = app.http.get("/status", headers={ID: "mine"})
    assert (answer.status_code, answer.headers[ID]) == (500, "mine")


def test_a_websocket_has_one(shared):
    with shared.http.websocket_connect("/feed", headers={ID: "mine"}) as socket:
        assert dict(socket.extra_headers)[ID.lower().encode()] == b"mine"


def test_from_the_request_to_the_event_that_learned_its_frames(gateway, frames, caplog):
    app = gateway.open().settle()
    with caplog.at_level(logging.DEBUG, "ffstream_gateway"):
        app.feed(frames[0][:60], frames[1][:60], x_request_id="one")
        app.feed(frames[0][:10], frames[1][:10], x_request_id="two")
        app.settle()
    learned = {each.request_id: each for each in caplog.records if each.message == "learned"}
    assert {name: (each.first, each.last) for name, each in learned.items()} == {"one": (1, 60), "two": (61, 70)}
    events = {each.seq: each.event for each in app.events("wake")}
    for each in learned.values():
        assert events[each.seq].first <= each.last <= events[each.seq].last
        assert each.seconds > 0
    through = {each.seq for each in caplog.records if each.message == "through" and each.kind == "wake"}
    assert through == set(events)


def test_nothing_of_a_request_stays_with_the_next(shared):
    shared.http.get("/livez", headers={ID: "mine"})
    assert "request_id" not in get_contextvars()
    assert shared.http.get("/livez").headers[ID] != "mine"
