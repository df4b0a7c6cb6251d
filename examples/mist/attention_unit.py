"""What ``attention.py`` does with one block of queries and one block of keys: a unit.

Semaphores, chains and views of a unit, and the words of its two halves: the scores and their
exponentials, then the product with the values and the sum so far. Views with `old`, `pkv` and
`pwide` belong to the unit before, since the second half runs one turn behind the first.
"""

from __future__ import annotations

from math import sqrt

#: Slots of the rings of K and V.
SLOTS = 3

SEMAPHORES = f"""\
  sem staged : CLD -> LD0 cluster
  sem fullQ  : LD1 -> TTU tile
  sem freeQ  : TTU -> LD1 tile = 2
  sem fullK  : LD0 -> TTU tile
  sem freeK  : TTU -> LD0 tile = {SLOTS}
  sem fullV  : LD0 -> TTU tile
  sem freeV  : TTU -> LD0 tile = {SLOTS}
  sem masked : LD1 -> DRN tile
  sem scores : TTU -> DRN tile
  sem taken  : DRN -> TTU tile = 1
  sem top    : DRN -> TVP tile
  sem turned : TVP -> DRN tile
  sem below0 : DRN -> TVP tile
  sem exped  : TVP -> TTU tile
  sem summed : TTU -> TVP tile
  sem result : TVP -> ST tile
  sem stored : ST -> TVP tile = 2"""


def chains(dim: int, fast: int) -> str:
    """Chains of the drain and of the vector unit; ``fast`` takes the shorter exponential."""
    return f"""
  chain maximum : fp32 = mul(a, {1 / sqrt(dim):.9e}); add(r0, b) stat max
  chain below   : fp32 = mul(a, {1 / sqrt(dim):.9e}); add(r0, b); add(r1, c)
  chain negate  : fp32 = neg(a)
  chain running : fp32 = neg(b); min(a, r0)
  chain decay   : fp32 = sub(a, b); exp(r0)
  chain expsum  : fp32 = {"exp_lo" if fast else "exp"}(a) stat sum
  chain move    : fp32 = mov(a)
  chain update  : fp32 = mul(a, c); add(r0, b)
  chain inverse : fp32 = recip(a)
  chain scale   : fp32 = mul(a, b)"""


def views(bq: int, bk: int, dim: int) -> str:
    """What the two halves of a unit read and write."""
    mn, md, rows = f"{{m:{bq} | n:wide of {bk}}}", f"{{m:{bq} | d:{dim}}}", f"{{m:{bq}}}"
    return f"""
  # first half: queries x keys
  desc query = tq(qs){md}[m, d]
  desc key = tk(kv){{n:wide of {bk} | d:{dim}}}[n, d]
  desc score = s{mn}[m, n]
  desc behind = mask{mn}[m - n + off + {bk - 1}]
  desc x = tx(par){mn}[m, n]
  desc p = tp(par){mn}[m, n]
  desc top_of = mx(par){rows}[m]
  desc nm_of = nm(par){rows}[m]
  desc nm_before = nm(old){rows}[m]
  desc nm_each = nm(par){mn}[m]

  # second half, of the unit before: probabilities x values
  desc p_old = tp(old){{m:{bq} | n:pwide of {bk}}}[m, n]
  desc value = tv(pkv){{d:{dim} | n:pwide of {bk}}}[n, d]
  desc weighted = pv(old){md}[m, d]
  desc o = to{md}[m, d]
  desc l = sum{rows}[m]
  desc l_each = sum{md}[m]
  desc ps_old = ps(old){rows}[m]
  desc alpha_old = alpha(old){rows}[m]
  desc alpha_each = alpha(old){md}[m]"""


def first_half(bq: int, bk: int, dim: int) -> str:
    """Scores, running maximum, exponentials."""
    kv, rows = f"{{r:{bk}, d:{dim}}}", f"{{m:{bq}}}"
    return f"""\
      loop if_live < live {{
        at "scores"
        loop if_fresh < fresh {{
          LD0 sync wait(staged)
        }}
        LD0 copy tk(kv){kv}[r, d], ck{kv}[head, kb, r, d] wait(freeK) post(fullK)
        LD0 copy tv(kv){kv}[r, d], cv{kv}[head, kb, r, d] wait(freeV) post(fullV)
        TTU mm score, query, key mode=over wait(taken, fullK) post(freeK, scores)
        loop if_last < last {{
          TTU sync post(freeQ)
        }}
        at "maximum"
        DRN accst x, top_of, score, behind chain=maximum wait(scores) post(top)
        loop if_first < first {{
          TVP vmap nm_of, top_of chain=negate wait(top) post(turned)
        }}
        loop if_more < more {{
          TVP vmap nm_of, nm_before, top_of chain=running wait(top) post(turned)
          TVP vmap alpha(par){rows}[m], nm_of, nm_before chain=decay
        }}
        at "exponentials"
        DRN accst x, score, nm_each, behind chain=below wait(turned) post(taken, below0)
        TVP vmapr p, ps(par){rows}[m], x chain=expsum wait(below0) post(exped)
      }}"""


def second_half(own: int, bq: int, dim: int) -> str:
    """The weighted values, added to those before; at last divided and stored."""
    md, out = f"{{m:{bq} | d:{dim}}}", f"{{m:{bq}, d:{dim}}}"
    return f"""\
      loop if_prev < prev {{
        at "weighted values"
        TTU mm weighted, p_old, value mode=over wait(exped, fullV) post(freeV, summed)
        loop if_pfirst < pfirst {{
          TVP vmap o, weighted chain=move wait(summed)
          TVP vmap l, ps_old chain=move
        }}
        loop if_pmore < pmore {{
          TVP vmap o, o, weighted, alpha_each chain=update wait(summed)
          TVP vmap l, l, ps_old, alpha_old chain=update
        }}
        loop if_plast < plast {{
          at "result"
          TVP vmap l, l chain=inverse
          TVP vmap tr(os){md}[m, d], o, l_each chain=scale wait(stored) post(result)
          ST copy O{out}[{own}*cluster + phead, pq0 + m, d] drop, tr(os){out}[m, d] \
wait(result) post(stored)
          os = 1 - os
        }}
      }}"""
