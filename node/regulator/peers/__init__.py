"""The regulator between chains: its own bundle, whom it pins, and calls from and to its peers."""
