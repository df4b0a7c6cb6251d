"""Attention of queries to keys, as importers of several operators need it."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc.frontend.importers.common import cast, ramp, reshaped
from maiacc.frontend.node import Node
from maiacc_passes.ir.graph import Value

NEVER = float("-inf")


def split_heads(node: Node, x: Value, heads: int) -> Value:
    """[b, s, h * d] to [b, h, s, d]. Refuses with E1304."""
    if x.type.rank != 3 or heads < 1 or x.type.shape[2] % heads:
        node.fail("E1304", f"an input does not have {heads} heads", found=str(x.type))
    batch, length, width = x.type.shape
    split = reshaped(node, x, (batch, length, heads, width // heads))
    return node.b("transpose", split, perm=(0, 2, 1, 3))


def join_heads(node: Node, x: Value) -> Value:
    """[b, h, s, d] to [b, s, h * d]."""
    batch, heads, length, size = x.type.shape
    rows = node.b("transpose", x, perm=(0, 2, 1, 3))
    return reshaped(node, rows, (batch, length, heads * size))


@dataclass
class Attention:
    """Attention of q[b, h, s, d] to k[b, g, t, d] and v[b, g, t, e], and what decides it.

    A query i sees a key j if all of ``allowed``, which broadcast to [b, h, s, t], say so; if
    ``causal``, j <= i + offset; and if ``window`` is not -1, j >= i + offset - window. ``bias`` is
    added to the scores.
    """

    node: Node
    q: Value
    k: Value
    v: Value
    scale: float
    softcap: float = 0.0
    causal: bool = False
    offset: int = 0
    window: int = -1
    bias: Value | None = None
    allowed: list[Value] = field(default_factory=list)

    def __post_init__(self) -> None:
        q, k, v = self.q.type.shape, self.k.type.shape, self.v.type.shape
        good = len(q) == len(k) == len(v) == 4 and (q[0], q[3]) == (k[0], k[3])
        if not good or k[:3] != v[:3] or k[1] < 1 or q[1] % k[1]:
            found = f"{self.q.type}, {self.k.type}, {self.v.type}"
            self.node.fail("E1304", "queries, keys and values do not fit", found=found)

    @property
    def groups(self) -> int:
        """How many heads of q share one of k and v."""
        return self.q.type.shape[1] // self.k.type.shape[1]

    def ahead(self, offset: Value | None = None) -> Value:
        """How many positions the keys are ahead of the queries, [1 or b, 1, s, t]. ``offset`` is
        that of each batch element, if they differ."""
        b = self.node.b
        i, j = (
            ramp(self.node, self.q.type.shape[2], 4, 2),
            ramp(self.node, self.k.type.shape[2], 4, 3),
        )
        shift = b.constant(self.offset, "int64") if offset is None else offset
        return b("sub", b("sub", j, i), shift)

    def permitted(self, every: bool) -> Value | None:
        """Which pairs are allowed; ``every`` counts ``causal`` and ``window`` in."""
        b, parts = self.node.b, list(self.allowed)
        if every and self.causal:
            parts.append(b("le", self.ahead(), b.constant(0, "int64")))
        if every and self.window >= 0:
            parts.append(b("le", b.constant(-self.window, "int64"), self.ahead()))
        found = parts[0] if parts else None
        for part in parts[1:]:
            assert found is not None
            found = b("and", found, part)
        return found

    def result(self) -> Value:
        """[b, h, s, e] by the op ``attention``. Queries that see nothing get 0."""
        b, mask, bias = self.node.b, self.permitted(False), self.bias
        if mask is None:
            mask = bias
        elif bias is not None:
            mask = b("select", mask, bias, b.constant(NEVER, bias.type.dtype))
        return b(
            "attention",
            self.q,
            self.k,
            self.v,
            mask,
            causal=self.causal,
            offset=self.offset if self.causal or self.window >= 0 else 0,
            scale=self.scale,
            softcap=self.softcap,
            groups=self.groups,
            window=self.window,
            masked_zero=True,
        )

    def steps(self, precision: str) -> tuple[Value, list[Value]]:
        """[b, h, s, e] in single steps, and the scores [b, h, s, t] as products, capped, masked,
        and after the softmax, which is computed in elements of ``precision``."""
        b, node, dtype = self.node.b, self.node, self.q.type.dtype
        wide = "fp64" if dtype == "fp64" else "fp32"
        (batch, heads, length, size), shared = self.q.type.shape, self.k.type.shape[1]
        grouped = (batch, shared, self.groups, length)
        q = reshaped(node, self.q, (*grouped, size))
        scores = b("contract", q, self.k, spec="bgnsd,bgtd->bgnst", to=wide)
        scores = reshaped(node, scores, (batch, heads, length, self.k.type.shape[2]))
        found = [b("mul", scores, b.constant(self.scale, wide))]
        cap = b.constant(self.softcap, wide)
        found.append(
            b("mul", b("tanh", b("div", found[0], cap)), cap) if self.softcap > 0 else found[0]
        )
        masked, allowed = found[1], self.permitted(True)
        if self.bias is not None:
            masked = b("add", masked, cast(node, self.bias, wide))
        if allowed is not None:
            masked = b("select", allowed, masked, b.constant(NEVER, wide))
        weights = b("softmax", cast(node, masked, precision), axis=3, masked_zero=True)
        weights = cast(node, weights, dtype)
        split = reshaped(node, weights, (*grouped, self.k.type.shape[2]))
        y = b("contract", split, self.v, spec="bgnst,bgte->bgnse")
        y = reshaped(node, y, (batch, heads, length, self.v.type.shape[3]))
        return y, [*(cast(node, x, dtype) for x in (*found, masked)), weights]
