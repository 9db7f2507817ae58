"""A service goes on on another machine when the first one is lost with its disk."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.client import Client
from ffstream.datasets import load
from tests.cli.test_serve import interrupt, url
from tests.patience import until

FLAGS = ["serve", "--chain", "in-process", "--port", "0", "--units", "60,60", "--idle", "never", "--drift", "never"]


def newest(folder):
    """Number and digests of the newest snapshot."""
    manifest = json.loads(max((folder / "snapshots").iterdir()).joinpath("manifest.json").read_text())
    return manifest["seq"], manifest["files"]


def states(archive):
    return [json.loads(path.read_text()) for path in sorted((archive / "states").glob("*.json"))]


@pytest.fixture
def undisturbed(tmp_path):
    """Number and digests of the last snapshot of a stream that learns 300 frames, saves, and learns as many more."""

    def learn(x, y):
        config = NetworkConfig(inputs=64, classes=10, units=(60, 60), batch=25)
        stream = Stream.in_process(config, Schedule(every=125, idle=None), folder=tmp_path / "undisturbed")
        stream.feed(x[:300], y[:300])
        stream.snapshot()
        stream.feed(x[300:600], y[300:600])
        stream.snapshot()
        stream.close()
        return newest(tmp_path / "undisturbed")

    return learn


def test_a_machine_that_is_lost(ffstream, tmp_path, undisturbed):
    data = load("digits")
    archive = f"file://{tmp_path}/archive"
    lost = ffstream(*FLAGS, "--archive", archive)
    with Client(url(lost)) as client:
        client.ready(30)
        client.feed(data.x[:300], data.y[:300])
        until(lambda: client.status().through == 300, 60)
        seq = client.snapshot().seq
        until(lambda: [each for each in states(tmp_path / "archive") if each["snapshot"] == seq], 60)
        client.feed(data.x[300:400], data.y[300:400])
    os.kill(lost.popen.pid, signal.SIGKILL)
    lost.wait()
    shutil.rmtree(tmp_path / "data")

    new = tmp_path / "elsewhere" / "data"
    fetched = ffstream("fetch", archive, "--folder", new)
    assert fetched.wait() == 0, fetched.complained
    last = states(tmp_path / "archive")[-1]["seq"]
    assert fetched.said == f"{new} has the stream up to event {last}; `ffstream serve --folder {new}` goes on from there\n"
    again = ffstream(*FLAGS, "--archive", archive, "--folder", new)
    with Client(url(again)) as client:
        client.ready(30)
        accepted = client.status().accepted
        assert accepted == 300
        client.feed(data.x[accepted:600], data.y[accepted:600])
        until(lambda: client.status().through == 600, 60)
    interrupt(again)
    assert again.complained == ""
    assert newest(new) == undisturbed(data.x, data.y)
    assert states(tmp_path / "archive")[-1]["snapshot"] == newest(new)[0], "the end is archived"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["fetch", "nowhere://x"], 1, "ffstream: archive nowhere://x: Protocol not known: nowhere\n"),
        (["fetch", "file:///nowhere"], 1, "ffstream: archive file:///nowhere: no whole state is there\n"),
        ([*FLAGS, "--archive", "nowhere://x"], 2, "ffstream: archive nowhere://x: Protocol not known: nowhere\n"),
    ],
)
def test_what_cannot_be_is_one_line(ffstream, arguments, code, said):
    run = ffstream(*arguments)
    assert run.wait() == code
    assert (run.said, run.complained) == ("", said)


def test_a_folder_with_a_stream_is_left_alone(ffstream, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "journal.sqlite").write_text("precious")
    run = ffstream("fetch", f"file://{tmp_path}/archive")
    assert run.wait() == 1
    assert run.complained == f"ffstream: folder {Path(tmp_path, 'data')}: has a stream already; fetch into a new one\n"
    assert (tmp_path / "data" / "journal.sqlite").read_text() == "precious"
