"""The step debugger: a program in the order of time, forwards and back."""
