"""Where the parts of a chain run: on which devices, and on a cluster of several machines with what kept free for them.

Layers are placed by a placement group of Ray: packed onto as few nodes as have room, or spread over as many as there are. The
dreamer stays on the node of the driver, whose disk has the journal that it reads and the snapshots that it writes.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

from ffstream.devices import ALL_LAYERS, Devices, check_devices, check_names, device_of
from ffstream.errors import ChainError, ConfigError

ROOM_WITHIN = 60.0
LOOK_EVERY = 1.0
"""Seconds: for the cluster to have room for all layers, and between two looks at Ray meanwhile."""

DREAMER = "dreamer"
"""Name of a part, beside those of the layers."""

Amounts: TypeAlias = Mapping[str, float]
"""Of resources by their names: ``CPU``, ``GPU``, ``memory`` in bytes, and those that a cluster's nodes have been given."""


@dataclass(frozen=True)
class Placement:
    """How the parts of one chain are laid out.

    Args:
        strategy: ``pack`` or ``spread``.
        resources: what is reserved for a part: by its name (``layer-0``, ``dreamer``), or by ``layers`` for all layers that are
            not named. Nothing said, a layer takes one processor, for it keeps one thread busy, and one GPU if it computes on
            one, and the dreamer nothing.
        devices: where layers compute (:mod:`ffstream.devices`), with or without a cluster. On a cluster ``cuda`` is the GPU
            that Ray gives the layer.
    """

    strategy: Literal["pack", "spread"] = "pack"
    resources: Mapping[str, Amounts] = field(default_factory=dict)
    devices: Devices = field(default_factory=dict)

    def of(self, part: str) -> Amounts:
        """What is reserved for a part."""
        if part == DREAMER:
            return self.resources.get(part, {})
        usual = {"CPU": 1.0, "GPU": 1.0} if self._on_gpu(part) else {"CPU": 1.0}
        return self.resources.get(part, self.resources.get(ALL_LAYERS, usual))

    def _on_gpu(self, layer: str) -> bool:
        return device_of(self.devices, layer) != "cpu"

    def check(self, depth: int) -> None:
        """Make sure that it fits a network of so many layers.

        Raises:
            ConfigError: when it names a part or a device that there is not, or reserves less than nothing, nothing for a layer,
                or no GPU for one that computes there.
        """
        check_devices(self.devices, depth)
        check_names("resources", self.resources, depth, DREAMER)
        for part in (DREAMER, *(f"layer-{index}" for index in range(depth))):
            amounts = self.of(part)
            if any(amount < 0 for amount in amounts.values()):
                raise ConfigError(f"resources of {part}: got {dict(amounts)}, expected nothing below 0")
            if part != DREAMER and not any(amounts.values()):
                raise ConfigError(f"resources of {part}: got {dict(amounts)}, expected some above 0, like 0.1 CPU")
            if part != DREAMER and self._on_gpu(part) and not amounts.get("GPU"):
                device = device_of(self.devices, part)
                raise ConfigError(f"resources of {part}: got {dict(amounts)}, expected some GPU too: its device is {device}")


class Seats:
    """The places of one chain on a cluster. Ray must be running when they are asked for.

    Parts have names in a namespace of their own, which the cluster gives out once: who else serves the same folder gets none.

    Args:
        placement: how they are laid out.
        depth: number of layers.
        namespace: of the folder.
    """

    def __init__(self, placement: Placement, depth: int, namespace: str) -> None:
        self.namespace = namespace
        self._placement, self._depth = placement, depth
        self._group: PlacementGroup | None = None

    def reserve(self, watch: Callable[[], None]) -> None:
        """Have a place for every layer; waits until there is room.

        Args:
            watch: called meanwhile.

        Raises:
            ChainError: when the cluster has no room.
        """
        if self._group is None:
            bundles = [dict(self._placement.of(f"layer-{index}")) for index in range(self._depth)]
            self._group = placement_group(bundles, strategy=self._placement.strategy.upper())
        end = time.monotonic() + ROOM_WITHIN
        while not self._has_room(self._group):
            watch()
            if time.monotonic() > end:
                raise ChainError(f"the cluster has no room for the layers: expected {self.wanted()}, got {free()}")

    def _has_room(self, group: PlacementGroup) -> bool:
        """Whether all layers have a place; waits a moment for it. Places on a node that was lost are looked for anew by Ray."""
        try:
            return group.wait(LOOK_EVERY)
        except Exception as error:  # Ray knows no narrower one
            self.forget()
            raise ChainError(f"the cluster has forgotten the layers' places: {error}") from error

    def options(self, part: str) -> dict[str, Any]:
        """With which Ray puts a part in its place."""
        amounts = dict(self._placement.of(part))
        options = {"num_cpus": amounts.pop("CPU", 0), "num_gpus": amounts.pop("GPU", 0), "memory": amounts.pop("memory", None)}
        strategy: Any
        if part == DREAMER:
            strategy = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        else:
            assert self._group is not None, "places are reserved first"
            strategy = PlacementGroupSchedulingStrategy(self._group, int(part.removeprefix("layer-")))
        named = {"name": part, "namespace": self.namespace}
        return options | named | {"resources": amounts, "scheduling_strategy": strategy}

    def wanted(self) -> str:
        """What all parts want together, for people."""
        parts = (DREAMER, *(f"layer-{index}" for index in range(self._depth)))
        return f"{self._placement.strategy}, " + ", ".join(f"{part}: {dict(self._placement.of(part))}" for part in parts)

    def forget(self) -> None:
        """The Ray that they were on is gone."""
        self._group = None

    def free(self) -> None:
        """Give them back."""
        if self._group is not None:
            remove_placement_group(self._group)
        self._group = None


def free() -> str:
    """What the cluster's nodes have free, for people."""
    amounts: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    told = [f"{amounts[name]:g} {name}" for name in sorted(amounts) if not name.startswith(("node:", "bundle_group"))]
    return ", ".join(told) or "nothing"
