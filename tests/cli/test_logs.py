"""What a running service logs: one record a line, with the request and the event that it belongs to."""

import json
import subprocess
import sys

import httpx2

from ffstream.client import Client
from ffstream.datasets import load
from tests.cli.test_serve import interrupt, url
from tests.patience import until

FLAGS = ["serve", "--chain", "in-process", "--port", "0", "--units", "40,40", "--log-level", "info"]


def fed(run, frames=60):
    """Feeds as the request ``mine``, waits until that is learned, and stops the service."""
    data, where = load("digits"), url(run)
    with Client(where) as client:
        client.ready(60)
        body = {"frames": data.x[:frames].tolist(), "labels": data.y[:frames].tolist()}
        assert httpx2.post(f"{where}/feed", json=body, headers={"X-Request-ID": "mine"}).status_code == 202
        until(lambda: client.status().through >= frames, 60)
    interrupt(run)
    return run.complained.splitlines()


def test_as_json(ffstream):
    lines = [json.loads(line) for line in fed(ffstream(*FLAGS, "--log-format", "json"))]
    for line in lines:
        assert {"event", "level", "logger", "timestamp"} <= line.keys()
    mine = [line for line in lines if line.get("request_id") == "mine"]
    assert [line["event"] for line in mine if line["event"] != "answered"] == ["accepted", "learned"]
    (answered,) = [line for line in mine if line["event"] == "answered"]
    assert (answered["method"], answered["path"], answered["status"]) == ("POST", "/feed", 202)
    (learned,) = [line for line in mine if line["event"] == "learned"]
    assert (learned["first"], learned["last"], learned["epoch"]) == (1, 60, 1)
    assert learned["seq"] >= 1
    assert not [line for line in lines if line.get("path") == "/readyz"]


def test_as_text(ffstream):
    lines = fed(ffstream(*FLAGS))
    (learned,) = [line for line in lines if " learned " in line]
    assert "[info     ]" in learned
    assert "request_id=mine" in learned
    assert "epoch=1" in learned
    assert "\x1b" not in learned, "colours are for terminals"


def test_quiet_unless_asked(ffstream):
    assert fed(ffstream(*FLAGS[:-2])) == []


def test_errors_of_uvicorn_and_of_ray_are_lines_like_all_others(tmp_path):
    """In a process of its own: the configuration of logging is everybody's."""
    program = """
import logging, sys, warnings
from ffstream_gateway import logs
from ffstream_gateway.settings import Settings
import ffstream.actors
logs.configure(Settings(log_format="json"))
logs.adopt()
for name in ("ray", "ray._private.worker", "uvicorn.error", "ffstream.stream.archive"):
    try:
        raise OSError(f"of {name}")
    except OSError:
        logging.getLogger(name).exception("it broke")
warnings.warn("mind this")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert ran.returncode == 0, ran.stderr
    names = ["ray", "ray._private.worker", "uvicorn.error", "ffstream.stream.archive"]
    assert [line["logger"] for line in lines] == [*names, "py.warnings"]
    assert all(f"OSError: of {line['logger']}" in line["exception"] for line in lines[:-1])
    assert all(line.keys() <= {"event", "level", "logger", "timestamp", "exception"} for line in lines)
