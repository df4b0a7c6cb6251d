"""Decoding: the logits of one token behind a cache, for a transformer of GPT-2's shape.

The input X is the embedded token. KEYS and VALUES are state: ``tokens`` rows for each layer and
head, and room for one more, which the step writes in place. The rest is as in ``gpt2_words.py``,
with one row of activations, which a row tile of every cluster keeps for its own cluster.

Attention of a head, on its tile: LD1 brings the head's rows of the cache into a slot, a layer
ahead; the drain queue puts the new key and value behind them, so that one multiply each takes old
and new together, and ST copies the new ones to the state when nobody waits for it.

maia200: HBM brings 253 MB, 72,600 cycles. The chain of products and joins of a layer takes 1.4
times as long.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from benchmarks.programs.base import Array, Arrays, bf16, main, normal
from benchmarks.programs.gpt2_declared import Attention, Buffer
from benchmarks.programs.gpt2_layout import Tensor, packed, unpacked
from benchmarks.programs.gpt2_model import QUICK, Cache, Model, Numerics, embedded, parameters
from benchmarks.programs.gpt2_plan import TARGET, Plan, Sizes, plan
from benchmarks.programs.gpt2_words import head_block, load, multiply, next_slot, program
from maiacc_isa.machine import Machine, load_machine


def planned(sizes: Sizes, machine: Machine | None = None) -> Plan:
    """How the work is dealt out."""
    return plan(sizes, machine or load_machine(TARGET), 1)


def text(sizes: Sizes, machine: Machine) -> str:
    """The program."""
    p = planned(sizes, machine)
    keys, dim = sizes.tokens + 1, p.dim
    tensors = [
        Tensor("input", "X", "fp32", (1, sizes.width)),
        *(Tensor("state", name, "bf16", _cache(p)) for name in ("KEYS", "VALUES")),
        Tensor("output", "LOGITS", "fp32", (1, sizes.vocab)),
    ]
    buffers = [
        Buffer("tq", "bf16", (1, dim)),
        Buffer("tk", "bf16", (keys, dim), 2),
        Buffer("tv", "bf16", (keys, dim), 2),
        Buffer("ts", "fp32", (1, keys)),
        Buffer("tp", "bf16", (1, keys)),
        Buffer("to", "bf16", (1, dim)),
        Buffer("top", "fp32", (1,)),
        Buffer("total", "fp32", (1,)),
    ]
    title = f"a token behind {sizes.tokens}: {sizes.layers} layers of {sizes.width}"
    sums = {"qkv": 3 * dim, "pv": dim}
    own = (_declarations(dim), "  kv = 0 on tile", _words(p))
    return program(p, Attention(title, tensors, buffers, sums, *own, keys, _after(p)))


def _cache(p: Plan) -> tuple[int, int, int]:
    return p.sizes.layers * p.all_heads, p.sizes.tokens + 1, p.dim


def _declarations(dim: int) -> str:
    return f"""\
  reg kv = s8  # slot of keys and values
  sem past    : LD1 -> TTU tile
  sem used    : TTU -> LD1 tile = 2
  sem ready   : DRN -> TTU tile
  sem powers  : TVP -> TTU tile
  sem divided : TVP -> DRN tile
  chain scores : fp32 = mul(a, {1 / sqrt(dim):.9e}) stat max
  chain power  : fp32 = sub(a, b); exp(r0) stat sum"""


def _words(p: Plan) -> str:
    past, dim, heads = p.sizes.tokens, p.dim, p.all_heads // p.chunks
    mn, md = f"{{m:1 | n:{past + 1}}}", f"{{m:1 | d:{dim}}}"
    rows, row, one = f"{{n:{past}, d:{dim}}}", f"{{d:{dim}}}", "{m:1}[m]"
    head = head_block(p)
    return f"""\
