"""Where the instances and ports of a system are, as arrays by instance number."""

from __future__ import annotations

import numpy as np

from maiacc_isa.load import load
from maiacc_isa.measure import WordMeasure, transfer_ticks
from maiacc_isa.operation import View
from maiacc_isa.spec import Hop
from maiacc_sim.native.arrays import Ints, numbers
from maiacc_sim.ports import Ports
from maiacc_sim.system import System
from maiacc_sim.tokens import mask_members


class Places:
    """Instances and ports of a system, as arrays by instance number."""

    def __init__(self, system: System, ports: Ports) -> None:
        self.system, self.ports = system, ports
        count = len(system.instances)
        self.chip_of = np.zeros(count, np.int64)
        self.cluster_of = np.full(count, -1, np.int64)
        for i in system.instances:
            self.chip_of[i.number] = system.instance("chip", i.chip).number
            if i.cluster >= 0:
                self.cluster_of[i.number] = system.instance("cluster", i.chip, i.cluster).number
        self.by_role = {
            role: numbers(i.number for i in system.instances if i.role == role)
            for role in load().roles
        }
        self._ports: dict[tuple[str, int], Ints] = {}

    def port(self, name: str, link: int) -> Ints:
        """The number of a port by instance number, -1 where there is none."""
        if (name, link) not in self._ports:
            found = np.full(len(self.system.instances), -1, np.int64)
            for (kind, number, own), port in self.ports.table.items():
                if kind == name and (kind != "link" or own == link):
                    found[number] = port
            self._ports[name, link] = found
        return self._ports[name, link]

    def passes(self, measure: WordMeasure, role: str) -> list[tuple[Ints, int]]:
        """For each hop of a word of tiles or clusters the ports, [instances, ports], and ticks;
        the same as ``Ports.passes`` says for every single instance."""
        transfers = measure.transfers()
        if not transfers:
            return []
        a, d, factor = transfers[0]
        found = []
        for hop, ticks in transfer_ticks(measure, a, d, factor):
            owners = self._owners(measure, role, hop, a, d)
            found.append((self.port(hop.port, measure.link)[owners], ticks))
        return found

    def _owners(self, measure: WordMeasure, role: str, hop: Hop, a: View, d: View) -> Ints:
        who = self.by_role[role]
        if hop.bytes == "source" or (hop.port == "remote" and a.space == "csram"):
            return self._of_view(measure, role, a)
        if hop.bytes == "destination":
            return self._of_view(measure, role, d)
        return self.cluster_of[who][:, np.newaxis]

    def _of_view(self, measure: WordMeasure, role: str, view: View) -> Ints:
        """The instances whose memory a view lies in, for each executing instance."""
        who = self.by_role[role]
        holder = load().spaces[view.space].role
        if holder == "chip":
            return self.chip_of[who][:, np.newaxis]
        if view.home == "own":
            own = who if holder == role else self.cluster_of[who]
            return own[:, np.newaxis]
        machine = self.system.machine
        members = mask_members(measure.block, measure.word)
        count = machine.tiles if holder == "tile" else machine.clusters
        chosen = numbers(sorted(range(count) if members is None else members & set(range(count))))
        if members is not None and not members & set(range(count)):
            chosen = chosen[:0]
        if holder == "tile":
            # The tiles of a cluster stand right before it.
            return self.cluster_of[who][:, np.newaxis] - machine.tiles + chosen
        first = self.chip_of[who] - machine.clusters * (machine.tiles + 1)
        return first[:, np.newaxis] + chosen * (machine.tiles + 1) + machine.tiles
