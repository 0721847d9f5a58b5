"""What a regulator knows of peer chains, for its operator."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from federation.interchain.bundle import TrustBundle
from federation.interchain.pin import Pin
from node.regulator.membership import Regulator
from node.regulator.peers.delivery import delivered
from node.regulator.peers.pinning import pins_of_us
from node.regulator.peers.watch import heard_of


@dataclass(frozen=True)
class PeerView:
    """One peer chain. `delivered` is whether the hub has the pin, `theirs` the peer's newest pin of
    this chain, `heard` when its regulator last answered (unix seconds), `problem` why not since.
    """

    pin: Pin
    bundle: TrustBundle
    delivered: bool
    theirs: Pin | None
    heard: int | None
    problem: str


def peer_views(regulator: Regulator, connection: Connection) -> list[PeerView]:
    """Every chain that was ever pinned, by its newest pin, in order of their names."""
    done, theirs = delivered(regulator, connection), pins_of_us(regulator, connection)
    heard = heard_of(connection)
    found = []
    for chain, pin in sorted(regulator.chain.pins(connection).items()):
        when, problem = heard.get(chain, (None, ""))
        known = theirs.get(chain)
        found.append(PeerView(pin, pin.trust(), pin.hash in done, known, when, problem))
    return found
