"""Version numbers: of the distribution, of the instruction set, of the time model."""

__version__ = "0.1.0"

#: Version of the instruction set. A file of another major version is refused.
ISA_VERSION = (1, 0)

#: Version of the rules in the manual's chapter on time. Cycle counts of two
#: programs may be compared only when this number is the same.
TIMING_VERSION = 1

#: Version of the ``.maia`` container.
FORMAT_VERSION = (1, 1)
