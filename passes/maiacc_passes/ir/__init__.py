"""The compiler's language: tensors as values, ops in one table, text that parses back."""
