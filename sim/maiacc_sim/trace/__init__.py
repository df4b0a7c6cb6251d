"""Traces: a recording as a file for Perfetto, for Chrome's viewer, or for grep.

``maiacc_sim.trace.write.write_trace`` writes all of them.
"""
