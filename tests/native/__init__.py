"""Tests of the native simulator: it is held to the reference one, bit by bit and cycle by cycle."""
