"""Native values: what each family of instructions does to memories, in native code."""
