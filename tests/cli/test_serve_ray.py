"""Services with a Ray of their own: side by side, killed, stopped, gone on with."""

import signal
from pathlib import Path

import psutil
import pytest

from ffstream.client import Client
from ffstream.datasets import load
from tests.cli.test_serve import interrupt, url
from tests.patience import until

FLAGS = ["serve", "--port", "0", "--units", "50,50"]


def learned(client, frames, seconds=90):
    """Wait until so many frames are learned; the weights' version is then published."""

    def rested():
        status = client.status()
        return status if status.frames >= frames and not status.waiting else None

    return until(rested, seconds)


def family(run):
    return psutil.Process(run.popen.pid).children(recursive=True)


def ray_folders(run):
    return list(Path("/tmp").glob(f"ffstream-ray-{run.popen.pid}-*"))


def listening(processes):
    """Addresses that these processes, Ray's servers and agents among them, listen on."""
    sockets = [each for process in processes for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    return {each.laddr.ip.removeprefix("::ffff:") for each in sockets}


@pytest.fixture
def two(ffstream, tmp_path):
    runs = [ffstream(*FLAGS, "--seed", seed, "--folder", tmp_path / f"data-{seed}") for seed in (1, 2)]
    for run in runs:
        with Client(url(run)) as client:
            client.ready(90)
    return runs


def test_two_services_do_not_disturb_each_other_and_a_killed_one_goes_on(ffstream, tmp_path, two):
    data = load("digits")
    killed, other = two
    assert listening([psutil.Process(run.popen.pid) for run in two] + family(killed) + family(other)) == {"127.0.0.1"}
    with Client(url(killed)) as client:
        last = client.feed(data.x[:600], data.y[:600]).last
        learned(client, 100)
    left = [process for process in family(killed) if not process.name().endswith("Agent")]
    killed.popen.kill()
    assert killed.wait() == -signal.SIGKILL
    assert not psutil.wait_procs(left, timeout=30)[1], "all but Ray's two agents, which take a minute to notice"
    assert ray_folders(killed), "nobody was left to remove it"
    with Client(url(other)) as client:
        client.feed(data.x[:200], data.y[:200])
        assert learned(client, 200).state == "ready"
    again = ffstream(*FLAGS, "--seed", 1, "--folder", tmp_path / "data-1")
    with Client(url(again)) as client:
        client.ready(90)
        assert learned(client, last).accepted == last
    interrupt(again, signal.SIGTERM)
    interrupt(other)
    assert "SIGTERM" not in again.complained
    assert not [folder for run in (killed, other, again) for folder in ray_folders(run)]
