"""What a member keeps of its chain: members, roster, catalogue, epochs, certificates.

The hub publishes signed documents; every member verifies and keeps them in the same tables, the
hub itself included, so that all of them answer from the same store with the same rules.
"""

from __future__ import annotations

from node.chain.store import ChainStore
from node.chain.sync import ChainCopy, ChainSync

__all__ = ["ChainCopy", "ChainStore", "ChainSync"]