LD1 copy tk(kv){rows}[n, d], KEYS{rows}[{head}, n, d] wait(used)
LD1 copy tv(kv){rows}[n, d], VALUES{rows}[{head}, n, d] post(past)
# query, key and value
loop k < {p.chunks} {{
  {load(p, "WQKV", head)}
  {multiply(p, "WQKV", "qkv", "wait(fullA, fullW) post(freeW, product)")}
}}
{next_slot(p)}
DRN accst tq{md}[m, d], qkv{md}[m, d], bqkv{md}[i, d] chain=plus wait(product:{p.chunks})
DRN accst tk(kv){md}[{past} + m, d], qkv{md}[m, {dim} + d], bqkv{md}[i, {dim} + d] chain=plus
DRN accst tv(kv){md}[{past} + m, d], qkv{md}[m, {2 * dim} + d], bqkv{md}[i, {2 * dim} + d] \
chain=plus post(ready)
# scores, powers and their sum, weighted values
TTU mm acc(0){mn}[m, n], tq{md}[m, d], tk(kv){{n:{past + 1} | d:{dim}}}[n, d] mode=over \
wait(ready, past) post(product)
DRN accst ts{mn}[m, n], top{one}, acc(0){mn}[m, n] chain=scores wait(product) post(shown)
TVP vmapr tp{mn}[m, n], total{one}, ts{mn}[m, n], top{mn}[m] chain=power wait(shown) post(powers)
TVP vmap total{one}, total{one} chain=recip post(divided)
TTU mm pv{md}[m, d], tp{mn}[m, n], tv(kv){{d:{dim} | n:{past + 1}}}[n, d] mode=over \
wait(powers) post(product, used)
DRN accst to{md}[m, d], pv{md}[m, d], total{md}[m] chain=times wait(product, divided) post(result)
chunk = ({p.heads}*cluster + tile) div {heads}
place = ({p.heads}*cluster + tile) mod {heads}
ST copy att@[all]{row}[chunk, 0, {dim}*place + d], to{row}[0, d] wait(result) post(attended)"""


def _after(p: Plan) -> str:
    """Words that store the new key and value: late, since what ST posts later waits for them."""
    past, row, head = p.sizes.tokens, f"{{d:{p.dim}}}", head_block(p)
    return f"""\
ST copy KEYS{row}[{head}, {past}, d], tk(kv){row}[{past}, d]
ST copy VALUES{row}[{head}, {past}, d], tv(kv){row}[{past}, d]
kv = 1 - kv"""


def inputs(sizes: Sizes, seed: int = 0, machine: Machine | None = None) -> Arrays:
    """The embedded token, a random cache, and random weights laid out for a machine's tiles."""
    p = planned(sizes, machine)
    rng = np.random.default_rng([seed, 2])
    cache = {}
    for name in ("KEYS", "VALUES"):
        held = np.zeros((sizes.layers, p.all_heads, sizes.tokens + 1, p.dim), np.uint16)
        shape = sizes.layers, sizes.heads, sizes.tokens, p.dim
        held[:, : sizes.heads, : sizes.tokens] = bf16(normal(rng, *shape))
        cache[name] = held.reshape(_cache(p))
    weights = packed(p, parameters(sizes, seed))
    return {"X": embedded(sizes, 1, seed), **cache, **weights}


def reference(
    sizes: Sizes, given: Arrays, machine: Machine | None = None, numerics: Numerics = QUICK
) -> Array:
    """The logits, from the arrays of ``inputs``."""
    return answers(sizes, given, machine, numerics)["LOGITS"]


def answers(
    sizes: Sizes, given: Arrays, machine: Machine | None = None, numerics: Numerics = QUICK
) -> Arrays:
    """All outputs, from the arrays of ``inputs``: logits, and the cache with the new row."""
    p = planned(sizes, machine)
    shape = (sizes.layers, p.all_heads, sizes.tokens + 1, p.dim)
    held = [given[name].reshape(shape).copy() for name in ("KEYS", "VALUES")]
    cache = Cache(*(all_[:, : sizes.heads, : sizes.tokens] for all_ in held))
    logits, fresh = Model(unpacked(p, given), p.hidden, numerics).forward(given["X"], cache)
    for all_, row in zip(held, fresh.swapaxes(0, 1), strict=True):
        all_[:, : sizes.heads, sizes.tokens] = row[:, :, 0]
    keys, values = (all_.reshape(_cache(p)) for all_ in held)
    return {"LOGITS": logits, "KEYS next": keys, "VALUES next": values}


if __name__ == "__main__":
    main(Sizes(), text)
