"""The words that the programs for a transformer share: all but attention.

A layer goes through six joins. Row tiles normalise their rows and store them to every cluster's
CSRAM (`normed`); each cluster's DMA broadcasts whole rows to its head tiles, which attend and store
their heads to every cluster (`attended`). Heads come back the same way, the output projection goes
to the row tiles (`projected`, `go`). They add it and normalise again; feed-forward tiles make
hidden units for their own cluster (`raised`) and products with those (`lowered`, `go`), which are
partial sums: a row tile collects one from every cluster and adds them in the order of clusters.

The cluster's DMA is the only one that waits for several tiles, by masks; so a tile without a part
in a join has no words for it. Everything but weights is overwritten only after its last use
because of the joins: memory of activations needs no tokens for free places.

Weights never wait for activations: LD0 brings chunk after chunk into a ring of blocks, a product or
two ahead. A chunk is a word of at most 96 KiB, since activations and results that pass the same
port of a tile wait for the word before them.
"""

from __future__ import annotations

from textwrap import indent

from benchmarks.programs.base import DMA_BYTES
from benchmarks.programs.gpt2_declared import Attention, declarations
from benchmarks.programs.gpt2_layout import chunk_load, chunk_view, tensor_lines
from benchmarks.programs.gpt2_plan import Plan


def program(p: Plan, a: Attention) -> str:
    """The program text."""
    return f"""\
mist 1.0
target {p.machine.name}

# {a.title}
{tensor_lines(p, a.tensors)}

block main {{
{declarations(p, a)}
{_begin(p)}
{a.begin}
  slot = 0 on tile
  loop i < {p.sizes.layers} on tile, cluster {{
{indent(_attention_part(p, a), "    ")}
{indent(_feed_forward_part(p), "    ")}
  }}
{indent(_last_part(p), "  ")}
}}
"""


# ---- pieces --------------------------------------------------------------------------------------
def head_block(p: Plan) -> str:
    """The head of a head tile in layer i: its block of weights."""
    return f"{p.all_heads}*i + {p.heads}*cluster + tile"


def load(p: Plan, name: str, block: str) -> str:
    """The word that loads chunk k of a block of weights."""
    return f"LD0 copy {chunk_load(p, name, block)} wait(freeW) post(fullW)"


def multiply(p: Plan, name: str, into: str, sync: str, first: int = 0, count: int = 0) -> str:
    """The word that multiplies chunk k of the activations with chunk k of a block, or with some of
    its columns, and begins the sums with k = 0."""
    columns, depth = p.blocks()[name]
    part, n = depth // p.chunks, count or columns
    return (
        f"TTU mm {into}{{m:{p.rows} | n:{n}}}[m, n], "
        f"ta{{m:{p.rows} | d:{part}}}[{p.rows * part}*k + {part}*m + d], "
        f"{chunk_view(p, name, first, n)} mode=first level=k {sync}"
    )


def next_slot(p: Plan) -> str:
    """The statement that goes on to the next block of weights."""
    return f"slot = (slot + 1) mod {p.sizes.slots}"


def _product(p: Plan, name: str, block: str, into: str) -> str:
    """Words that load a block of weights and multiply the activations with it."""
    return f"""\
loop k < {p.chunks} {{
  {load(p, name, block)}
  {multiply(p, name, into, "wait(fullA, fullW) post(freeW, product)")}
}}
{next_slot(p)}"""


def _drain(p: Plan, to: str, columns: int, slot: int, bias: str) -> str:
    """The word that adds a bias to a product on its way out."""
    mn = f"{{m:{p.rows} | n:{columns}}}"
    return (
        f"DRN accst {to}{mn}[m, n], acc({slot}){mn}[m, n], {bias}{mn}[i, n] "
        f"chain=plus wait(product:{p.chunks})"
    )


def _broadcast(p: Plan, wait: str, source: str, depth: int, mask: str = "") -> str:
    """Words of the cluster that wait for tiles, and then send whole rows to those of a mask: chunk
    by chunk where rows are many, so that the first multiply begins early."""
    part, chunks = depth // p.chunks, p.chunks
    to, place = f" mask={mask}" * bool(mask), f"{p.rows * part}*k + {part}*m + d"
    if p.rows == 1:
        dims = f"{{k:{chunks}, m:1, d:{part}}}"
        return f"""\
CLD sync {wait}
CLD bcast ta@[all]{dims}[{place}], {source}{dims}[k, m, d]{to} post(fullA:{chunks})"""
    dims = f"{{m:{p.rows}, d:{part}}}"
    return f"""\
CLD sync {wait}
loop k < {chunks} on cluster {{
  CLD bcast ta@[all]{dims}[{place}], {source}{dims}[k, m, d]{to} post(fullA)
}}"""


