"""Tests of the compiler's passes."""
