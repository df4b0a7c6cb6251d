"""The language that native code is written in: a part of Python with types, translated to LLVM.

::

    from maiacc_sim.native.lang.functions import native, record
    from maiacc_sim.native.lang.names import Array, f32, f32x16, i64

    @native(export=True)
    def scale(x: Array[f32], count: i64, factor: f32) -> i64:
        for i in range(0, count, 16):
            (f32x16.load(x, i) * factor).store(x, i)
        return count

What there is: integers of 64 bits (memory may hold narrower ones), ``f32``, ``f64``, truth values,
vectors of 16 lanes, arrays (addresses), and records (``record`` classes, used through their
address). Statements are assignments, ``if``, ``while``, ``for ... in range``, ``match`` over
constants, ``break``, ``continue``, ``return``; expressions are those of Python on these types,
conditionals, calls of native functions and the operations of ``names``. Names of the module around,
and of the function around, are constants; what depends on constants alone is decided while
translating, and ``unrolled`` loops are written out.

What differs from Python: integers wrap at 64 bits, ``and`` and ``or`` give truth values, arrays are
not checked. Nothing is ever fused or reordered: ``a * b + c`` rounds twice.
"""
