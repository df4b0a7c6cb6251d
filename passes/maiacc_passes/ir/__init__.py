"""The compiler's intermediate representation."""
