"""A cluster of several nodes on this machine, each with an address of its own; runs until its input is closed.

It is a program of its own, since Ray reads its settings once. One line says where it is, and which process is whose raylet.
"""

import json
import os
import sys
from pathlib import Path

FAST = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
    "worker_niceness": 0,
}
"""A node that is gone is noticed in two seconds; and actors start although others use the machine."""


def main() -> None:
    """``python nodes.py FOLDER PROCESSORS...``: a node for every number of processors, the first with the control server."""
    folder, *processors = sys.argv[1:]
    (Path(folder) / "ray").mkdir(parents=True)
    os.environ["RAY_TMPDIR"] = folder
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for number, count in enumerate(processors):
        first = {} if number else {"_system_config": FAST, "include_dashboard": False}
        cluster.add_node(node_ip_address=f"127.0.0.{number + 2}", num_cpus=int(count), wait=number == 0, **first)
    cluster.wait_for_nodes()
    raylets = {node.node_ip_address: node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()}
    print(json.dumps({"address": cluster.address, "raylets": dict(sorted(raylets.items()))}), flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
