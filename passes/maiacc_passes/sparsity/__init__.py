"""Which elements of a weight are kept: patterns, activations, and the methods that choose."""
