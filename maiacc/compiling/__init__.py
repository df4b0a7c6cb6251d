"""From a model as users give it to a proven program, and what is said about it."""
