"""Native time: the event model of ``maiacc_sim.timing``, step for step, in native code.

It takes the same decisions in the same order, so that cycles, their account and recordings are
those of the reference simulator to the last entry.
"""
