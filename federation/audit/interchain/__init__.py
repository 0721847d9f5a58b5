"""Queries between this chain and its peers, reconciled by the logs of both chains."""
