"""A cluster of several nodes: one is killed while frames are fed, then the service, which goes on from another."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.proof import FLAGS, KEEP_ALL, Remains, marked
from ffstream.client import Client
from ffstream.stream.snapshot import MANIFEST, folder_of
from ffstream.stream.stream import SNAPSHOTS
from ffstream_gateway.child import Child, ChildError
from tests.patience import until
from tests.recovery import nodes

WITHIN = 90.0
CHUNK = 50


class Nodes:
    """Three nodes: ``first`` has no room for layers, ``second`` for all, ``last`` for some."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, nodes.__file__, str(folder), "0", "3", "2"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.address, self.raylets = said["address"], said["raylets"]
        self.first, self.second, self.last = self.raylets

    def kill(self, node: str) -> None:
        """SIGKILL to a raylet and all that it has started."""
        raylet = psutil.Process(self.raylets[node])
        for process in [raylet, *raylet.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def runs(self, node: str, what: str) -> bool:
        """Whether a node has a worker of some name."""
        return any(each.name().startswith(f"ray::{what}") for each in psutil.Process(self.raylets[node]).children())

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        for left in [*self._family(), self.process]:
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                left.kill()
        self.process.wait()
        self.process.stdout.close()

    def _family(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """A cluster with a token, which the services of the test join. Its folder has a short name: sockets are in it."""
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    found = Nodes(folder, dict(os.environ))
    monkeypatch.setenv("RAY_ADDRESS", found.address)
    yield found
    found.close()
    shutil.rmtree(folder, ignore_errors=True)


class Fed:
    """A service on a node of the cluster, and what it has been fed so far."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sent = folder, 0
        self.saved: dict[int, dict[str, str]] = {}

    def open(self, node: str) -> Child:
        flags = ["--folder", str(self.folder), "--node-ip", node, "--placement", "spread", "--log-level", "info"]
        return Child([*flags, *FLAGS, *KEEP_ALL, "--snapshot-every", "20"])

    def feed(self, client: Client, chunks: int) -> None:
        for _ in range(chunks):
            client.feed(*marked(self.sent, CHUNK), key=f"from {self.sent}")
            self.sent += CHUNK

    def learned(self, client: Client) -> bool:
        status = client.status()
        return status.state == "ready" and status.frames == self.sent

    def save(self, client: Client) -> None:
        """Everything is learned; a snapshot to compare."""
        until(lambda: self.learned(client), WITHIN)
        seq = client.snapshot().seq
        manifest = folder_of(self.folder / SNAPSHOTS, seq) / MANIFEST
        until(manifest.exists, WITHIN)
        self.saved[seq] = json.loads(manifest.read_text())["files"]


def away(child: Child) -> list[str]:
    """Layers of the last chain that are not on the service's node."""
    return re.findall(r"(layer-\d) is on node", child.log.read_text().split("the chain is up")[-1])


@pytest.mark.timeout(900)
def test_a_node_is_killed_and_the_service_moves_and_the_weights_do_not_show_it(tmp_path: Path, cluster: Nodes) -> None:
    """Layers are spread over two nodes that have no part of the service's disk; every snapshot equals an undisturbed run's."""
    fed = Fed(tmp_path / "data")
    with suppress(ChildError), fed.open(cluster.first) as first, Client(first.url()) as client:
        client.ready(WITHIN)
        assert away(first) == ["layer-0", "layer-1", "layer-2"]
        assert cluster.runs(cluster.first, "Dreamer")
        assert cluster.runs(cluster.last, "Layer")
        fed.feed(client, 30)
        until(lambda: client.status().frames >= 500, WITHIN)
        cluster.kill(cluster.last)
        fed.feed(client, 10)
        fed.save(client)
        assert first.log.read_text().count("the chain is up") == 2
        fed.feed(client, 20)
        first.process.kill()
    assert len(fed.saved) == 1
    with fed.open(cluster.second) as second, Client(second.url()) as client:
        client.ready(WITHIN)
        assert away(second) == []
        fed.feed(client, 10)
        fed.save(client)
    assert cluster.process.poll() is None, "who leaves a cluster does not stop it"
    assert psutil.pid_exists(cluster.raylets[cluster.first])
    with Remains(fed.folder) as remains:
        assert remains.numbers() == list(range(fed.sent))
        remains.prove(fed.saved)
