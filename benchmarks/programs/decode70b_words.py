"""The words of ``decode70b.py``: activations, products, attention, joins."""

from __future__ import annotations

from dataclasses import dataclass

#: Rows and columns of a tile of weights; numbers of a head.
TILE = 128


@dataclass(frozen=True)
class Sizes:
    """The model; positions in the cache after the step; tiles that multiply; tiles of weights in
    a section of a stream."""

    layers: int = 80
    hidden: int = 8192
    ffn: int = 28672
    heads: int = 64
    kv_heads: int = 8
    vocabulary: int = 128256
    context: int = 1024
    workers: int = 32
    section: int = 32

    @property
    def group(self) -> int:
        """Heads that share keys and values."""
        return self.heads // self.kv_heads


@dataclass(frozen=True)
class Product:
    """One row times a matrix: columns of results, tiles of weights for a column, how often;
    matrices that a result is made of. Where a column's results go, and the vector unit's word and
    buffer for them."""

    name: str
    columns: int
    depth: int
    times: int
    target: str
    word: str
    result: str
    matrices: int = 1

    def first(self, worker: int, workers: int) -> int:
        """The first column of a worker."""
        return self.columns * worker // workers

    def tiles(self, worker: int, workers: int) -> int:
        """Tiles of weights that a worker reads each time."""
        columns = self.first(worker + 1, workers) - self.first(worker, workers)
        return columns * self.matrices * self.depth


