"""Functions of a model that call each other: round in circles, or more often than can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from maiacc.frontend.header import plain_domain
from maiacc.frontend.limits import OPS
from maiacc_isa.errors import MaiaccError

#: A function by domain, name and overload.
Key = tuple[str, str, str]

#: Stands for the graph of the model, which nothing calls.
MAIN: Key = ("", "", "")


@dataclass
class Calls:
    """How many nodes each function has, and how often it calls which others."""

    nodes: Counter[Key] = field(default_factory=Counter)
    calls: dict[Key, Counter[Key]] = field(default_factory=dict)

    def add(self, caller: Key, callee: Key | None) -> None:
        """Counts a node, which may be a call."""
        self.nodes[caller] += 1
        if callee is not None:
            self.calls.setdefault(caller, Counter())[callee] += 1

    def problems(self) -> list[MaiaccError]:
        """E1302 for functions that call themselves, E1308 for a model that is too large with all
        calls written out."""
        sizes, left = self._sizes()
        if left:
            ring = " calls ".join(title(key) for key in _ring(self.calls, left))
            return [
                MaiaccError("E1302", "a function calls itself", node=title(left[0]), found=ring)
            ]
        if sizes.get(MAIN, 0) > OPS:
            return [
                MaiaccError(
                    "E1308",
                    "the model is too large with its functions written out",
                    node=title(max((k for k in sizes if k != MAIN), key=lambda k: sizes[k])),
                    expected=f"at most {OPS} operations",
                    found=f"{sizes[MAIN]:.3g}",
                )
            ]
        return []

    def _sizes(self) -> tuple[dict[Key, int], list[Key]]:
        """The nodes of each function with its calls written out, and the functions that never end:
        callees come before their callers."""
        callers: dict[Key, list[Key]] = {}
        for caller, callees in self.calls.items():
            for callee in callees:
                callers.setdefault(callee, []).append(caller)
        keys = self.nodes.keys() | callers.keys()
        waits = {key: len(self.calls.get(key, ())) for key in keys}
        ready = sorted(key for key, count in waits.items() if not count)
        sizes: dict[Key, int] = {}
        while ready:
            key = ready.pop()
            inner = self.calls.get(key, Counter())
            # Beyond any budget it does not matter how large; the numbers stay short so.
            size = self.nodes[key] + sum(count * sizes[other] for other, count in inner.items())
            sizes[key] = min(size, 1 << 100)
            for caller in callers.get(key, ()):
                waits[caller] -= 1
                if not waits[caller]:
                    ready.append(caller)
        return sizes, sorted(keys - sizes.keys() - {MAIN})


def key_of(domain: str, name: str, overload: str) -> Key:
    """What identifies a function."""
    return plain_domain(domain), name, overload


def title(key: Key) -> str:
    """A function as people write it."""
    domain, name, overload = key
    return f"{domain}.{name}:{overload}".strip(".:")


def _ring(calls: Mapping[Key, Iterable[Key]], left: list[Key]) -> list[Key]:
    """Functions of which each calls the next, and the last one is there twice."""
    inside, path = set(left), [left[0]]
    seen = {left[0]}
    while True:
        following = next(key for key in calls[path[-1]] if key in inside)
        path.append(following)
        if following in seen:
            return path[path.index(following) :]
        seen.add(following)
