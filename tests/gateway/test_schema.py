"""Requests of all kinds that the OpenAPI document describes, right and wrong: none of them is answered with a failure.

``make schema`` tries more of them.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import openapi

from ffstream_gateway.keys import Scope, add

INPUTS = int(os.environ.get("INPUTS", "200"))
"""Of all the operations together."""

ENDLESS = "/events"
MAY_WAIT = {"/feed", "/labels", "/sleep", "/snapshots", "/snapshots/{seq}/restore", "/readyz"}
"""An operation whose answer does not end, and those that may be refused for a while: feeding is paused, a restore under way."""


@pytest.fixture
def app(gateway):
    gateway.key = add(gateway.settings().keys_file, "admin", [Scope.ADMIN])
    app = gateway.open(every=25, max_body=200_000).settle()
    app.http.headers["authorization"] = f"Bearer {gateway.key}"
    return app


def test_no_request_makes_it_fail(app):
    schema = openapi.from_dict(app.http.get("/openapi.json").json())
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) > 20
    asked = [each for each in operations if each.path != ENDLESS]
    app.app.state.moments.end()
    app.feed([[0.5] * 64] * 30, [1] * 30, authorization=app.http.headers["authorization"])
    for operation in asked:
        try_out(operation, app.http, INPUTS // len(asked))
    assert app.http.get("/livez").status_code == 200


def try_out(operation, http, times):
    @settings(
        max_examples=max(3, times),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],
    )
    @given(operation.as_strategy())
    def tried(case):
        asked = case.as_transport_kwargs(base_url="http://127.0.0.1")
        sent = {name: asked.get(name) for name in ("method", "url", "params", "json")}
        answer = http.request(**sent, headers={**asked["headers"], **http.headers}, content=asked.get("data"))
        assert answer.status_code <= (503 if operation.path in MAY_WAIT else 499), answer.text
        assert answer.status_code != 500, answer.text

    tried()
