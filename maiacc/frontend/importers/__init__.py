"""How each ONNX operator becomes ops of the IR, by family."""
