"""A Ray cluster that others have started and that others will stop: ``RAY_ADDRESS`` says where.

A program takes part in it through a node on its own machine, whose raylet it finds by looking at the processes. When that node
is gone it joins again as soon as there is another one. Without the cluster's control server Ray ends the program, in a minute.
"""

import logging
import os
import secrets
from pathlib import Path
from typing import Any

import psutil
import ray

from ffstream.actors.local import same_answer_to_sigterm
from ffstream.actors.servers import RAYLET, serves
from ffstream.errors import ChainError, ConfigError

NAMESPACE = "cluster-namespace"
"""File in the folder of a stream: the name that its actors go by on a cluster."""


def address() -> str | None:
    """Where the cluster is that this program is to join; None for a Ray of its own.

    Raises:
        ConfigError: when it is one of Ray's clients, which have no node.
    """
    found = os.environ.get("RAY_ADDRESS", "")
    if found.startswith("ray://"):
        raise ConfigError(
            f"RAY_ADDRESS: got {found}, expected HOST:PORT of the cluster's control server: weights and snapshots pass through "
            "a node on this machine; `ray start --address=HOST:6379 --num-cpus=0` makes one"
        )
    return found if found not in ("", "local") else None


def namespace_of(folder: Path) -> str:
    """The name of a folder's stream on any cluster. It is in the folder, and moves with it."""
    file = folder / NAMESPACE
    if not file.exists():
        made = file.with_suffix(".tmp")
        made.write_text(f"ffstream-{secrets.token_hex(8)}\n")
        made.rename(file)
    return file.read_text().strip()


class JoinedRay:
    """A cluster's Ray, where the program takes part in none already.

    Args:
        address: of the cluster's control server.
        namespace: of everything that is named there.
        node_ip: address of the node to join at, where this machine has several; None for any of them.
    """

    def __init__(self, address: str, namespace: str, node_ip: str | None = None) -> None:
        self.address, self.namespace, self.node_ip = address, namespace, node_ip
        self._joined = False
        self._raylet: psutil.Process | None = None

    def open(self) -> None:
        """Join, after leaving a node that was lost.

        Raises:
            ChainError: when there is no cluster, or no node on this machine.
        """
        self.close()
        where: dict[str, Any] = {} if self.node_ip is None else {"_node_ip_address": self.node_ip}
        try:
            with same_answer_to_sigterm():
                ray.init(self.address, namespace=self.namespace, log_to_driver=False, logging_level=logging.ERROR, **where)
        except Exception as error:
            raise ChainError(f"the cluster at {self.address} cannot be joined: {error}") from error
        self._joined = True
        self._raylet = _raylet(ray.get_runtime_context().get_node_id())

    def check(self) -> None:
        """Make sure that the node is there through which this program takes part.

        Raises:
            ChainError: when it is not.
        """
        if self._left():
            raise ChainError(f"the node of this machine has left the cluster at {self.address}")

    def lost(self) -> bool:
        """Whether the program takes no part in a cluster, or has lost its node."""
        return not ray.is_initialized() or self._left()

    def _left(self) -> bool:
        return self._raylet is not None and not serves(self._raylet)

    def close(self) -> None:
        """Leave the cluster, if it was joined here. It goes on."""
        if self._joined:
            ray.shutdown()
        self._joined, self._raylet = False, None


def _raylet(node: str) -> psutil.Process | None:
    """The process of a node on this machine; None when it cannot be seen from here."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == RAYLET and f"--node_id={node}" in (process.info["cmdline"] or ()):
            return process
    return None
