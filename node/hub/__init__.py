"""The hub: the local credit platform of one chain."""
