"""The compiler's language and everything that rewrites it."""
