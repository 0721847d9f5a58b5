"""The regulator of a chain: its root of trust, and the certifier of its models."""
