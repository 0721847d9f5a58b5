"""The audit keys that a hub has at hand: the regulator's signed statements, kept as they came."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sqlalchemy import Connection, insert, select

from federation.auditkeys import AuditKey, SealingKeys, calendar_month, read_audit_key
from federation.signed import Signed
from node.hub.publication import Hub
from node.hub.tables import hub_audit_keys


def put_audit_keys(hub: Hub, connection: Connection, keys: Iterable[Signed]) -> None:
    """Keeps the statements that are new.

    Raises SignatureInvalid, DocumentError or Refusal for one that is not the regulator's; then
    none is kept.
    """
    root, table = hub.identity.root, hub_audit_keys.c
    known = {bytes(key_id) for key_id in connection.execute(select(table.id)).scalars()}
    for signed in keys:
        key = read_audit_key(signed, root.chain, root.regulator_signing)
        if key.id not in known:
            known.add(key.id)
            connection.execute(
                insert(hub_audit_keys).values(
                    id=key.id, month=key.month, statement=signed.to_json()
                )
            )


def sealing_keys(hub: Hub, connection: Connection, now: int) -> SealingKeys:
    """The keys for what is sealed in the month of `now` (unix seconds)."""
    table = hub_audit_keys.c
    rows = connection.execute(select(table.statement).where(table.month == calendar_month(now)))
    return SealingKeys(_statement(bytes(raw)) for raw in rows.scalars())


@lru_cache(maxsize=16)
def _statement(raw: bytes) -> AuditKey:
    # Parsed, not verified: it was verified before it was kept.
    return AuditKey.parse(Signed.from_json(raw).payload)
