"""Prefill: the logits of all tokens of a prompt, for a transformer of GPT-2's shape.

The input X holds the embedded tokens, the sums of token and position embeddings; the output LOGITS
a row for each of them. Weights are members of the program. What all layers share is in
``gpt2_words.py``; how the work is dealt out, in ``gpt2_plan.py``. All rows of the prompt are the
left operand of every multiply.

Attention of a head, on its tile: one multiply gives all scores, the drain queue scales them, adds
the mask and finds each row's maximum, the vector unit takes powers and their sums in one word,
another multiply weighs the values, and the drain queue divides. The values are multiplied while the
vector unit works on the scores. The mask is made once.

maia200: HBM brings 248 MB of weights and takes 26 MB of logits, 79,200 cycles. What takes 2.8 times
as long is the chain of products and joins of a layer. It would be shorter on more tiles with fewer
columns each; every tile would need all activations, so these would be moved and widened more often.
"""

from __future__ import annotations

from math import sqrt

from benchmarks.programs.base import Array, Arrays, check, main
from benchmarks.programs.gpt2_declared import Attention, Buffer
from benchmarks.programs.gpt2_layout import Tensor, packed, unpacked
from benchmarks.programs.gpt2_model import QUICK, Model, Numerics, embedded, parameters
from benchmarks.programs.gpt2_plan import TARGET, Plan, Sizes, plan
from benchmarks.programs.gpt2_words import head_block, load, multiply, next_slot, program
from maiacc_isa.machine import Machine, load_machine


def planned(sizes: Sizes, machine: Machine | None = None) -> Plan:
    """How the work is dealt out."""
    p = plan(sizes, machine or load_machine(TARGET), sizes.tokens)
    check(p.spread, "the tokens of a prompt are dealt out over the clusters")
    return p


def text(sizes: Sizes, machine: Machine) -> str:
    """The program."""
    p = planned(sizes, machine)
    rows, dim = p.rows, p.dim
    tensors = [
        Tensor("input", "X", "fp32", (rows, sizes.width)),
        Tensor("output", "LOGITS", "fp32", (rows, sizes.vocab)),
    ]
    buffers = [
        Buffer("tqkv", "bf16", (rows, 3 * dim)),
        Buffer("ts", "fp32", (rows, rows)),
        Buffer("tp", "bf16", (rows, rows)),
        Buffer("mask", "fp32", (rows, rows)),
        Buffer("edge", "bf16", (2 * rows,)),
        Buffer("to", "bf16", (rows, dim)),
        Buffer("top", "fp32", (rows,)),
        Buffer("total", "fp32", (rows,)),
    ]
    title = f"logits of {rows} tokens: {sizes.layers} layers of {sizes.width}, {sizes.heads} heads"
    sums = {"qk": 2 * dim, "v": dim, "pv": dim}
    own = (_declarations(dim), _begin(rows), _words(p))
    return program(p, Attention(title, tensors, buffers, sums, *own, keys=rows))


def _declarations(dim: int) -> str:
    return f"""\
  sem edged   : LD1 -> TVP tile
  sem masked  : TVP -> DRN tile
  sem ready   : DRN -> TTU tile
  sem powers  : TVP -> TTU tile
  sem divided : TVP -> DRN tile
  chain scores : fp32 = mul(a, {1 / sqrt(dim):.9e}); add(r0, b) stat max
  chain power  : fp32 = sub(a, b); exp(r0) stat sum"""


def _begin(rows: int) -> str:
    """Words that make the mask: -inf where the key is behind the query, which is where
    ``query - key + rows - 1`` lies before the middle of `edge`."""
    mn = f"{{m:{rows} | n:{rows}}}"
    return f"""
  at "mask"
  loop if_head < head on tile {{
    LD1 fill edge{{i:{rows - 1}}}[i] value=0xff80
    LD1 fill edge{{i:{rows + 1}}}[i + {rows - 1}] value=0 post(edged)
    TVP vmap mask{mn}[m, n], edge{mn}[m - n + {rows - 1}] chain=keep wait(edged) post(masked)
    DRN sync wait(masked)
  }}
"""


def _words(p: Plan) -> str:
    rows, dim, heads = p.rows, p.dim, p.all_heads // p.chunks
    mn, md, each = f"{{m:{rows} | n:{rows}}}", f"{{m:{rows} | d:{dim}}}", f"{{m:{rows}}}[m]"
    qk, out = f"{{m:{rows} | n:{2 * dim}}}", f"{{m:{rows}, d:{dim}}}"
    return f"""\
# queries and keys
loop k < {p.chunks} {{
  {load(p, "WQKV", head_block(p))}
  {multiply(p, "WQKV", "qk", "wait(fullA, fullW) post(product)", 0, 2 * dim)}
}}
DRN accst tqkv{qk}[m, n], qk{qk}[m, n], bqkv{qk}[i, n] chain=plus wait(product:{p.chunks}) \
post(ready)
TTU mm acc(0){mn}[m, n], tqkv{md}[m, d], tqkv{{n:{rows} | d:{dim}}}[n, {dim} + d] mode=over \
wait(ready) post(product)
# values, while the vector unit works on the scores
loop k < {p.chunks} {{
  {multiply(p, "WQKV", "v", "post(freeW, product)", 2 * dim, dim)}
}}
{next_slot(p)}
DRN accst ts{mn}[m, n], top{each}, acc(0){mn}[m, n], mask{mn}[m, n] chain=scores wait(product) \
post(shown)
TVP vmapr tp{mn}[m, n], total{each}, ts{mn}[m, n], top{mn}[m] chain=power wait(shown) post(powers)
TVP vmap total{each}, total{each} chain=recip post(divided)
DRN accst tqkv{md}[m, {2 * dim} + d], v{md}[m, d], bqkv{md}[i, {2 * dim} + d] chain=plus \
wait(product:{p.chunks}) post(ready)
TTU mm pv{md}[m, d], tp{mn}[m, n], tqkv{{d:{dim} | n:{rows}}}[n, {2 * dim} + d] mode=over \
wait(powers, ready) post(product)
DRN accst to{md}[m, d], pv{md}[m, d], total{md}[m] chain=times wait(product, divided) post(result)
chunk = ({p.heads}*cluster + tile) div {heads}
place = ({p.heads}*cluster + tile) mod {heads}
ST copy att@[all]{out}[chunk, m, {dim}*place + d], to{out}[m, d] wait(result) post(attended)"""


def inputs(sizes: Sizes, seed: int = 0, machine: Machine | None = None) -> Arrays:
    """The embedded tokens, and random weights laid out for the tiles of a machine."""
    weights = packed(planned(sizes, machine), parameters(sizes, seed))
    return {"X": embedded(sizes, sizes.tokens, seed), **weights}


def reference(
    sizes: Sizes, given: Arrays, machine: Machine | None = None, numerics: Numerics = QUICK
) -> Array:
    """The logits, from the arrays of ``inputs``."""
    return answers(sizes, given, machine, numerics)["LOGITS"]


def answers(
    sizes: Sizes, given: Arrays, machine: Machine | None = None, numerics: Numerics = QUICK
) -> Arrays:
    """All outputs, from the arrays of ``inputs``."""
    p = planned(sizes, machine)
    return {"LOGITS": Model(unpacked(p, given), p.hidden, numerics).forward(given["X"])[0]}


if __name__ == "__main__":
    main(Sizes(), text)
