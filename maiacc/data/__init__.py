"""Files that commands need and the distribution carries."""
