"""Models in ONNX become modules of the IR."""
