"""The node: all input and output of a credit chain, around the pure packages it imports."""
