"""Keys: who is let in, for what, and how often."""

import asyncio
import json
import os
import stat
import threading
import time

import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect

from ffstream.errors import ConfigError
from ffstream_gateway.access import Access, is_known
from ffstream_gateway.keys import Scope, add, keys_in, remove
from ffstream_gateway.settings import Settings

PROBLEMS = {401: "bearer-key", 403: "scope", 429: "rate"}
OPEN = {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"}


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def path(gateway):
    return gateway.settings().keys_file


@pytest.fixture
def guarded(gateway, path):
    """A service with a key of every scope."""
    keys = {scope: add(path, scope.value, [scope]) for scope in Scope}
    app = gateway.open(clip=2).settle()
    app.keys = keys
    return app


def routes(app):
    for path, verbs in app.http.get("/openapi.json").json()["paths"].items():
        for verb, operation in verbs.items():
            yield verb, path.replace("{seq}", "1").replace("{number}", "1"), operation


def test_every_route_has_been_given_a_scope_or_none(guarded):
    for _, path, operation in routes(guarded):
        assert is_known(path), path
        assert bool(operation["security"]) is (path not in OPEN), path
        if operation["security"]:
            assert {"401", "403", "429"} <= operation["responses"].keys()


def test_nothing_is_let_in_without_a_key_or_with_a_wrong_one(guarded, refused):
    right = guarded.keys[Scope.ADMIN]
    wrong = ["", "x", right[:-1], right + "x", right.replace("admin", "feed"), right.replace("ffs_", "ffx_"), "ffs_nobody_x"]
    before = guarded.kept
    for verb, path, operation in routes(guarded):
        if operation["security"]:
            for headers in ({}, {"authorization": f"Basic {right}"}, *map(bearer, wrong)):
                answer = guarded.http.request(verb, path, headers=headers)
                refused(answer, 401, "bearer-key", "Authorization")
                assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert guarded.kept == before


def test_scopes_are_what_the_document_says(guarded, refused):
    for verb, path, operation in routes(guarded):
        if path == "/events":
            guarded.app.state.moments.end()
        lets = {scope for each in operation["security"] for scope in each["bearer"]}
        for scope, key in guarded.keys.items():
            answer = guarded.http.request(verb, path, headers=bearer(key))
            if lets and scope not in lets:
                refused(answer, 403, "scope", "Authorization")
                assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
            else:
                assert answer.status_code not in (401, 403), (verb, path, scope)


def test_what_each_scope_is_for(gateway, path):
    access = Access(gateway.settings())
    only_admin = [("POST", "/sleep"), ("PUT", "/feeding"), ("POST", "/snapshots/1/restore"), ("GET", "/metrics")]
    only_admin += [("GET", "/recent"), ("POST", "/status"), ("GET", "/new"), ("GET", "//livez"), ("GET", "/pages")]
    for verb, where in only_admin:
        assert access.suffices(verb, where) == (Scope.ADMIN,), where
    assert Scope.CLASSIFY not in access.suffices("POST", "/feed")
    assert Scope.FEED not in access.suffices("POST", "/classify")
    assert access.suffices("GET", "/status") == tuple(Scope)
    assert access.suffices("GET", "/") is access.suffices("GET", "/page/main.js") is None
    assert Access(gateway.settings(open_metrics=True)).suffices("GET", "/metrics") is None


def test_sockets_need_a_key_too(guarded):
    for path, scope, other in (("/feed", Scope.FEED, Scope.CLASSIFY), ("/watch", Scope.CLASSIFY, Scope.FEED)):
        for headers, status in (({}, 401), (bearer("ffs_x_y"), 401), (bearer(guarded.keys[other]), 403)):
            with pytest.raises(WebSocketDisconnect) as ended, guarded.http.websocket_connect(path, headers=headers):
                pass
            assert (ended.value.status_code, ended.value.json()["status"]) == (status, status)
        with guarded.http.websocket_connect(path, headers=bearer(guarded.keys[scope])) as socket:
            assert socket.receive_json()


def test_a_key_that_is_removed_counts_no_more_even_for_an_open_socket(guarded, path):
    frame = json.dumps({"frame": [0.5] * 128, "label": 1})
    key = guarded.keys[Scope.FEED]
    with guarded.http.websocket_connect("/feed", headers=bearer(key)) as socket:
        socket.receive_json()
        socket.send_text(frame)
        assert socket.receive_json()["frames"] == 1
        remove(path, "feed")
        socket.send_text(frame)
        assert socket.receive_json()["type"] == "urn:ffstream:problem:bearer-key"
    assert guarded.http.get("/status", headers=bearer(key)).status_code == 401
    again = add(path, "feed", [Scope.FEED])
    assert guarded.http.get("/status", headers=bearer(again)).status_code == 200
    assert guarded.kept[0] == 1


def test_who_may_only_watch_has_nothing_learned(guarded):
    picture = {"picture": [0.5] * 64}
    with guarded.http.websocket_connect("/watch", headers=bearer(guarded.keys[Scope.CLASSIFY])) as socket:
        socket.receive_json()
        socket.send_json(picture)
        assert socket.receive_json()["tick"] == 1
        socket.send_json({**picture, "learn": True})
        assert socket.receive_json()["type"] == "urn:ffstream:problem:scope"
        socket.send_json(picture)
        assert socket.receive_json()["tick"] == 2
    assert guarded.kept[0] == 0


def test_a_removed_key_hears_no_more(guarded, path):
    """The stream of moments ends, though the service goes on."""
    moments = guarded.app.state.moments
    hearing = threading.Thread(target=lambda: wait_for_listener(moments, lambda: remove(path, "admin")))
    hearing.start()
    answer = guarded.http.get("/events", headers=bearer(guarded.keys[Scope.ADMIN]))
    hearing.join()
    assert answer.text.count("data: ") >= 1
    assert moments.listeners == 0


def wait_for_listener(moments, then):
    while not moments.listeners:
        time.sleep(0.01)
    time.sleep(0.2)
    then()


def test_keys_can_be_made_and_removed_under_way(gateway, path, refused):
    app = gateway.open().settle()
    assert app.http.get("/status").status_code == 200, "on loopback nobody needs a key as long as there is none"
    key = add(path, "first", [Scope.ADMIN])
    refused(app.http.get("/status"), 401, "bearer-key")
    assert app.http.get("/status", headers=bearer(key)).status_code == 200
    path.unlink()
    refused(app.http.get("/status"), 401, "bearer-key")


def test_keys_that_cannot_be_read_stay_as_they_were(gateway, path, refused, caplog):
    key = add(path, "first", [Scope.ADMIN])
    app = gateway.open().settle()
    path.write_text("{")
    assert app.http.get("/status", headers=bearer(key)).status_code == 200
    refused(app.http.get("/status"), 401, "bearer-key")
    assert [record.message for record in caplog.records].count(caplog.records[-1].message) == 1
    with pytest.raises(ConfigError, match=r"keys\.json"):
        Access(gateway.settings())


def test_a_rate_holds_for_its_key_alone(gateway, path, refused):
    slow = add(path, "slow", [Scope.FEED], "3/hour")
    quick = add(path, "quick", [Scope.FEED])
    app = gateway.open().settle()
    with app.http.websocket_connect("/feed", headers=bearer(slow)) as socket:
        socket.receive_json()
        for status in (None, None, 429):
            socket.send_text(json.dumps({"frame": [0.5] * 64}))
            answer = socket.receive_json()
            assert answer.get("status") == status
    assert 0 < answer["retry_after"] <= 3600
    answer = app.http.get("/status", headers=bearer(slow))
    refused(answer, 429, "rate")
    assert 0 < int(answer.headers["retry-after"]) <= 3600
    assert app.http.get("/status", headers=bearer(quick)).status_code == 200
    assert app.kept[0] == 2


def test_after_so_many_seconds_a_key_may_again(gateway, path):
    key = add(path, "slow", [Scope.FEED], "1/second")
    access = Access(gateway.settings())
    asked = {"type": "http", "method": "GET", "path": "/status", "headers": [(b"authorization", f"Bearer {key}".encode())]}

    async def often() -> int:
        waits = 0
        for _ in range(3):
            try:
                await access.admit(asked)
            except Exception as problem:
                waits += 1
                await asyncio.sleep(2 * int(problem.headers["Retry-After"]))
                await access.admit(asked)
        return waits

    assert asyncio.run(often()) > 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.com"])
def test_others_are_not_served_without_keys(gateway, path, host):
    with pytest.raises(ConfigError, match="ffstream keys add NAME"):
        gateway.open(host=host)
    add(path, "first", [Scope.FEED])
    assert gateway.open(host=host).http.get("/status").status_code == 401
    remove(path, "first")
    with pytest.raises(ConfigError, match="ffstream keys add NAME"):
        Access(gateway.settings(host=host))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1:80", ""])
def test_without_keys_only_what_is_meant_for_this_machine_is_answered(shared, refused, host):
    refused(shared.http.get("/status", headers={"host": host}), 403, "host", "Host")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"])
def test_whatever_it_calls_itself(shared, host):
    assert shared.http.get("/status", headers={"host": host}).status_code == 200


def test_what_is_kept_does_not_tell_the_key(path):
    key = add(path, "first", [Scope.FEED, Scope.FEED, Scope.CLASSIFY], "100/second")
    secret = key.split("_", 2)[2]
    kept = path.read_text()
    assert secret not in kept
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    found = keys_in(path)["first"]
    assert (found.scopes, found.rate) == ((Scope.FEED, Scope.CLASSIFY), "100/second")
    assert found.fits(secret)
    assert not found.fits(secret[:-1])
    other = keys_in(path)["first"].salt
    remove(path, "first")
    add(path, "first", [Scope.FEED])
    assert keys_in(path)["first"].salt != other
    assert len(secret) >= 43, "256 bits"


@pytest.mark.parametrize(
    ("name", "scopes", "rate", "said"),
    [
        ("", [Scope.FEED], None, "name"),
        ("A B", [Scope.FEED], None, "name"),
        ("x_y", [Scope.FEED], None, "name"),
        ("x" * 65, [Scope.FEED], None, "name"),
        ("x", [], None, "scope"),
        ("x", [Scope.FEED], "fast", "rate"),
        ("x", [Scope.FEED], "0/second", "rate"),
        ("x", [Scope.FEED], "-1/second", "rate"),
        ("taken", [Scope.FEED], None, "taken"),
    ],
)
def test_keys_that_will_not_do(path, name, scopes, rate, said):
    add(path, "taken", [Scope.FEED])
    before = path.read_text()
    with pytest.raises(ConfigError, match=said):
        add(path, name, scopes, rate)
    with pytest.raises(ConfigError, match="there is no key"):
        remove(path, "absent")
    assert path.read_text() == before


def test_a_file_of_its_own(gateway, tmp_path):
    assert Settings.load({"keys": tmp_path / "own.json"}).keys_file == tmp_path / "own.json"
    key = add(tmp_path / "own.json", "first", [Scope.CLASSIFY])
    app = gateway.open(keys=tmp_path / "own.json")
    answer = app.http.post("/classify", json={"frames": np.ones((1, 64)).tolist()}, headers=bearer(key))
    assert answer.status_code == 200
