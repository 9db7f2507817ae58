"""A real service sends the traces of its requests to a real receiver of OTLP over HTTP."""

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ffstream.client import Client
from ffstream_gateway.child import Child

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Receiver:
    """What an OpenTelemetry collector is to a service; keeps spans by trace."""

    def __init__(self):
        self.traces = defaultdict(dict)
        self.names = set()
        received = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self):
                assert self.path == "/v1/traces"
                received.take(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,)).start()

    def take(self, request):
        for resource in request.resource_spans:
            self.names |= {each.value.string_value for each in resource.resource.attributes if each.key == "service.name"}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.traces[span.trace_id.hex()].setdefault(span.name, []).append(span)

    def close(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def attributes(span):
    return {each.key: each.value.int_value or each.value.string_value for each in span.attributes}


def sampled(trace, yes=True):
    return {"traceparent": f"00-{trace}-{PARENT}-0{int(yes)}"}


def test_a_feed_is_followed_until_its_weights_classify(receiver, monkeypatch, digits):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    body = {"frames": digits.x[:60].tolist(), "labels": digits.y[:60].tolist()}
    with Child(["--chain", "in-process", "--units", "40,40", "--log-level", "info", "--log-format", "json"]) as child:
        with Client(child.url()) as client:
            client.ready(60)
            assert httpx2.post(f"{child.url()}/feed", json=body, headers=sampled(CALLER)).status_code == 202
            assert httpx2.post(f"{child.url()}/feed", json=body, headers=sampled("1" * 32, False)).status_code == 202
            with client.stream() as stream:
                list(stream.feed_all([(digits.x[:30], digits.y[:30])] * 2))
            label = {"labels": [{"id": client.feed(digits.x[60:61]).last, "label": int(digits.y[60])}]}
            assert httpx2.post(f"{child.url()}/labels", json=label, headers=sampled("2" * 32)).status_code == 202
            while client.status().through < 182 or client.status().reader_seq < client.status().seq:
                time.sleep(0.05)
        logged = [json.loads(line) for line in child.log.read_text().splitlines()]
    assert receiver.names == {"ffstream"}
    trace = receiver.traces[CALLER]
    assert sorted(trace) == ["POST /feed", "journal", "learn", "publish", "validate", "wait"]
    ((root,), (wait,), (learn,), (publish,)) = (trace[name] for name in ("POST /feed", "wait", "learn", "publish"))
    assert root.parent_span_id.hex() == PARENT
    for (span,) in (trace[name] for name in trace if name != "POST /feed"):
        assert span.parent_span_id == root.span_id
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    for span in (root, wait, learn, publish):
        assert (attributes(span)["ffstream.frame.first"], attributes(span)["ffstream.frame.last"]) == (1, 60)
    assert (attributes(learn)["ffstream.seq.first"], attributes(learn)["ffstream.seq"]) == (1, 3)
    assert attributes(publish)["ffstream.seq"] >= 3
    assert trace["journal"][0].end_time_unix_nano <= wait.end_time_unix_nano == learn.start_time_unix_nano
    assert learn.end_time_unix_nano == publish.start_time_unix_nano
    assert abs(root.start_time_unix_nano / 1e9 - time.time()) < 600
    assert "1" * 32 not in receiver.traces, "its caller has said that it is not sampled"
    assert {"POST /labels", "journal", "wait", "learn", "publish"} == receiver.traces["2" * 32].keys()
    ((messages, opened),) = [(each["message"], each["WS /feed"]) for each in receiver.traces.values() if "message" in each]
    assert len(messages) == len(opened) + 1 == 2
    mine = [line["event"] for line in logged if line.get("trace_id") == CALLER]
    assert sorted(mine) == ["accepted", "answered", "learned"]
    assert not [name for each in receiver.traces.values() for name in each if name.startswith("GET /readyz")]


def test_without_an_endpoint_nothing_of_the_kit_is_loaded(tmp_path):
    """In a process of its own: others may have loaded it here."""
    program = """
import os, sys
from fastapi.testclient import TestClient
from ffstream_gateway.app import create_app
from ffstream_gateway.settings import Settings
with TestClient(create_app(Settings(chain="in-process", units="8")), headers={"host": "127.0.0.1"}) as http:
    assert http.post("/feed", json={"frames": [[0.5] * 64]}).status_code == 202
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert ran.stdout == "[]\n", ran.stderr