def _norm(p: Plan, which: str) -> str:
    """Words of a row tile that normalise its rows and store them for everybody."""
    rc = f"{{r:{p.own_rows} | c:{p.sizes.width}}}"
    part = p.sizes.width // p.chunks
    r, block = f"{{r:{p.own_rows}}}", f"{{k:{p.chunks}, r:{p.own_rows}, d:{part}}}"
    home = "@[all]" * p.spread
    return f"""\
loop if_row < row on tile {{
  TVP vred sum{r}[r], x{rc}[r, c] op=sum
  TVP vmapr unit{rc}[r, c], var{r}[r], x{rc}[r, c], sum{rc}[r] chain=centre
  TVP vmap var{r}[r], var{r}[r] chain=inverse
  TVP vmap unit{rc}[r, c], unit{rc}[r, c], var{rc}[r], ln{rc}[{which}, 0, c] chain=times2
  TVP vmap tn{rc}[r, c], unit{rc}[r, c], ln{rc}[{which}, 1, c] chain=plus post(made)
  ST copy act{home}{block}[k, {p.row()} + r, d], tn{block}[r, {part}*k + d] \
wait(made) post(normed)
}}"""


# ---- the parts of a program ----------------------------------------------------------------------
def _begin(p: Plan) -> str:
    s, norms = p.sizes, 2 * p.sizes.layers + 1
    rc, head = f"{{r:{p.own_rows}, c:{s.width}}}", f"{p.heads}*cluster + tile"
    ffn = f"{p.ffns}*cluster + tile - {p.first_ffn}"
    most = max(1, DMA_BYTES // (8 * s.width))
    scales = [
        f"LD1 copy ln{dims}[{at} + l, h, c], LN{dims}[{at} + l, h, c]"
        for at in range(0, norms, most)
        for dims in (f"{{l:{min(most, norms - at)}, h:2, c:{s.width}}}",)
    ]

    def bias(name: str, columns: int, who: str) -> str:
        dims = f"{{l:{s.layers}, n:{columns}}}"
        return f"LD1 copy {name.lower()}{dims}[l, n], {name}{dims}[l, {who}, n]"

    return f"""
  at "rows, scales and biases"
  head = min({p.heads} - tile, 1) on tile
  ffn = min(tile - {p.first_ffn - 1}, 1) on tile
  row = min(tile - {p.first_row_tile - 1}, 1) on tile
  loop if_row < row on tile {{
    LD1 copy x{rc}[r, c], X{rc}[{p.row()} + r, c]
{indent(chr(10).join(scales), "    ")} post(loaded)
    TVP sync wait(loaded)
  }}
  loop if_head < head on tile {{
    {bias("BQKV", 3 * p.dim, head)}
    {bias("BO", p.out, head)} post(given)
    DRN sync wait(given)
  }}
  loop if_ffn < ffn on tile {{
    {bias("BUP", p.units, ffn)}
    {bias("BDOWN", p.down, ffn)} post(given)
    DRN sync wait(given)
  }}"""


def _attention_part(p: Plan, a: Attention) -> str:
    s, mn = p.sizes, f"{{m:{p.rows}, n:{p.out}}}"
    wide = f"{{r:{p.own_rows} | c:{s.width}}}"
    rows = f"{{h:{p.all_heads}, r:{p.own_rows}, n:{p.out}}}"
    return f"""\
at "attention"
{_norm(p, "2*i")}
{_broadcast(p, "mask=rows wait(normed)", "act", s.width, "heads")}
loop if_head < head on tile {{
{indent(a.words, "  ")}
}}

at "output projection"
{_broadcast(p, "mask=heads wait(attended)", "att", p.inner, "heads")}
loop if_head < head on tile {{
{indent(_product(p, "WO", head_block(p), "acc(1)"), "  ")}
  {_drain(p, "tr(0)", p.out, 1, "bo")} post(result)
  ST copy y@[all]{mn}[{p.heads}*cluster + tile, m, n], tr(0){mn}[m, n] wait(result) \
post(projected)
{indent(a.after, "  ")}
}}
CLD sync mask=heads wait(projected)
CLD sync mask=rows post(go)
loop if_row < row on tile {{
  LD1 copy part{rows}[0, r, {p.out}*h + n], y{rows}[h, {p.row()} + r, n] wait(go) post(loaded)
  TVP vmap x{wide}[r, c], x{wide}[r, c], part{wide}[0, r, c] chain=plus wait(loaded)
}}
"""


def _feed_forward_part(p: Plan) -> str:
    first, block = p.first_ffn, f"{p.clusters * p.ffns}*i + {p.ffns}*cluster + tile - {p.first_ffn}"
    mn, dims = f"{{m:{p.rows} | n:{p.units}}}[m, n]", f"{{m:{p.rows}, n:{p.units}}}"
    down, each = f"{{m:{p.rows}, n:{p.down}}}", p.ffns // p.chunks
    return f"""\
at "feed-forward"
{_norm(p, "2*i + 1")}
{_broadcast(p, "mask=rows wait(normed)", "act", p.sizes.width, "ffns")}
loop if_ffn < ffn on tile {{
{indent(_product(p, "WUP", block, "acc(0)"), "  ")}
  {_drain(p, "th", p.units, 0, "bup")} post(shown)
  TVP vmap tf{mn}, th{mn} chain=factor wait(shown)
  TVP vmap tg{mn}, th{mn}, tf{mn} chain=gate post(made)
  chunk = (tile - {first}) div {each}
  place = (tile - {first}) mod {each}
  ST copy hid{dims}[chunk, m, {p.units}*place + n], tg{dims}[m, n] wait(made) post(raised)
}}
{_broadcast(p, "mask=ffns wait(raised)", "hid", p.hidden, "ffns")}
loop if_ffn < ffn on tile {{
{indent(_product(p, "WDOWN", block, "acc(1)"), "  ")}
  {_drain(p, "tr(0)", p.down, 1, "bdown")} post(result)
  ST copy sums{down}[tile - {first}, m, n], tr(0){down}[m, n] wait(result) post(lowered)
}}
CLD sync mask=ffns wait(lowered)
CLD sync mask=rows post(go)
loop if_row < row on tile {{
{indent(_collect(p), "  ")}
}}"""


def _collect(p: Plan) -> str:
    """Words of a row tile that add the partial sums of all clusters; each begins with the sums of
    another cluster, so that all send at once."""
    wide = f"{{r:{p.own_rows} | c:{p.sizes.width}}}"
    rows = f"{{t:{p.ffns}, r:{p.own_rows}, n:{p.down}}}"
    lines = [
        "LD1 sync wait(go)",
        f"loop q < {p.clusters} {{",
        f"  home = (cluster + q) mod {p.clusters}",
        f"  LD1 copy part{rows}[home, r, {p.down}*t + n], "
        f"sums@[home]{rows}[t, {p.row()} + r, n] post(loaded)",
        "}",
    ]
    for q in range(0, p.clusters, 2):
        pair = q + 1 < p.clusters
        more = f", part{wide}[{q + 1}, r, c] chain=plus2" if pair else " chain=plus"
        lines.append(
            f"TVP vmap x{wide}[r, c], x{wide}[r, c], part{wide}[{q}, r, c]{more}"
            + f" wait(loaded:{p.clusters})" * (not q)
        )
    return "\n".join(lines)


def _last_part(p: Plan) -> str:
    s, n, rows = p.sizes, p.columns, p.rows
    everyone = p.clusters * p.machine.tiles
    mn, block = f"{{m:{rows} | n:{n}}}[m, n]", f"{{m:{rows}, n:{n}}}"
    return f"""
at "last norm"
{_norm(p, f"{2 * s.layers}")}
{_broadcast(p, "mask=rows wait(normed)", "act", s.width)}

at "logits"
TTU sync wait(fullA:{p.chunks})
turn = 0 on tile
loop j < {p.rounds} on tile {{
  TTU sync wait(drained)
  loop k < {p.chunks} {{
    {load(p, "WLM", f"{everyone}*j + gtile")}
    {multiply(p, "WLM", "acc(turn)", "wait(fullW) post(freeW, product)")}
  }}
  DRN accst tr(turn){mn}, acc(turn){mn} chain=keep wait(product:{p.chunks}, stored) \
post(drained, result)
  ST copy LOGITS{block}[m, {n * everyone}*j + {n}*gtile + n] drop, tr(turn){block}[m, n] \
wait(result) post(stored)
  turn = 1 - turn
  {next_slot(p)}
}}"""
