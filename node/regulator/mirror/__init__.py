"""The regulator's mirror: a verified copy of every log of its chain, and a watch on each."""
