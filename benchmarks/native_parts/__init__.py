"""Parts of ``benchmarks/native.py``."""
