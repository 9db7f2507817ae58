"""A raylet that is stopped while published weights are fetched from it, in a program of its own: Ray may end it."""

import subprocess
import sys

FETCH = """
import signal, threading
from ffstream.actors.local import LocalRay
from ffstream.actors.servers import RAYLET, servers
from ffstream.errors import ChainError
import numpy as np, ray

local = LocalRay()
local.open()

@ray.remote(num_cpus=0)
class Layer:
    def publish(self):
        return [ray.put(np.ones((300, 65)))]

layer = Layer.remote()
published = [ray.get(layer.publish.remote())[0] for _ in range(2)]
raylet = next(server for server in servers() if server.name() == RAYLET)
raylet.send_signal(signal.SIGSTOP)
fetching = threading.Thread(target=lambda: print(len(ray.get(published)), "fetched"), daemon=True)
fetching.start()
fetching.join(30)
try:
    local.check()
except ChainError as error:
    print(error)
local.close()
"""


def test_who_fetches_weights_from_a_stopped_raylet_goes_on_and_it_is_told() -> None:
    run = subprocess.run([sys.executable, "-c", FETCH], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    fetched, failed = run.stdout.splitlines()
    assert fetched == "2 fetched"
    assert failed.startswith("Ray has failed: servers [")
