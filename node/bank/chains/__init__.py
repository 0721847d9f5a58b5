"""The chains that the bank asks in: its own, and peer chains that its regulator pinned.

A bank speaks to its own hub and regulator only. What they hand on of a peer chain it verifies
itself, under the root that the pin has.
"""

from __future__ import annotations

from node.bank.chains.book import Chains
from node.bank.chains.peer import PeerView
from node.bank.chains.view import ChainView

__all__ = ["ChainView", "Chains", "PeerView"]
