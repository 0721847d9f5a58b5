"""A node's transparency log over HTTPS: C2SP tlog-tiles and tlog-witness, for members only."""
