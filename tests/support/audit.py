"""An auditor of the chain in memory: the regulator's documents, and its audit key."""

from __future__ import annotations

from dataclasses import dataclass, field

from federation.audit.sources import Examined, PermitRecord
from federation.audit.verify import QueryVerifier
from federation.epoch import OpenEpoch
from federation.membership import Members
from federation.signed import Signed
from support.chain import Chain
from support.network import Network


@dataclass(frozen=True)
class ChainDocuments:
    """What the regulator mirrored of a chain in memory, all of it, and `more` certificates;
    `withdrawals` says from when on the hub had to refuse one.
    """

    chain: Chain
    more: dict[bytes, Signed] = field(default_factory=dict)
    withdrawals: dict[bytes, int] = field(default_factory=dict)

    def members(self, time: int) -> Members:
        return self.chain.members.at(time)

    def certificate(self, digest: bytes) -> Signed | None:
        model = self.chain.model_of(digest)
        return model.signed if model else self.more.get(digest)

    def withdrawn(self, digest: bytes) -> int | None:
        return self.withdrawals.get(digest)

    def epoch(self, number: int) -> OpenEpoch | None:
        return self.chain.epochs.get(number)


def verifier(chain: Chain) -> QueryVerifier:
    return QueryVerifier(ChainDocuments(chain), chain.audit)


def examined(network: Network) -> list[Examined]:
    """Every permit of the hub's log, verified with the audit key."""
    auditor = verifier(network.chain)
    return [
        auditor.examine(PermitRecord(index, recorded, document, envelope))
        for index, (recorded, envelope, document) in enumerate(network.hub_log)
    ]
