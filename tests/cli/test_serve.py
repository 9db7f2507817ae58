"""``ffstream serve`` from start to stop, with the other commands against it."""

import json
import os
import signal
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ffstream.client import Client, Frame, Snapshot
from ffstream.client.answers import read
from ffstream.datasets import load
from tests.patience import until

FLAGS = ["serve", "--chain", "in-process", "--port", "0", "--units", "100,100"]


def url(run):
    until(lambda: run.said.endswith("\n") or run.popen.poll() is not None, 60)
    assert run.popen.poll() is None, run.complained
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
        last = client.feed(data.x, data.y).last
        while client.status().frames < 100:
            time.sleep(0.01)
    interrupt(first)
    second = ffstream(*FLAGS)
    with Client(url(second)) as client:
        client.ready(60)
        until(lambda: client.status().frames >= last, 60)
        status = client.status()
        assert (status.accepted, status.frames) == (last, last)
        assert status.labelled == last
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


@pytest.fixture
def ask(ffstream):
    """Runs a command against a service to its end."""
    serving = ffstream(*FLAGS, "--idle", "never")
    where = url(serving)

    def ask(*arguments, code=0, **options):
        run = ffstream(*arguments, "--url", where, **options)
        assert run.wait() == code, run.complained
        return run

    with Client(where) as client:
        client.ready(30)
        ask.client = client
        yield ask
    interrupt(serving)


def rest(client):
    """Wait until everything accepted is learned."""

    def rests():
        status = client.status()
        return status.through == status.accepted and status.state == "ready"

    until(rests, 30)


def test_late_labels_and_what_becomes_of_a_frame(ask, tmp_path):
    data = load("digits")
    ask.client.feed(data.x[:5])
    rest(ask.client)
    assert ask("frame", 2).said.startswith("frame 2: learned, label not known\npredicted  0 at 10.0 %, before event ")
    assert ask("label", "2=7").said == "labels accepted: 1, to be learned as frame 6\n"
    (tmp_path / "labels.csv").write_text("id,label\n1,4\n3,5\n")
    answer = json.loads(ask("label", "--file", tmp_path / "labels.csv", "--json").said)
    assert (answer["first"], answer["last"], answer["frames"]) == (7, 8, 2)
    assert ask("label", "--file", "-", stdin='{"id": 4, "label": 1}\n').said.endswith("as frame 9\n")
    rest(ask.client)
    first, predicted, taught = ask("frame", 2).said.splitlines()
    assert (first, taught) == ("frame 2: learned, label 7", "taught as  frame 6, with its late label")
    assert ", wrong, before event " in predicted
    assert ask("frame", 6).said.endswith("repeats    frame 2, whose late label it teaches\n")
    assert read(ask("frame", 8, "--json").said, Frame) == ask.client.frame(8)
    assert json.loads(ask("status", "--json").said)["labelled"] == 4
    again = ask("label", "5=1", "2=7", code=1).complained
    assert again == "ffstream: labels[1]: frame 2 has got its label already, as frame 6 [HTTP 409]\n"
    assert ask.client.frame(5).label is None, "all or none"
    assert ask("frame", 10, code=1).complained == "ffstream: frame 10 was never accepted: the last one is 9 [HTTP 404]\n"


def test_snapshots_and_the_way_back(ask):
    data = load("digits")

    def fed_and_saved(first, last):
        ask.client.feed(data.x[first:last], data.y[first:last])
        rest(ask.client)
        seq = json.loads(ask("snapshot", "--json").said)["seq"]
        while seq not in [each.seq for each in ask.client.snapshots()]:
            time.sleep(0.02)
        return seq

    assert ask("snapshots").said == "no snapshot yet; `ffstream snapshot` takes one\n"
    assert ask("restore", 1, code=1).complained == "ffstream: snapshot 1 is not there, or not whole; whole ones: none\n"
    one, other = fed_and_saved(0, 200), fed_and_saved(200, 300)
    _, newest, oldest = ask("snapshots").said.splitlines()
    assert newest.split()[:2] == [str(other), "300"]
    assert oldest.split()[:2] == [str(one), "200"]
    assert newest.endswith(" %")
    seq = ask.client.status().seq
    for said in ("n\n", ""):
        refused = ask("restore", one, code=1, stdin=said)
        assert "to be abandoned: 100 of the 300 frames learned by now\nnothing is erased: " in refused.complained
        assert refused.complained.endswith("go back? [y/N] ffstream: nothing was restored\n")
        assert refused.said == ""
    assert ask.client.status().seq == seq
    assert ask("restore", one, stdin="y\n").said.startswith(f"event {other + 1} goes back to snapshot {one}; ")
    rest(ask.client)
    assert ask.client.status().frames == 200
    assert ask("frame", 250).said.startswith("frame 250: abandoned, label ")
    assert f"{other}         300" in (listed := ask("snapshots").said)
    assert listed.splitlines()[1].endswith("  abandoned")
    assert json.loads(ask("restore", other, "--yes", "--json").said)["snapshot"] == other
    rest(ask.client)
    assert read(ask("snapshots", "--json").said, list[Snapshot]) == ask.client.snapshots()
    assert ask.client.status().frames == 300


def test_a_frame_of_the_wrong_size_is_one_line(ffstream):
    serving = ffstream(*FLAGS, "--inputs", 10)
    feed = ffstream("feed", "digits", "--url", url(serving))
    assert feed.wait() == 1
    assert feed.complained.startswith("ffstream: digits has frames of 64 numbers and 10 labels, but the service at http://")
    assert "expects 10 numbers and at most 10 labels" in feed.complained
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
