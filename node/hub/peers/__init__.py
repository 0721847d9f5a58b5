"""The hub between chains: what its regulator says of them, and calls from and to their hubs."""
