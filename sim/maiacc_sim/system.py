"""The instances of a machine: tiles, clusters and chips, and the queues each of them has.

The order of ``System.queues`` is the one in which equal arrivals at a port are served: by chip,
cluster, tile and queue code, a cluster behind its tiles, a chip behind its clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_isa.spec import Queue


@dataclass(frozen=True)
class Instance:
    """A tile, cluster or chip, by its numbers; ``cluster`` and ``tile`` are -1 where they do not
    apply. ``tile`` counts within the cluster, ``gtile`` within the chip. ``number`` is its
    position in ``System.instances``."""

    number: int
    role: str
    chip: int
    cluster: int = -1
    tile: int = -1
    gtile: int = -1

    def __str__(self) -> str:
        parts = [f"chip {self.chip}"]
        if self.cluster >= 0:
            parts.append(f"cluster {self.cluster}")
        if self.tile >= 0:
            parts.append(f"tile {self.tile}")
        return " ".join(parts)

    @cached_property
    def ids(self) -> dict[int, int]:
        """What the id sources read here, by source code."""
        values = {"chip": self.chip, "one": 1}
        if self.cluster >= 0:
            values["cluster"] = self.cluster
        if self.tile >= 0:
            values |= {"tile": self.tile, "gtile": self.gtile}
        return {load().sources[name].code: value for name, value in values.items()}


@dataclass(frozen=True)
class QueueOf:
    """A queue of an instance, or its control processor; ``number`` is its position in
    ``System.queues``."""

    number: int
    instance: Instance
    row: Queue

    @property
    def name(self) -> str:
        return self.row.name

    def __str__(self) -> str:
        return f"{self.name} of {self.instance}"


class System:
    """All instances and queues of a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.instances: list[Instance] = []
        self.queues: list[QueueOf] = []
        for chip in range(machine.chips):
            for cluster in range(machine.clusters):
                for tile in range(machine.tiles):
                    self._add("tile", chip, cluster, tile, cluster * machine.tiles + tile)
                self._add("cluster", chip, cluster)
            self._add("chip", chip)
        self._by_place = {(i.role, i.chip, i.cluster, i.tile): i for i in self.instances}
        self._inside: dict[tuple[int, str], list[Instance]] = {}
        self._reached: dict[tuple[int, str, str], list[Instance]] = {}
        self._by_queue = {(q.instance.number, q.name): q for q in self.queues}

    def _add(
        self, role: str, chip: int, cluster: int = -1, tile: int = -1, gtile: int = -1
    ) -> None:
        instance = Instance(len(self.instances), role, chip, cluster, tile, gtile)
        self.instances.append(instance)
        links = self.machine.links
        first = load().queues["NET0"].code
        for row in sorted(load().queues.values(), key=lambda q: q.code):
            absent = row.engine == "net" and row.code - first >= links
            if row.role == role and not absent:
                self.queues.append(QueueOf(len(self.queues), instance, row))

    def instance(self, role: str, chip: int, cluster: int = -1, tile: int = -1) -> Instance:
        """An instance by its place. Raises KeyError if the machine does not have it."""
        return self._by_place[role, chip, cluster, tile]

    def queue(self, instance: Instance, name: str) -> QueueOf:
        """A queue of an instance by name. Raises KeyError if it has none of that name."""
        return self._by_queue[instance.number, name]

    def control(self, instance: Instance) -> QueueOf:
        """The control processor of an instance."""
        return self.queue(instance, CONTROL_QUEUE[instance.role])

    def inside(self, instance: Instance, role: str) -> list[Instance]:
        """The instances of a role that lie in an instance, or that it lies in, or itself."""
        key = instance.number, role
        if key not in self._inside:
            found = [i for i in self.instances if i.role == role and _contains(instance, i)]
            self._inside[key] = found
        return list(self._inside[key])

    def reach(self, poster: Instance, waiter_role: str, scope: str) -> list[Instance]:
        """Instances of the waiter's role that a post of scope tile, cluster or chip reaches."""
        key = poster.number, waiter_role, scope
        if key not in self._reached:
            held = _SCOPES[scope]
            found = [i for i in self.instances if i.role == waiter_role and held(poster, i)]
            self._reached[key] = found
        return list(self._reached[key])


#: The queue that stands for the control processor of each role.
CONTROL_QUEUE = {q.role: q.name for q in load().queues.values() if q.engine == "control"}


def _contains(one: Instance, other: Instance) -> bool:
    """Whether one lies within the other, whichever is the wider."""
    cluster = one.cluster == other.cluster or -1 in (one.cluster, other.cluster)
    tile = one.tile == other.tile or -1 in (one.tile, other.tile)
    return one.chip == other.chip and cluster and tile


def _same_cluster(one: Instance, other: Instance) -> bool:
    return one.chip == other.chip and (
        one.cluster == other.cluster or -1 in (one.cluster, other.cluster)
    )


_SCOPES: dict[str, Callable[[Instance, Instance], bool]] = {
    "tile": _contains,
    "cluster": _same_cluster,
    "chip": lambda one, other: one.chip == other.chip,
}