def products(s: Sizes) -> list[Product]:
    """The products of a layer, and the one behind all layers."""
    high, deep, n = s.hidden // TILE, s.ffn // TILE, s.layers
    row = f"{{n:128}}[{TILE}*column + n]"
    plus = f"vmap t32{{n:128}}[n], sum0, tx{row} chain=plus"
    half, code = "vmap t16{n:128}[n], sum0, sum1 chain=gate", "vmap t8{n:128}[n], sum0 chain=keep"
    number = "vmap t32{n:128}[n], sum0 chain=keep"
    qkv = s.heads + 2 * s.kv_heads
    return [
        Product("qkv", qkv, high, n, "cqkv@[all]{n:128}[column, n]", code, "t8"),
        Product("o", high, s.heads, n, f"cx@[all]{row}", plus, "t32"),
        Product("gate", deep, high, n, f"cgated@[all]{row}", half, "t16", 2),
        Product("down", high, deep, n, f"cx@[all]{row}", plus, "t32"),
        Product("out", s.vocabulary // TILE, high, 1, f"Y{row}", number, "t32"),
    ]


# ---- activations ---------------------------------------------------------------------------------
def normalise(s: Sizes) -> str:
    """The residual stream, normalised, in fp8. The gains of the norm are part of the weights."""
    row = f"{{d:{s.hidden}}}"
    return f"""
    at "norm"
    LD1 copy tx{row}[d], cx{row}[d] post(given)
    TVP vred ts{{}}[0], tx{{| d:{s.hidden}}}[d] op=sumsq wait(given)
    TVP vmap ts{{}}[0], ts{{}}[0] chain=inverse
    TVP vmap tq{row}[d], tx{row}[d], ts{row}[0] chain=norm post(ready, read)"""


def convert(length: int, source: str) -> str:
    """A row of activations in fp8."""
    row = f"{{d:{length}}}[d]"
    return f"""
    at "convert"
    LD1 copy ta{row}, {source}{row} post(given)
    TVP vmap tq{row}, ta{row} chain=keep wait(given) post(ready, read)"""


def join(read: bool = True) -> str:
    """All tiles meet: what is overwritten next was read, what is read next is stored. The control
    processor waits, so words behind it need not, and all tiles go on at one point."""
    return f"""
    at "join"
    ST sync{" wait(read)" * read} post(joined)
    nothing = sld tz{{}}[0] wait(joined) in 0..0 on tile"""


# ---- products ------------------------------------------------------------------------------------
def load_section(s: Sizes, margin: str) -> str:
    """Words that load the next section of the stream."""
    lines = f"""\
LD0 sync wait(free)
loop k < {s.section} {{
  LD0 copy tw(ahead){{n:128, d:128}}[k, n, d], W{{n:128, d:128}}[next + k, n, d]
}}
LD0 sync post(full)
next = next + {s.section}
ahead = 1 - ahead"""
    return "\n".join(margin + line for line in lines.split("\n"))


def load_if_any(s: Sizes, margin: str) -> str:
    """As ``load_section``, if a section is left."""
    lines = ["more = min(left, 1) on tile", "loop if_more < more on tile {"]
    lines += [load_section(s, "  "), "}", "left = left - 1 on tile"]
    return "\n".join(margin + line for line in "\n".join(lines).split("\n"))


def product(p: Product, s: Sizes) -> str:
    """The columns of a tile, one after the other: a section is loaded while one is multiplied.

    Behind a product of a layer there is always another section. What is left is counted in the last
    product only: a count that went through all layers would make each of them another case.
    """
    last = p.name == "out"
    load = load_if_any if last else load_section
    sections = p.matrices * (p.depth // s.section)
    count = f"    left = {sections}*columns - 1 on tile\n" if last else ""
    acc, depth = "acc(matrix)" if p.matrices > 1 else "acc(0)", s.section
    row = f"tq{{m:1 | d:{TILE}}}[{TILE * depth}*part + {TILE}*k + d]"
    drains = [
        f"      DRN accst ty{{m:1 | n:128}}[{i}, n], acc({i}){{m:1 | n:128}}[m, n] "
        f"chain=scale_{p.name}"
        for i in range(p.matrices)
    ]
    drains[0] += " wait(product, taken)"
    drains[-1] += " post(drained, summed)"
    return f"""
    at "{p.name}"
    column = ({p.columns}*worker) div {s.workers} on tile
    columns = ({p.columns}*behind) div {s.workers} on tile
    columns = columns - column on tile
{count}    TTU sync wait(ready)
    loop c < columns on tile {{
      TTU sync wait(drained)
      loop matrix < {p.matrices} {{
        loop part < {p.depth // depth} {{
{load(s, " " * 10)}
          TTU sync wait(full)
          loop k < {depth} {{
            TTU mm {acc}{{m:1 | n:128}}[m, n], {row}, tw(here){{n:128 | d:128}}[k, n, d] \
mode=first level=part
          }}
          TTU sync post(free)
          here = 1 - here
        }}
      }}
      TTU sync post(product)
{chr(10).join(drains)}
      TVP {p.word} wait(summed, stored) post(taken, result)
      ST copy {p.target}, {p.result}{{n:128}}[n] wait(result) post(stored)
      column = column + 1
    }}"""


# ---- attention -----------------------------------------------------------------------------------
def cached(s: Sizes) -> str:
    """Words that load the cache of a head, before its new row is known."""
    past = f"{{p:{s.context - 1}, d:128}}"
    loads = "\n".join(
        f"      LD1 copy a{x}{past}[p, d], {x.upper()}{past}[{s.kv_heads}*layer + unit, p, d]"
        for x in "kv"
    )
    return f"""
    at "attention"
    works = min({s.kv_heads} - unit, 1) on tile
    loop if_works < works on tile {{
{loads}
    }}"""


def attention(s: Sizes) -> str:
    """Attention of the heads that share keys and values, by one tile: scores, their exponentials as
    shares of the sum in fp8, the mean of the values; the new row goes to the cache."""
    both, row, past = f"{{h:{s.group} | p:{s.context}}}", "{d:128}", s.context - 1
    heads, out = f"{{h:{s.group}, d:128}}", f"{{h:{s.group} | n:128}}[h, n]"
    each, new = f"{{h:{s.group}}}[h]", f"{s.kv_heads}*layer + unit, {past}, d"
    return f"""
    at "attention"
    loop if_works < works on tile {{
      LD1 copy aq{heads}[h, d], cqkv{heads}[{s.group}*unit + h, d]
      LD1 copy ak{row}[{past}, d], cqkv{row}[unit + {s.heads}, d]
      LD1 copy av{row}[{past}, d], cqkv{row}[unit + {s.heads + s.kv_heads}, d] post(cached)
      TTU sync wait(drained)
      TTU mm scores{both}[h, p], aq{{h:{s.group} | d:128}}[h, d], \
ak{{p:{s.context} | d:128}}[p, d] mode=over wait(cached) post(product)
      DRN accst as{both}[h, p], most{each}, scores{both}[h, p] chain=weigh \
wait(product) post(summed)
      TVP vmapr as{both}[h, p], total{each}, as{both}[h, p], most{both}[h] chain=power \
wait(summed)
      TVP vmap total{each}, total{each} chain=one_of
      TVP vmap shares{both}[h, p], as{both}[h, p], total{both}[h] chain=share post(shared)
      TTU mm means{out}, shares{both}[h, p], av{{n:128 | p:{s.context}}}[p, n] mode=over \
wait(shared) post(product)
      DRN accst ao{out}, means{out} chain=unshare wait(product) post(drained, summed)
      TVP vmap ab{out}, ao{out} chain=keep wait(summed) post(result)
      ST copy cattended@[all]{heads}[{TILE * s.group}*unit + {TILE}*h + d], ab{heads}[h, d] \
wait(result)
      ST copy K{row}[{new}], ak{row}[{past}, d]
      ST copy V{row}[{new}], av{row}[{past}, d]
    }}"""
