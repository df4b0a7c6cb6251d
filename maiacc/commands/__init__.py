"""The commands, one file each; a command reads its arguments and prints, nothing more."""
