"""Table 1 and Table 2 of the paper as Keras models."""
