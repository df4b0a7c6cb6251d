"""Numbers that Python and native code agree on, all of them taken from the rows.

``SPACE.hbm``, ``DTYPE.bf16``, ``STAGE.add`` and the like are the codes of the rows; labels of the
rows' enums are ``LABEL.accumulate.over``.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING

from maiacc_isa.load import load


class Codes:
    """Numbers by name, as attributes. Names that are Python's own end in an underscore."""

    def __init__(self, rows: dict[str, int]) -> None:
        vars(self).update({name + "_" * iskeyword(name): code for name, code in rows.items()})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> int: ...


class Labels:
    """The codes of the labels of every enum, as attributes."""

    def __init__(self) -> None:
        for name, row in load().enums.items():
            setattr(self, name, Codes({label.name: label.code for label in row.labels}))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Codes: ...


SPACE = Codes({name: row.code for name, row in load().spaces.items()})
DTYPE = Codes({name: row.code for name, row in load().dtypes.items()})
STAGE = Codes({name: row.code for name, row in load().stages.items()})
LABEL = Labels()

#: Codes of the first scalar register and of the first loop counter, and what is enough for all.
REGISTER = load().sources["s"].code
COUNTER = load().sources["L"].code
SOURCES = 64

LOOPS = load().limit("loops")
AXES = load().limit("axes")
DIMS = load().limit("dims")
TERMS = load().limit("terms")
STAGES = load().limit("stages")
PARTIALS = load().limit("partials")
MX_GROUP = load().limit("mx_group")
TOKEN_MAX = load().limit("token_max")

#: Operands of an engine word, in the order of its fields, and the views that lie beside them.
OPERANDS = ("d", "e", "a", "b", "c")
BESIDE = ("scale_d", "scale_a", "scale_b", "meta_b")
SLOT = Codes({name: n for n, name in enumerate((*OPERANDS, *BESIDE))})
SLOTS = 9

#: Whose memory a descriptor means.
HOME = LABEL.home

#: How an execution of native code ended.
DONE, DECLINED, WAITING, STOPPED = 0, 1, 2, 3
