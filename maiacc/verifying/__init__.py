"""Whether a compiled program computes what its model means, kernel by kernel."""
