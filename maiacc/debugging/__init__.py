"""The shell around the step debugger."""
