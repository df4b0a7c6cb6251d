"""maiacc: from an ONNX model to a proven program for a documented accelerator, and its cycles."""

from maiacc_isa.errors import MaiaccError
from maiacc_isa.version import __version__

__all__ = ["MaiaccError", "__version__"]
