"""Worker processes for lattice and OPRF work, which holds Python's lock while it runs."""
