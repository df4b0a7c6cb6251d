"""Contractions on the tensor unit, with the elementwise ops that follow them.

    for i0 over cluster < 4 {
      for i1 over tile < 2 {
        for i2 < 8 {                                    what is summed
          CLD copy %a <- @x[...]                        once for all tiles of a cluster
          LD1 copy %b <- @w[...]
          TTU multiply %acc <- %a, %b                   overwrites where i2 is 0
        }
        DRN drain %t <- %acc, %bias                     or TVP map, where stages are too many
        ST copy @y[...] <- %t
      }
    }

Sums go over their dims in order, the last fastest, in one chain: cutting them into loops changes
no bit.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, Word
from maiacc_passes.lowering.access import VIEWS
from maiacc_passes.lowering.accumulators import Accumulators
from maiacc_passes.lowering.choosing import Choice
from maiacc_passes.lowering.expr import Expr, Tile, leaf
from maiacc_passes.lowering.fitting import fitting
from maiacc_passes.lowering.group import Group, nest
from maiacc_passes.lowering.operands import Operand
from maiacc_passes.lowering.pricing import is_near
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.shapes import Product, product_of
from maiacc_passes.lowering.tiling import Tiling, instances, name_of
from maiacc_passes.lowering.writer import Writer


def lower_contraction(group: Group, op: Op) -> list[Kernel]:
    """A kernel for a contraction and what follows it, or two, of which each has some of the rows.
    Raises ``IRError`` E1502 where not even the smallest tile fits, E1505 for types that the machine
    does not multiply."""
    product = product_of(group, op)
    rate = group.machine.kchunk(product.a.dtype, product.b.dtype)
    if not rate:
        pair = f"{product.a.dtype} and {product.b.dtype}"
        raise unsupported(op, f"the tensor unit does not multiply {pair}")
    behind = [other for other in group.ops if other is not op and other.name not in VIEWS]
    near = all(is_near(buffer.root) for buffer in group.outputs.values())
    choice = Choice(product, group.machine, rate, behind, near)
    # What is the same but for its elements is cut the same way: layers are many.
    key = _signature(group, product)
    known = group.memo.get(key)
    if known is None:
        return _first(group, choice, key)
    return [
        Maker(group, choice.of(replace(product, extents=t.extents, starts=t.starts)), t).kernel(n)
        for n, t in enumerate(known)
    ]


def _first(group: Group, choice: Choice, key: object) -> list[Kernel]:
    """The kernels of the cheapest ways that fit, which are remembered."""
    kept: dict[int, Tiling] = {}
    kernels = []
    coordinates = any(op.name == "iota" for op in group.ops)
    for number, part in enumerate((choice,) if coordinates else choice.parts()):

        def make(tiling: Tiling, number: int = number, part: Choice = part) -> Kernel:
            kept[number] = tiling
            return Maker(group, part, tiling).kernel(number)

        kernels.append(fitting(group.machine, part.tilings(), make))
    group.memo[key] = tuple(kept.values())
    return kernels


def _signature(group: Group, product: Product) -> object:
    """Equal for groups that are lowered to the same words, but for the tensors they touch."""
    accesses = [*(group.access[value] for value in group.inputs), *group.parts.values()]
    places = [
        (a.sizes, a.strides, a.offset, a.dtype or a.buffer.dtype, a.buffer.kind, a.buffer.shape)
        for a in accesses
    ]
    ops = [
        (op.name, tuple(op.attrs.items()), tuple(str(v and v.type) for v in op.operands))
        for op in group.ops
    ]
    outputs = [(str(value.type), buffer.root.kind) for value, buffer in group.outputs.items()]
    operands = [(x.access.sizes, x.access.strides, x.access.buffer.kind) for x in product.operands]
    return repr((places, ops, outputs, operands, product.extents))


class Maker:
    """Makes the kernel of one tiling."""

    def __init__(self, group: Group, choice: Choice, tiling: Tiling) -> None:
        self.group = group
        self.product = product = choice.product
        self.choice = choice
        self.tiling = tiling
        self.machine: Machine = group.machine
        self.sums = [d for d in product.shape.k if d in tiling.spreads]
        outer = tuple((d, s) for d, s in tiling.order if d not in self.sums)
        self.outer = replace(tiling, order=outer)
        self.writer = Writer(self.outer)
        shape, integer = product.shape, product.a.dtype in ("int8", "uint8")
        self.accumulators = Accumulators("acc", tiling, shape.batch, shape.m, shape.n, integer)
        self.acc = self.accumulators.buffer

    def kernel(self, number: int = 0) -> Kernel:
        """The kernel; ``number`` tells parts apart."""
        group, product = self.group, self.product
        core: list[Node] = []
        inner = core
        for d in self.sums:
            loop = Loop(name_of(d), self.tiling.trips(d))
            inner.append(loop)
            inner = loop.body
        buffers: dict[str, Buffer] = {}
        for operand in product.operands:
            if self.tiling.panel and operand is product.a:
                buffers[operand.name] = self._panel(operand)
                continue
            word, buffer = self._load(operand)
            buffers[operand.name] = buffer
            if any(d in self.sums for d in operand.dims()):
                self._into(core, operand, word, buffer)
            else:
                self.writer.loads.append((word, buffer))
        inner.append(self._multiply(buffers))
        exprs: dict[Value, Expr] = {product.op.result: self._sums()}
        group.express(self.writer, exprs)
        group.finish(self.writer, exprs)
        kernel = group.kernel(self.outer, self.writer, core, [self.acc])
        kernel.name += "+" * number
        kernel.macs = product.macs
        kernel.padded = self._padded()
        kernel.cut, kernel.dims = self.tiling, product.shape.names()
        return kernel

    def _padded(self) -> int:
        """Multiply-adds that the words do, of tiles that stick out and of idle ones, too."""
        tiling = self.tiling
        turns = prod(tiling.trips(d) * instances(self.machine, s) for d, s in tiling.order)
        if not any(s for _, s in tiling.order):
            turns *= instances(self.machine, "gtile")
        found = turns * prod(tiling.tiles[d] for d in self.product.shape.dims())
        return found if self.product.meta is None else found // 2

    def _load(self, operand: Operand) -> tuple[Word, Buffer]:
        constant = operand.access.buffer.kind == "weight"
        shared = operand.common(self.tiling)
        shape = operand.shape(self.tiling)
        buffer = Buffer(operand.name, operand.dtype, shape, "tsram", shared=shared)
        queue = "CLD" if shared else "LD1" if constant else "LD0"
        location = self.product.op.location
        return operand.load(self.tiling, buffer, queue, constant, location), buffer

    def _panel(self, operand: Operand) -> Buffer:
        """Loads an operand with all that is summed."""
        shape = operand.panel(self.tiling, self.sums)
        buffer = Buffer(operand.name, operand.dtype, shape, "tsram")
        constant = operand.access.buffer.kind == "weight"
        queue, location = "LD1" if constant else "LD0", self.product.op.location
        word = operand.load(self.tiling, buffer, queue, constant, location, self.sums)
        loops = [Loop(name_of(d), self.tiling.trips(d)) for d in self.sums if d in operand.dims()]
        self.writer.panels.append((nest(loops, [word]) or word, word, buffer))
        return buffer

    def _into(self, core: list[Node], operand: Operand, word: Word, buffer: Buffer) -> None:
        """Puts a load into the innermost loop over sums that it depends on."""
        body, loop = core, None
        mine = operand.dims()
        last = max(i for i, d in enumerate(self.sums) if d in mine)
        for _ in range(last + 1):
            loop = next(x for x in body if isinstance(x, Loop))
            body = loop.body
        assert loop is not None
        at = next((i for i, x in enumerate(body) if isinstance(x, Loop)), len(body))
        body.insert(at, word)
        loop.buffers.append(buffer)

    def _multiply(self, buffers: dict[str, Buffer]) -> Node:
        product, tiling = self.product, self.tiling
        shape = product.shape
        right = product.b.view(tiling, buffers["b"], shape.n, shape.k)
        if product.meta is not None:
            meta = product.meta.view(tiling, buffers["meta"], shape.n, shape.k)
            right = right.with_meta(meta)
        sums = self.sums if tiling.panel else ()
        left = product.a.view(tiling, buffers["a"], shape.m, shape.k, sums)
        if product.scales:
            first, second = (
                scales.view(tiling, buffers[scales.name], rows, shape.k)
                for scales, rows in zip(product.scales, (shape.m, shape.n), strict=True)
            )
            left, right = left.with_scale(first), right.with_scale(second)
        views = {"d": self.accumulators.view(), "a": left, "b": right}
        over = tuple(name_of(d) for d in self.sums)
        fields: dict[str, object] = {"over": over, "mode": "first" if over else "over"}
        kind = "multiply" if product.meta is None else "multiply_sparse"
        return Word(kind, "TTU", views, fields=fields, location=product.op.location)

    # ---- sums as the first expression ---------------------------------------------------------
    def _tile(self) -> Tile:
        """The accumulators as a tile of the result."""
        return self.accumulators.tile()

    def _sums(self) -> Expr:
        """The sums, with the bias if there is one."""
        op, found = self.product.op, leaf(self._tile())
        bias = self.product.bias
        if bias is None:
            return found
        self.writer.location = op.location
        layout = self.group.space.of(op.result)
        compute = "fp32" if op.result.type.element.is_float else "int32"
        return Expr("add", (found, self._bias(bias)), layout, compute, compute)

    def _bias(self, bias: Value) -> Expr | float:
        """A bias: of a convolution one number for each channel, else what meets the result."""
        number = self.group.number(bias)
        if number is not None:
            return number
        op, space = self.product.op, self.group.space
        access = self.group.located(bias)
        assert access is not None
        first = 1 if op.name.startswith("conv") else op.result.type.rank - bias.type.rank
        dims = [
            space.dim((op.result, first + axis)) if size > 1 else None
            for axis, size in enumerate(bias.type.shape)
        ]
        return leaf(self.writer.load(access, dims, "LD1", weights=bias.weight is not None))
