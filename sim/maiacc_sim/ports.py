"""Ports of a system by number, and which of them a transfer passes.

A port is an entry of one flat list: the HBM and the links of each chip, NoC, CSRAM and remote
port of each cluster, the DMA port of each tile.
"""

from __future__ import annotations

from collections.abc import Mapping

from maiacc_isa.load import load
from maiacc_isa.measure import WordMeasure
from maiacc_isa.operation import View
from maiacc_isa.spec import Hop
from maiacc_sim.system import Instance, System
from maiacc_sim.tokens import mask_members

#: A hop of a transfer: the ports it passes at once, and the ticks it occupies each of them.
Pass = tuple[tuple[int, ...], int]

#: The numbers of the instances that operands with home `at` lie in, by operand.
Homes = dict[str, int]


class Ports:
    """All ports of a system. ``names[n]`` is what port n is called, ``kinds[n]`` its row."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.names: list[str] = []
        self.kinds: list[str] = []
        self._numbers: dict[tuple[str, int, int], int] = {}
        for instance in system.instances:
            for port in load().ports.values():
                if port.role == instance.role:
                    links = range(system.machine.links) if port.name == "link" else (0,)
                    for link in links:
                        self._add(port.name, instance, link)

    def _add(self, name: str, instance: Instance, link: int) -> None:
        self._numbers[name, instance.number, link] = len(self.names)
        shown = f"link{link}" if name == "link" else name
        self.names.append(f"{shown} of {instance}")
        self.kinds.append(name)

    @property
    def table(self) -> Mapping[tuple[str, int, int], int]:
        """The numbers of all ports, by name, instance number and link."""
        return self._numbers

    def number(self, name: str, instance: Instance, link: int = 0) -> int:
        """The number of a port of an instance."""
        return self._numbers[name, instance.number, link]

    def passes(
        self, measure: WordMeasure, who: Instance, homes: Homes, peers: tuple[int, ...]
    ) -> tuple[Pass, ...]:
        """The hops of a word executed by ``who``, empty if it moves nothing along ports.

        ``homes`` gives the numbers of the instances that operands with home `at` lie in, ``peers``
        the chips a network word writes to.
        """
        if measure.hops is None:
            return ()
        a, d, hops = measure.hops
        places = _Places(self, measure, who, homes, peers)
        return tuple(
            (places.of(hop, a, d, number), ticks) for number, (hop, ticks) in enumerate(hops)
        )

    def owners(
        self, measure: WordMeasure, who: Instance, name: str, homes: Homes
    ) -> list[Instance]:
        """The instances on this chip whose memory an operand of a word lies in."""
        view = measure.views[name]
        assert view is not None
        return _Places(self, measure, who, homes, ()).owners(view, (who.chip,))


class _Places:
    """Finds the ports of one word's hops."""

    def __init__(
        self,
        ports: Ports,
        measure: WordMeasure,
        who: Instance,
        homes: Homes,
        peers: tuple[int, ...],
    ) -> None:
        self.ports, self.system = ports, ports.system
        self.measure, self.who, self.homes = measure, who, homes
        self.peers = peers or (who.chip,)
        self.names = {id(view): name for name, view in measure.views.items() if view is not None}

    def of(self, hop: Hop, a: View, d: View, number: int) -> tuple[int, ...]:
        """Numbers of the ports that a hop passes."""
        link = self.measure.link
        if hop.port == "link":
            chip = self.system.instance("chip", self.who.chip)
            return (self.ports.number("link", chip, link),)
        if hop.bytes == "source":
            owners = self.owners(a, (self.who.chip,))
        elif hop.bytes == "destination" or (self.who.role == "chip" and number > 1):
            owners = self.owners(d, self.peers)
        elif self.who.role == "chip" or (hop.port == "remote" and a.space == "csram"):
            owners = self.owners(a, (self.who.chip,))
        else:
            owners = [self.system.instance("cluster", self.who.chip, self.who.cluster)]
        return tuple(self.ports.number(hop.port, owner) for owner in owners)

    def owners(self, view: View, chips: tuple[int, ...]) -> list[Instance]:
        """The instances whose memory a view lies in."""
        who, system = self.who, self.system
        if view.space == "hbm":
            return [system.instance("chip", chip) for chip in chips]
        role = load().spaces[view.space].role
        found: list[Instance] = []
        for chip in chips:
            if view.home == "own":
                found += [i for i in system.inside(who, role) if i.chip == chip]
                continue
            inside = [
                i
                for i in system.instances
                if i.role == role
                and i.chip == chip
                and (role != "tile" or i.cluster == who.cluster)
            ]
            members = mask_members(self.measure.block, self.measure.word)
            home = self.homes.get(self.names[id(view)], -1)
            for i in inside:
                own = i.tile if role == "tile" else i.cluster
                if own == home if view.home == "at" else members is None or own in members:
                    found.append(i)
        return found
