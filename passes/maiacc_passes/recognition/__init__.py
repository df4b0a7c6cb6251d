"""Composites recognised in the ops that exporters write for them."""
