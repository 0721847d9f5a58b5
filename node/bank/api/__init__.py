"""The REST interface for the bank's own systems."""
