"""Disputes at a holder: the key to which firms seal them, what is kept, and the answers."""
