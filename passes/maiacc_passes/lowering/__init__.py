"""From groups of ops to kernels: one way for each kind of op."""
