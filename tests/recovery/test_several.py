"""Two models that share a service and its Ray, of which real processes are killed."""

import signal
import threading
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from benchmarks.proof import EVERY, NETWORK, Remains, marked
from ffstream.client import Client, ClientError
from ffstream_gateway.child import Child
from ffstream_gateway.feeding import Background
from tests import patience

NAMES = ("left", "right")
SETTINGS = f"""
units = {list(NETWORK.units)}
batch = {NETWORK.batch}
every = {EVERY}
label_lifetime = 1000000
snapshots_kept = 1000
[models.left]
[models.right]
"""
CHUNK = 20
WITHIN = 150.0


until = partial(patience.until, seconds=WITHIN, in_spite_of=ClientError)


class Fed:
    """A model that is fed without pause but in a lull, until it is told to stop; a request is repeated until it is answered."""

    def __init__(self, client: Client) -> None:
        self.client, self.sent = client, 0
        self.lull = threading.Event()

    def feed(self, stop: threading.Event) -> None:
        while not stop.wait(0.02):
            if not self.lull.is_set():
                first, self.sent = self.sent, self.sent + CHUNK
                self.client.feed(*marked(first, CHUNK), key=f"from {first}")

    def learns(self) -> None:
        before = self.client.status().frames
        until(lambda: self.client.status().frames >= before + 5 * CHUNK)

    def caught_up(self) -> bool:
        status = self.client.status()
        return status.state == "ready" and status.frames == status.accepted >= self.sent


def kill(child: Child, name: str) -> None:
    victim = next(each for each in child.process.children(recursive=True) if each.name().startswith(name))
    with suppress(psutil.NoSuchProcess):
        victim.send_signal(signal.SIGKILL)


@pytest.mark.timeout(900)
def test_neither_model_shows_what_their_ray_has_suffered(tmp_path: Path) -> None:
    """A layer of one of them, which the other does not notice; then the servers that both stand on."""
    settings, data = tmp_path / "two.toml", tmp_path / "data"
    settings.write_text(SETTINGS)
    with ExitStack() as stack:
        child = stack.enter_context(Child(["--settings", str(settings), "--folder", str(data)]))
        url = child.url()
        clients = [stack.enter_context(Client(f"{url}/models/{name}")) for name in NAMES]
        models = [Fed(client) for client in clients]
        for model in models:
            model.client.ready(WITHIN)
        assert len([each for each in child.process.children(recursive=True) if each.name() == "raylet"]) == 1
        loads = [Background(model.feed) for model in models]
        for name in ("ray::Layer", "raylet", "gcs_server"):
            for model in models:
                model.lull.clear()
                model.learns()
            kill(child, name)
            until(lambda: any(client.state() != "ready" for client in clients))
            for model in models:
                model.lull.set()
            for model in models:
                until(model.caught_up)
        for load in loads:
            load.close()
    for name, model in zip(NAMES, models, strict=True):
        with Remains(data / name) as remains:
            assert remains.numbers() == list(range(model.sent))
            remains.prove({})
