"""Between chains: whom a node trusts there now, the calls that it takes and those that it makes.

Whom it trusts is what its own regulator pinned (`federation.interchain.pin`), as the node's copy of
its chain has it at that moment: a pin that is withdrawn or over ends the next call, whatever
connection it is on.
"""

from __future__ import annotations

from node.peers.channels import PeerChannels
from node.peers.following import FROM_HOME, FROM_PEER, PeerSource, Published
from node.peers.server import add_peer_server, home_chain
from node.peers.trust import PeerTrust, TrustedChain

__all__ = [
    "FROM_HOME",
    "FROM_PEER",
    "PeerChannels",
    "PeerSource",
    "PeerTrust",
    "Published",
    "TrustedChain",
    "add_peer_server",
    "home_chain",
]
