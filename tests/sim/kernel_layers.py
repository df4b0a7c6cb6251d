"""A recurrent layer and mixtures of experts: real numbers, compared within derived bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from sim.kernel_bounds import (
    FUNCTION,
    TINY,
    U,
    as_bf16,
    fused,
    in_bf16,
    product_error,
    sigmoid,
    sigmoid_error,
    silu_error,
    softmax,
    tanh_error,
)
from sim.kernel_example import Answer, Array, Example, Sizes, Wanted, host, reals


def lstm(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """i, o, f = sigmoid(G + H R^T), g = tanh(G + H R^T), C = f C + i g, H = o tanh(C), per step.

    C is fp32, H is bf16 and goes into the next step as it was rounded: what a step adds to the
    error of H and C is carried through all later ones.
    """
    steps, h, batch = size["steps"], size["h"], size["batch"]
    g = rng.standard_normal((steps, batch, 4, h)).astype(np.float32).astype(np.float64)
    r, h0 = reals(rng, (4, h, h), 0.7 / np.sqrt(h)), reals(rng, (batch, h), 0.5)
    c0 = rng.standard_normal((batch, h)).astype(np.float32).astype(np.float64)

    def result(order: str = "iofg", memory: float = 1.0, past: float = 1.0) -> Answer:
        hidden, h_off = h0, np.zeros_like(h0)
        c, c_off = c0, np.zeros_like(c0)
        found: list[tuple[Array, Array]] = []
        for step in range(steps):
            sums = np.einsum("bx,gux->bgu", past * hidden, r)
            sizes = np.einsum("bx,gux->bgu", np.abs(hidden) + h_off, np.abs(r))
            s_off = np.einsum("bx,gux->bgu", h_off, np.abs(r)) + fused(h, sizes)
            x = g[step] + sums
            x_off = s_off + U * (np.abs(x) + s_off)
            gate = {name: sigmoid(x[:, order.index(name)]) for name in "iof"}
            off = {n: sigmoid_error(x[:, order.index(n)], x_off[:, order.index(n)]) for n in "iof"}
            new, new_off = np.tanh(x[:, 3]), tanh_error(x[:, 3], x_off[:, 3])
            sum_off = product_error(gate["f"], off["f"], c, c_off)
            sum_off = sum_off + product_error(gate["i"], off["i"], new, new_off)
            c = memory * gate["f"] * c + gate["i"] * new
            c_off = sum_off + U * (np.abs(c) + sum_off)
            bent = np.tanh(c)
            hidden = gate["o"] * bent
            h_off = in_bf16(
                hidden, product_error(gate["o"], off["o"], bent, tanh_error(c, c_off)) + TINY
            )
            found.append((hidden, h_off))
        ys, offs = zip(*found, strict=True)
        return {"Y": Wanted(np.array(ys), np.array(offs)), "CN": Wanted(c, c_off)}

    mistakes = {
        "gates o and f exchanged": lambda: result(order="ifog"),
        "gates i and o exchanged": lambda: result(order="oifg"),
        "C forgotten": lambda: result(memory=0),
        "H of the step before not used": lambda: result(past=0),
    }
    inputs = {"G": host(g, "fp32"), "R": host(r, "bf16"), "H0": host(h0, "bf16")}
    return Example(inputs | {"C0": host(c0, "fp32")}, result(), mistakes)


def _swiglu(x: Array, w1: Array, w2: Array) -> tuple[Array, Array]:
    """W2 h with h = silu(W1[0] x) (W1[1] x) rounded to bf16, for rows x, and its error."""
    (gate, up), sizes = (x @ w1[0].T, x @ w1[1].T), np.abs(x)
    g_off, u_off = (fused(x.shape[-1], sizes @ np.abs(w).T) for w in w1)
    bent = gate * sigmoid(gate)
    h = bent * up
    h_off = in_bf16(h, product_error(bent, silu_error(gate, g_off), up, u_off) + TINY)
    into = h_off @ np.abs(w2).T
    return h @ w2.T, into + fused(h.shape[-1], np.abs(h) @ np.abs(w2).T + into)


def _experts(size: Sizes, x: Array, wr: Array, rng: np.random.Generator, between: bool) -> Example:
    """Rows x through the two experts that the router likes best. ``between``: what experts make
    is rounded to bf16 before it is weighted.

    Logits are off by fused multiply-adds; which two are largest must not hang on that. The weights
    1 / (1 + q) and q / (1 + q) with q = e^(difference) are off by the relative error of q, and as
    much again for the sum, and three roundings.
    """
    e, d, f = size["e"], size["d"], size["f"]
    w1, w2 = reals(rng, (e, 2, f, d), 1.5 / np.sqrt(d)), reals(rng, (e, d, f), 1.5 / np.sqrt(f))
    logits, off = x @ wr.T, fused(d, np.abs(x) @ np.abs(wr).T).max(1)
    order = np.argsort(-logits, axis=1, kind="stable")
    ranked = np.take_along_axis(logits, order, 1)
    assert e == 2 or (ranked[:, 1] - ranked[:, 2] > 2 * off).all()

    def result(
        turn: int = 1, chosen: tuple[int, int] = (0, 1), whole: bool = False, swap: int = 1
    ) -> Answer:
        p = (softmax(ranked) if whole else softmax(ranked[:, :2]))[:, :2][:, ::turn]
        difference = 2 * off + U * (ranked[:, 0] - ranked[:, 1])
        p_off = p * (2 * (np.expm1(difference) + FUNCTION) + 3 * U)[:, None]
        y, y_off = np.zeros_like(x), np.zeros_like(x)
        for expert in range(e):
            for nth in range(2):
                rows = order[:, chosen[nth]] == expert
                made, m_off = _swiglu(x[rows], w1[expert, ::swap], w2[expert])
                m_off = in_bf16(made, m_off + TINY) if between else m_off
                part = p[rows, nth, None]
                p_part = np.broadcast_to(p_off[rows, nth, None], made.shape)
                y[rows] += part * made
                y_off[rows] += product_error(part, p_part, made, m_off)
        return {"Y": as_bf16(y, y_off + U * (np.abs(y) + y_off))}

    mistakes = {
        "weights exchanged": lambda: result(turn=-1),
        "the best expert twice": lambda: result(chosen=(0, 0)),
        "gate and up exchanged": lambda: result(swap=-1),
    }
    if e > 2:
        mistakes["softmax over all experts"] = lambda: result(whole=True)
    inputs = {"X": x, "WR": wr, "W1": w1, "W2": w2}
    return Example({n: host(a, "bf16") for n, a in inputs.items()}, result(), mistakes)


def moe(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """One token through two of the experts."""
    x, wr = reals(rng, (1, size["d"])), reals(rng, (size["e"], size["d"]), 1 / np.sqrt(size["d"]))
    made = _experts(size, x, wr, rng, between=False)

    def flat(make: Callable[[], Answer]) -> Answer:
        y = make()["Y"]
        assert y.bound is not None
        return {"Y": Wanted(y.values[0], y.bound[0])}

    mistakes: dict[str, Callable[[], Answer]] = {
        name: partial(flat, make) for name, make in made.mistakes.items()
    }
    return Example(made.inputs | {"X": made.inputs["X"][0]}, flat(lambda: made.answer), mistakes)


def moe_prefill(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Every token through two of the experts: its own two, or the same two for all of them."""
    x = reals(rng, (size["t"], size["d"]))
    wr = reals(rng, (size["e"], size["d"]), 1 / np.sqrt(size["d"]))
    if kind:
        x[:, 0], wr[:, 0] = 1, -40
        wr[:2, 0] = 40
    made = _experts(size, x, wr, rng, between=True)
    if kind:
        del made.mistakes["softmax over all experts"]  # the others have no weight to speak of
    return made
