"""What the compiler chose for a model, kept in the program file and told to people."""
