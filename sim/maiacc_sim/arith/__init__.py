"""Arithmetic of the reference simulator: pure functions on arrays of codes.

A code is the bits of one element in an unsigned numpy integer (``convert.container``); elements
below 8 bits take the low bits of a uint8. Nothing here knows of memories or machines.
"""
