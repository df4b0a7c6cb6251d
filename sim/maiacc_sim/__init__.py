"""The machine: simulators that execute MIST programs."""
