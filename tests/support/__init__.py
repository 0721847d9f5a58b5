"""What tests share: a whole chain in memory, on the pure packages alone."""
