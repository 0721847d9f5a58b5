"""The audit: a process of its own that reads the mirror, and alone opens the evidence in it."""
