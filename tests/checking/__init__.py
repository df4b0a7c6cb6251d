"""Tests of ``maiacc check`` and ``maiacc ops``."""
