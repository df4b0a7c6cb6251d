"""The kernel stage: tiled loops over buffers, in words that are not placed yet."""
