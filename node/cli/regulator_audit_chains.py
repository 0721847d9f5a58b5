"""What the audit's commands show of other chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from federation.audit.interchain.cases import Peer
from federation.identity import SpiffeId
from node.regulator.audit.shares import peers_of
from node.regulator.findings import KeptFinding
from node.regulator.membership import Regulator
from node.regulator.peers.sharing_findings import REPORTED_BY

HEADINGS = {
    "peer": "chain / 他链",
    "outward": "out / 转出",
    "inward": "in / 转入",
    "reconciled": "reconciled / 已核对",
    "open": "open / 待核对",
    "covered": "shared until / 共享至",
}


@dataclass(frozen=True)
class Chains:
    """The regulator's own chain and those that it pinned, by trust domain."""

    own: str
    domain: str
    peers: Mapping[str, Peer]

    def of_member(self, member: str) -> str:
        """The chain of a SPIFFE id; its trust domain where no chain that was pinned has it."""
        domain = SpiffeId.parse(member).trust_domain
        if domain == self.domain:
            return self.own
        return self.peers[domain].chain if domain in self.peers else domain

    def short(self, member: str) -> str:
        """A member for people: role and name, of another chain after that chain's name."""
        chain, name = self.of_member(member), "/".join(member.split("/")[-2:])
        return name if chain == self.own else f"{chain}: {name}"

    def of_finding(self, finding: KeptFinding) -> dict[str, Any]:
        """A finding with the chains that it is of: `chain` is the subject's, `found_in` the one
        whose regulator found it.
        """
        found_in = finding.evidence.get(REPORTED_BY, self.own)
        chain = self.of_member(finding.subject)
        return finding.to_dict() | {"chain": chain, "found_in": found_in}


def read_chains(regulator: Regulator, connection: Connection) -> Chains:
    """The chains that the regulator knows."""
    peers = peers_of(regulator.chain, connection, regulator.clock.now())
    root = regulator.identity.root
    return Chains(root.chain, root.trust_domain, {peer.domain: peer for peer in peers})


def chains_table(chains: Mapping[str, Mapping[str, int]]) -> Any:
    """How far the reconciliation with each peer chain is: permits out and in of half a year."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name, heading in HEADINGS.items():
        table.add_column(heading, justify="left" if name in ("peer", "covered") else "right")
    for chain, numbers in chains.items():
        covered = numbers["covered"]
        until = datetime.fromtimestamp(covered, UTC).isoformat() if covered else "never / 从未"
        counts = [str(numbers[name]) for name in ("outward", "inward", "reconciled", "open")]
        table.add_row(chain, *counts, until)
    return table
