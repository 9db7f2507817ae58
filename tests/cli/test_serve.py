"""``ffstream serve`` from start to stop, with the other commands against it."""

import json
import os
import signal
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ffstream.datasets import load
from ffstream_gateway.client import Client

FLAGS = ["serve", "--chain", "in-process", "--port", "0", "--units", "100,100"]


def url(run):
    end = time.monotonic() + 60
    while not run.said.endswith("\n"):
        assert run.popen.poll() is None, run.complained
        assert time.monotonic() < end
        time.sleep(0.05)
    return run.said.split()[-1]


def interrupt(run, sent=signal.SIGINT):
    os.kill(run.popen.pid, sent)
    assert run.wait() == 0, run.complained


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_where_and_stops_in_order(ffstream, sent):
    run = ffstream(*FLAGS)
    with Client(url(run)) as client:
        client.ready(30)
    interrupt(run, sent)
    assert run.said.count("\n") == 1
    assert "Traceback" not in run.complained


def test_serve_goes_on_where_it_was_stopped(ffstream):
    data = load("digits")
    first = ffstream(*FLAGS, "--drain-seconds", 0)
    with Client(url(first)) as client:
        client.ready(30)
        last = client.feed(data.x, data.y)["last"]
        while client.status()["frames"] < 100:
            time.sleep(0.01)
    interrupt(first)
    second = ffstream(*FLAGS)
    with Client(url(second)) as client:
        client.ready(60)
        end = time.monotonic() + 60
        while (status := client.status())["frames"] < last and time.monotonic() < end:
            time.sleep(0.05)
        assert (status["accepted"], status["frames"]) == (last, last)
        assert status["labelled"] == last
    interrupt(second)


def test_frames_over_websockets_until_one_is_too_large_or_the_service_stops(ffstream):
    run = ffstream(*FLAGS, "--max-body", 10_000)
    where = f"ws{url(run).removeprefix('http')}/feed"
    one = json.dumps({"frame": [0.5] * 64, "label": 3})
    with connect(where, proxy=None) as careless, connect(where, proxy=None) as patient:
        for number, socket in enumerate((careless, patient), start=1):
            credits = json.loads(socket.recv(30))["credits"]
            socket.send(one)
            assert json.loads(socket.recv(30))["last"] == number
        for _ in range(credits):
            patient.send(one)
        assert [json.loads(patient.recv(30))["last"] for _ in range(credits)] == list(range(3, 3 + credits))
        careless.send("x" * 10_001)
        with pytest.raises(ConnectionClosed) as too_large:
            careless.recv(30)
        interrupt(run)
        with pytest.raises(ConnectionClosed) as stopping:
            patient.recv(30)
    assert (too_large.value.rcvd.code, stopping.value.rcvd.code) == (1009, 1012)
    assert "Traceback" not in run.complained


def test_commands_against_a_service(ffstream):
    serving = ffstream(*FLAGS)
    where = ["--url", url(serving)]
    feed = ffstream("feed", "digits", "--limit", 1000, "--chunk", 130, *where)
    assert feed.wait() == 0, feed.complained
    assert "learned 1000 frames in " in feed.said
    classify = ffstream("classify", "digits", "--method", "one_pass", "--limit", 200, *where)
    assert classify.wait() == 0, classify.complained
    assert "% of 200 held-out frames right" in classify.said
    sleep = ffstream("sleep", "--dreams", 50, *where)
    assert sleep.wait() == 0, sleep.complained
    assert sleep.said.startswith("asleep for 50 dreams, event ")
    status = ffstream("status", *where)
    assert status.wait() == 0, status.complained
    assert "frames     1000 learned of 1000 accepted" in status.said
    interrupt(serving)


def test_a_frame_of_the_wrong_size_is_one_line(ffstream):
    serving = ffstream(*FLAGS, "--inputs", 10)
    feed = ffstream("feed", "digits", "--url", url(serving))
    assert feed.wait() == 1
    assert feed.complained.startswith("ffstream: frames: got shape [500, 64], expected [n, 10]")
    assert feed.complained.count("\n") == 1
    interrupt(serving)


def test_a_taken_port_or_folder_is_one_line(ffstream, tmp_path):
    serving = ffstream(*FLAGS)
    port = url(serving).rsplit(":", 1)[1]
    again = ffstream(*FLAGS)
    assert again.wait() == 2, again.complained
    assert again.complained.count("\n") == 1
    elsewhere = ffstream("serve", "--chain", "in-process", "--port", port, "--folder", tmp_path / "elsewhere")
    assert elsewhere.wait() == 1
    assert "Address already in use" in elsewhere.complained
    assert elsewhere.complained.count("\n") == 1
    interrupt(serving)
