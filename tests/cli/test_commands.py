"""Every command that asks or steers a service, against a real one; and completion in a real shell."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ffstream.client import Client, Schedule, SleepPlanned, Status
from ffstream.client.answers import read
from ffstream.datasets import load
from ffstream_gateway.bench import Measured
from ffstream_gateway.child import Child
from tests.cli.answers import STATUS
from tests.cli.test_serve import FLAGS, interrupt, rest, url
from tests.patience import until


@pytest.fixture(scope="module")
def client():
    flags = ["--chain", "in-process", "--units", "50,50", "--idle", "never"]
    with Child(flags) as child, Client(child.url()) as client:
        client.ready(60)
        yield client


@pytest.fixture
def ask(ffstream, client):
    """Runs a command against the service to its end."""

    def ask(*arguments, code=0, **options):
        run = ffstream(*arguments, "--url", client.url, **options)
        assert run.wait() == code, run.complained
        return run

    return ask


def lines_until(run, number):
    """The first lines that a command says which does not end by itself."""
    until(lambda: run.said.count("\n") >= number or run.popen.poll() is not None, 30)
    assert run.popen.poll() is None, run.complained
    return run.said.splitlines()[:number]


def test_what_is_fed_and_classified_as_json(ask, client):
    before = client.status().frames
    run = ask("feed", "digits", "--limit", 300, "--chunk", 70, "--json")
    assert run.complained == "", "no bar where there is no terminal"
    fed = json.loads(run.said)
    assert (fed["frames"], set(fed)) == (300, {"frames", "seconds", "accuracy"})
    assert client.status().frames == before + 300
    found = json.loads(ask("classify", "digits", "--limit", 60, "--method", "one_pass", "--json").said)
    assert (found["frames"], len(found["labels"]), found["method"]) == (60, 60, "one_pass")
    assert ask("classify", "digits", "--limit", 60, "--method", "one_pass").said.startswith(
        f"{100 * found['accuracy']:.1f} % of 60 "
    )


def test_labels_that_have_names_are_classified_by_name(ffstream, tmp_path):
    table = tmp_path / "trees.csv"
    table.write_text("height,girth,kind\n" + 20 * "1,2,oak\n3,4,ash\n")
    with Child(["--chain", "in-process", "--units", "20", "--like", str(table)]) as child, Client(child.url()) as client:
        client.ready(60)
        run = ffstream("classify", table, "--json", "--url", client.url)
        assert run.wait() == 0, run.complained
    found = json.loads(run.said)
    assert found["names"] == [["ash", "oak"][label] for label in found["labels"]]


def test_in_order_frames_come_as_the_data_set_has_them(ask, client):
    before = client.status().accepted
    ask("feed", "digits", "--limit", 12, "--in-order")
    digits = load("digits")
    assert [client.frame(before + 1 + at).label for at in range(12)] == digits.y[:12].tolist()


def test_sleep_as_json(ask, client):
    client.feed(np.zeros((30, 64)), [1] * 30)
    rest(client)
    assert read(ask("sleep", "--dreams", 50, "--json").said, SleepPlanned).dreams == 50


def test_the_schedule_is_shown_and_changed(ask, client):
    before = client.schedule()
    assert ask("schedule").said.splitlines()[1] == "idle       never seconds"
    changed = read(ask("schedule", "--every", 70, "--idle", 2.5, "--cycle", 2, "--json").said, Schedule)
    assert changed == client.schedule() == Schedule(70, 2.5, before.dreams_per_frame, 2, before.enough)
    assert "every      70 labelled frames\nidle       2.5 seconds\n" in ask("schedule").said
    ask("schedule", "--every", "never", "--idle", "never", "--cycle", 0)
    assert client.schedule() == Schedule(None, None, before.dreams_per_frame, 0, before.enough)
    assert "cycle: got -1" in ask("schedule", "--cycle", -1, code=1).complained
    assert (
        ask("schedule", "--every", "often", code=2).complained
        == "ffstream: --every: got 'often', expected a number, or never\n"
    )
    client.schedule(before)


def test_feeding_is_paused_and_resumed(ask, client):
    assert ask("pause").said.startswith("feeding is paused; ")
    assert client.status().paused
    assert ask("status").said.startswith("ready, wake, feeding is paused\n")
    assert json.loads(ask("resume", "--json").said) == {"paused": False}
    assert not client.status().paused
    assert ask("resume").said == "frames are taken\n"


def test_data_that_does_not_fit_is_refused_before_anything_is_fed(ask, client, tmp_path):
    before = client.status().accepted
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "wide.npz", x=rng.random((20, 65)), y=rng.integers(10, size=20))
    np.savez(tmp_path / "many.npz", x=rng.random((20, 64)), y=[*range(19), 11])
    for command in (["feed"], ["classify"], ["bench", "--yes"]):
        for name, has in (("wide", "65 numbers"), ("many", r"64 numbers and 19 labels")):
            complaint = ask(*command, tmp_path / f"{name}.npz", code=1).complained
            assert re.fullmatch(
                rf"ffstream: \S+ has frames of {has}.* expects 64 numbers and at most 10 labels: .*\n", complaint
            )
    assert client.status().accepted == before


def test_the_status_is_watched_until_ctrl_c(ffstream, client):
    run = ffstream("status", "--watch", "--interval", 0.05, "--url", client.url)
    assert all(
        re.fullmatch(r"ready, \w+  learned \d+ of \d+, \d+/s  .* of the last 500, \d+ dreams", line)
        for line in lines_until(run, 3)
    )
    interrupt(run)
    assert run.complained == ""
    run = ffstream("status", "--watch", "--interval", 0.05, "--json", "--url", client.url)
    assert {read(line, Status).state for line in lines_until(run, 3)} == {"ready"}
    interrupt(run, signal.SIGTERM)


def test_a_watched_service_that_goes_away_and_comes_back(ffstream, server):
    server.answer(STATUS)
    server.hang_up()
    server.answer(STATUS)
    run = ffstream("status", "--watch", "--interval", 0.05, "--json", "--url", server.url)
    assert [json.loads(line)["state"] for line in lines_until(run, 3)] == ["ready", "unreachable", "ready"]


def test_on_a_terminal_the_status_stays_in_place_and_bars_move(client):
    def on_a_terminal(*command, interrupted=False):
        here, there = os.openpty()
        run = subprocess.Popen(
            [sys.executable, "-m", "ffstream_gateway", *command, "--url", client.url], stdin=there, stdout=there, stderr=there
        )
        os.close(there)
        seen = ""
        with os.fdopen(here, "rb", buffering=0) as terminal, suppress(OSError):  # EIO: the other end has closed
            while part := terminal.read(65536):
                seen += part.decode()
                if interrupted and seen.count("classifying as of") >= 3:
                    run.send_signal(signal.SIGINT)
                    interrupted = False
        assert run.wait(30) == 0
        return seen

    shown = on_a_terminal("status", "--watch", "--interval", "0.05", interrupted=True)
    assert "\x1b[1A" in shown, "the cursor goes up again"
    assert "359/359" in on_a_terminal("classify", "digits")
    assert "100/100 frames" in on_a_terminal("feed", "digits", "--limit", "100")


def test_a_bench_asks_before_it_feeds(ask, client):
    before = client.status().accepted
    refused = ask("bench", code=1, stdin="n\n")
    assert (
        f"this feeds random frames with random labels into the model at {client.url} for 10 s; it learns them\n"
        in refused.complained
    )
    assert refused.complained.endswith("feed it? [y/N] ffstream: nothing was fed\n")
    measured = read(ask("bench", "--classify-only", "--seconds", 0.3, "--json").said, Measured)
    assert measured.learned_per_second is None
    assert measured.classified > 0
    assert 0 < measured.classify_p50 <= measured.classify_p99
    assert client.status().accepted == before


def test_a_bench_feeds_and_says_what_came_of_it(ask, client):
    before = client.status().accepted
    measured = read(ask("bench", "digits", "--yes", "--seconds", 1, "--json").said, Measured)
    rest(client)
    assert measured.fed <= client.status().accepted - before <= measured.fed + 100
    assert measured.learned_per_second is not None
    said = ask("bench", "--seconds", 0.5, stdin="y\n").said
    assert re.fullmatch(
        r"learned +\d+ frames/s; \d+ fed in \d+\.\d s\nclassify +p50 \d+\.\d ms, p99 \d+\.\d ms; \d+ questions .*\n", said
    )
    assert re.match(r"classify +p50", ask("bench", "--seconds", 0.1, "--classify-only").said)


def test_a_bench_of_a_service_of_sequences(ffstream):
    serving = ffstream(*FLAGS, "--task", "sequence")
    run = ffstream("bench", "--yes", "--seconds", 0.5, "--json", "--url", url(serving))
    assert run.wait() == 0, run.complained
    assert json.loads(run.said)["fed"] > 0
    interrupt(serving)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_and_values(tmp_path):
    script = """
        eval "$(ffstream --show-completion)"
        try() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            $(complete -p ffstream | sed 's/.*-F \\([^ ]*\\).*/\\1/') ffstream "${COMP_WORDS[COMP_CWORD]}"
            echo "${COMPREPLY[@]}"
        }
        try ffstream sn
        try ffstream classify di
        try ffstream classify digits --method o
        try ffstream status --w
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=os.environ | {"PATH": path})
    assert said.stdout.splitlines() == ["snapshot snapshots", "digits", "one_pass", "--watch"]
    home = {"PATH": path, "HOME": str(tmp_path), "SHELL": "/bin/bash"}
    install = ["bash", "-c", "ffstream --install-completion && true"]
    subprocess.run(install, check=True, capture_output=True, env=os.environ | home)
    assert "ffstream" in (tmp_path / ".bashrc").read_text()
