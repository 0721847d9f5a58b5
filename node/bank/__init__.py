"""A bank's agent: certifies models, prepares tables, asks about enterprises that consented."""
