"""What stands between a model and the machine, and what the model would need of it."""
