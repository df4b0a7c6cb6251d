"""What ``maiacc demo`` shows: a trained model, and a kernel written by hand."""
