"""What the tiles do in ``panel_gemm.py``: a step after the other from their work lists."""

from __future__ import annotations

from kit import cdiv
from panel_plan import Form, Piece, Shape, steps


def first_row(s: Shape) -> str:
    """The first row of A that belongs to a cluster's row of the grid."""
    step = s.rows * s.panels // s.across
    return f"{step}*cluster - {step}*across" if s.down > 1 else "0"


def fill(x: Piece) -> str:
    """What a view reads outside its tensor, if it matters."""
    return f" fill {x.fill}" if x.fill else ""


def _panel(form: Form, s: Shape, source: str) -> str:
    """Words that load a chunk of the panel, from A or where it was staged. They are no longer than
    those for a chunk of B, so that the two queues get equal parts of the tile's port."""
    cuts = cdiv(form.a[0].bytes(s.rows, 64), form.b[0].bytes(s.width, 64))
    cuts = cuts if source == "hbm" else max(1, cuts // 2)
    while s.rows % cuts:
        cuts += 1
    part, down = s.rows // cuts, first_row(s)
    words = []
    for i in range(cuts):
        for x in form.a:
            d = s.depth // x.group
            dims = f"{{r:{part}, d:{d}}}"
            start = f"{part * i} + " * bool(i)
            place = {
                "hbm": f"{x.name}{dims}[{down} + row + {start}r, {d}*k + d]{fill(x)}",
                "csram": f"c{x.name}@[cluster - across + home]{dims}[part, k, {start}r, d]",
            }[source]
            words.append(f"LD1 copy t{x.name}{dims}[k, {start}r, d], {place}")
    words[0] += {"hbm": " wait(freeA)", "csram": f" wait(freeA, given:{s.staged})"}[source]
    words[-1] += " post(fullA)"
    return "\n".join(f"        {word}" for word in [*words, "TTU sync wait(fullA)"])


def _multiply(form: Form, s: Shape, column: str, half: int, margin: str) -> str:
    """Words that fetch a chunk of a column block and multiply it with the panel's."""
    a, b = form.a[0], form.b[0]
    options = [f" {form.option} m{x[1].name}" if len(x) > 1 else "" for x in (form.a, form.b)]
    lines = [
        f"LD0 copy t{x.name}(slot){{r:{s.width}, d:{d}}}[r, d], "
        f"c{x.name}{{r:{s.width}, d:{d}}}[{column}, k, r, d]"
        + " wait(freeB)" * (x is b)
        + " post(fullB)" * (x is form.b[-1])
        for x in form.b
        for d in (s.depth // x.group,)
    ]
    lines.append(
        f"TTU {form.multiply} acc({half}){{r:{s.rows} | c:{s.width}}}[r, c], "
        f"t{a.name}{{r:{s.rows} | d:{s.depth // a.group}}}[k, r, d]{options[0]}, "
        f"t{b.name}(slot){{c:{s.width} | d:{s.depth // b.group}}}[c, d]{options[1]} "
        "mode=first level=k wait(fullB) post(freeB)"
    )
    lines.append(f"slot = (slot + 1) mod {s.slots}")
    return "\n".join(margin + line for line in lines)


def _options(form: Form, s: Shape) -> str:
    """Views of scales and metadata, which the multiplies name."""
    lines = []
    for pieces, rows, place in ((form.a, s.rows, "[k, r, d]"), (form.b, s.width, "[r, d]")):
        for x in pieces[1:]:
            slot = "" if pieces is form.a else "(slot)"
            dims = f"{{r:{rows} | d:{s.depth // x.group}}}"
            lines.append(f"      desc m{x.name} = t{x.name}{slot}{dims}{place}\n")
    return "".join(lines)


def _drain(s: Shape, n: int, half: int, margin: str) -> str:
    """Words that bring out one half of the accumulators."""
    width = min(s.width, n)
    matrix, block = f"{{r:{s.rows} | c:{width}}}", f"{{r:{s.rows}, c:{width}}}"
    lines = [
        f"DRN accst tC({half}){matrix}[r, c], acc({half}){matrix}[r, c] chain=convert "
        f"wait(product, stored{half}) post(drained{half}, result)",
        f"ST copy C{block}[{first_row(s)} + row + r, col + {half * s.width} + c] drop, "
        f"tC({half}){block}[r, c] wait(result) post(stored{half})",
    ]
    return "\n".join(margin + line for line in lines)


def tile_words(form: Form, s: Shape, tiles: int, n: int, first: int) -> str:
    """What the tiles do."""
    most = max(map(len, steps(s, tiles)))
    homes = f"""
  home = (tile) mod {s.across} on tile
  part = (tile) div {s.across} on tile"""
    shared = f"""
      loop if_share < share {{
{_panel(form, s, "csram")}
      }}"""
    given = f"""
  need = t_given[tile] on tile
  loop token < need on tile {{
    LD1 sync wait(given:{s.staged})
  }}"""
    return f"""
  at "multiply"
  slot = 0 on tile
  work = t_work[tile] on tile{homes if s.staged else ""}
  loop step < work on tile {{
    place = {most}*tile + step
    row = t_row[place]
    n = t_n[place]
    two = t_two[place]
    alone = 1 - two
    fresh = t_fresh[place]{chr(10) + "    share = t_share[place]" if s.staged else ""}
    free = t_free[place]
    need = t_need[place]
    init = t_init[place]
    loop token < need {{
      LD0 sync wait(staged)
    }}
    loop k < {s.chunks} {{
{_options(form, s)}\
      opens = max(1 - k, 0)
      closes = max(k - {s.chunks - 2}, 0)
      # a new panel, chunk by chunk, as the one before is used up
      loop if_fresh < fresh {{
{_panel(form, s, "hbm")}
      }}
      # the first columns arrive chunk by chunk, too, and with them panels that are shared
      loop if_init < init {{
        LD0 sync wait(staged)
      }}{shared if s.staged else ""}
{_multiply(form, s, "n", 0, "      ")}
      loop if_closes < closes {{
        TTU sync post(product)
      }}
      loop if_two < two {{
        loop if_opens < opens {{
          TTU sync wait(drained1)
        }}
{_multiply(form, s, "n + 1", 1, "        ")}
      }}
      loop if_free < free {{
        TTU sync post(freeA)
      }}
    }}
    # results leave while the tensor unit goes on
    col = {s.width}*n + {s.width * s.columns}*across + {first}
{_drain(s, n, 0, "    ")}
    loop if_alone < alone {{
      TTU sync wait(drained0)
    }}
    loop if_two < two {{
      TTU sync wait(drained0) post(product)
{_drain(s, n, 1, "      ")}
    }}
  }}{given if s.staged else ""}"""
