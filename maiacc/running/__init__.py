"""What `run` and `profile` read, prepare and print."""
