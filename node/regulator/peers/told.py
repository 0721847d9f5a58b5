"""What regulators of peer chains told, as it is kept: scorecards sealed, affiliates, used vouchers.

It is replaced by what the same chain tells later and removed when it is older than 24 months, and
by nothing else: a chain that is not trusted any more, or leaves out what it told before, does not
take it back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from federation.errors import Reason, Refusal
from federation.exchange.regulator import HISTORY_SECONDS
from federation.identity import SpiffeId
from federation.interchain.told import Told
from federation.interchain.voucher import Voucher, forgotten_at
from federation.membership import TrustRoot
from node.chain import ChainStore
from node.keys import KeyEncryptionKey
from node.regulator.judging import Past
from node.regulator.tables import (
    regulator_told,
    regulator_told_affiliates,
    regulator_vouchers,
)
from node.storage import Store

_AAD = b"regulator/told/"


@dataclass(frozen=True)
class ToldStore:
    """Reads and writes what was told; `storage` seals the scorecards."""

    store: Store
    storage: KeyEncryptionKey

    def put(self, connection: Connection, root: TrustRoot, told: Sequence[Told], now: int) -> None:
        """Keeps what the chain of `root` told of these scorecards."""
        chain = ChainStore(self.store, root, peer=True)
        table = regulator_told
        connection.execute(delete(table).where(table.c.decided < now - HISTORY_SECONDS))
        for one in told:
            digest = one.certificate.hash
            chain.put_catalogue(connection, one.catalogue.to_json().encode())
            connection.execute(
                delete(table).where(table.c.chain == root.chain, table.c.certificate == digest)
            )
            connection.execute(
                insert(table).values(
                    chain=root.chain,
                    certificate=digest,
                    bank=str(one.certificate.bank),
                    decided=one.decided,
                    expires=one.certificate.not_after,
                    valid=one.valid,
                    catalogue=one.catalogue.digest(),
                    content=self.storage.seal(
                        one.scorecard.to_json().encode(), _aad(root.chain, digest)
                    ),
                )
            )

    def past(
        self, connection: Connection, roots: Iterable[TrustRoot], banks: Collection[str], now: int
    ) -> list[Past]:
        """What was told of scorecards of these banks within 24 months, the oldest first.

        `roots` are those of all chains that ever were trusted.
        """
        chains = {root.chain: ChainStore(self.store, root, peer=True) for root in roots}
        table = regulator_told.c
        rows = connection.execute(
            select(regulator_told)
            .where(table.bank.in_(banks), table.decided >= now - HISTORY_SECONDS)
            .order_by(table.decided, table.certificate)
        )
        return [
            Past(
                self.storage.open(
                    bytes(row.content), _aad(row.chain, bytes(row.certificate))
                ).decode(),
                chains[row.chain].catalogue(connection, bytes(row.catalogue)),
                row.valid and now < row.expires,
                row.chain,
            )
            for row in rows
        ]

    def put_groups(
        self,
        connection: Connection,
        chain: str,
        asked: Collection[SpiffeId],
        groups: Iterable[Collection[SpiffeId]],
    ) -> None:
        """Keeps who the affiliates of the banks asked about are in a chain, in place of before."""
        table = regulator_told_affiliates
        pairs = {(str(a), str(b)) for group in groups for a in group for b in group if a != b}
        named = {str(bank) for bank in asked} | {bank for bank, _ in pairs}
        connection.execute(delete(table).where(table.c.chain == chain, table.c.bank.in_(named)))
        rows = [{"chain": chain, "bank": one, "affiliate": other} for one, other in sorted(pairs)]
        if rows:
            connection.execute(insert(table), rows)

    def affiliates(self, connection: Connection, banks: Collection[str]) -> frozenset[str]:
        """The affiliates of these banks, as any chain told."""
        table = regulator_told_affiliates.c
        rows = connection.execute(select(table.affiliate).where(table.bank.in_(banks)))
        return frozenset(rows.scalars())


def use_voucher(connection: Connection, voucher: Voucher, now: int) -> None:
    """Marks a voucher as used. Raises Refusal(conflict) for one that was used before."""
    table = regulator_vouchers
    connection.execute(delete(table).where(table.c.expires <= now))
    used = connection.execute(select(table.c.id).where(table.c.id == voucher.id)).first()
    if used is not None:
        raise Refusal(Reason.CONFLICT, "voucher was used before")
    connection.execute(insert(table).values(id=voucher.id, expires=forgotten_at(voucher)))


def _aad(chain: str, certificate: bytes) -> bytes:
    return _AAD + chain.encode() + b"/" + certificate
