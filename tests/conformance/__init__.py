"""ONNX's own backend tests, judged and counted."""
