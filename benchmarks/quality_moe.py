"""Mixtures of experts as exporters write them: two of eight experts for each token.

For one token the weights of its experts are gathered; for many all experts compute all tokens, and
what is not asked for is multiplied by zero.
"""

from __future__ import annotations

from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module

#: Experts, and those of a token.
E, K = 8, 2


def decoded(d: int = 4096, f: int = 4096) -> Module:
    """One token."""
    e, k = E, K
    return parse_module(f"""ir 1 graph
graph (%0: bf16[1, {d}] "x", %1: bf16[{d}, {e}] "router", \
%2: bf16[{e}, {d}, {2 * f}] "up", %3: bf16[{e}, {f}, {d}] "down") \
-> ("y") {{
  %4 = contract(%0, %1) {{spec="ab,bc->ac", to=fp32}} : fp32[1, {e}]
  %5, %6 = moe_route(%4) {{k={k}, normalize=true}} : fp32[1, {k}], int64[1, {k}]
  %7 = reshape(%6) {{shape=[{k}]}} : int64[{k}]
  %8 = gather(%2, %7) {{axis=0}} : bf16[{k}, {d}, {2 * f}]
  %9 = contract(%0, %8) {{spec="td,edf->etf", to=fp32}} : fp32[{k}, 1, {2 * f}]
  %10 = slice(%9) {{starts=[0, 0, 0], sizes=[{k}, 1, {f}], steps=[1, 1, 1]}} : fp32[{k}, 1, {f}]
  %11 = slice(%9) {{starts=[0, 0, {f}], sizes=[{k}, 1, {f}], steps=[1, 1, 1]}} : fp32[{k}, 1, {f}]
  %12 = swiglu(%10, %11) : fp32[{k}, 1, {f}]
  %13 = cvt(%12) {{to=bf16}} : bf16[{k}, 1, {f}]
  %14 = gather(%3, %7) {{axis=0}} : bf16[{k}, {f}, {d}]
  %15 = contract(%13, %14) {{spec="etf,efd->etd", to=fp32}} : fp32[{k}, 1, {d}]
  %16 = reshape(%5) {{shape=[{k}, 1, 1]}} : fp32[{k}, 1, 1]
  %17 = mul(%15, %16) : fp32[{k}, 1, {d}]
  %18 = rsum(%17) {{axes=[0], keep=false}} : fp32[1, {d}]
  return(%18)
}}
""")


def prefilled(t: int = 2048, d: int = 2048, f: int = 2048) -> Module:
    """Some tokens."""
    e, k = E, K
    return parse_module(f"""ir 1 graph
weight @n : int64[{e}] = inline {list(range(e))}
graph (%0: bf16[{t}, {d}] "x", %1: bf16[{d}, {e}] "router", \
%2: bf16[{e}, {d}, {2 * f}] "up", %3: bf16[{e}, {f}, {d}] "down") \
-> ("y") {{
  %4 = contract(%0, %1) {{spec="ab,bc->ac", to=fp32}} : fp32[{t}, {e}]
  %5, %6 = moe_route(%4) {{k={k}, normalize=true}} : fp32[{t}, {k}], int64[{t}, {k}]
  %7 = reshape(%6) {{shape=[{t}, {k}, 1]}} : int64[{t}, {k}, 1]
  %8 = eq(%7, @n) : bool[{t}, {k}, {e}]
  %9 = reshape(%5) {{shape=[{t}, {k}, 1]}} : fp32[{t}, {k}, 1]
  %10 = cvt(%8) {{to=fp32}} : fp32[{t}, {k}, {e}]
  %11 = mul(%10, %9) : fp32[{t}, {k}, {e}]
  %12 = rsum(%11) {{axes=[1], keep=false}} : fp32[{t}, {e}]
  %13 = contract(%0, %2) {{spec="td,edf->etf", to=fp32}} : fp32[{e}, {t}, {2 * f}]
  %14 = slice(%13) {{starts=[0, 0, 0], sizes=[{e}, {t}, {f}], steps=[1, 1, 1]}} \
: fp32[{e}, {t}, {f}]
  %15 = slice(%13) {{starts=[0, 0, {f}], sizes=[{e}, {t}, {f}], steps=[1, 1, 1]}} \
: fp32[{e}, {t}, {f}]
  %16 = swiglu(%14, %15) : fp32[{e}, {t}, {f}]
  %17 = transpose(%12) {{perm=[1, 0]}} : fp32[{e}, {t}]
  %18 = reshape(%17) {{shape=[{e}, {t}, 1]}} : fp32[{e}, {t}, 1]
  %19 = mul(%16, %18) : fp32[{e}, {t}, {f}]
  %20 = cvt(%19) {{to=bf16}} : bf16[{e}, {t}, {f}]
  %21 = contract(%20, %3) {{spec="etf,efd->td", to=bf16}} : bf16[{t}, {d}]
  return(%21)
}}
""")
