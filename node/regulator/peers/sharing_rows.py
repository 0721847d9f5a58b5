"""Entries of the mirror as shares tell them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from federation.audit.reconcile import role_of
from federation.entries import Kind
from federation.errors import DocumentError, IdentityError
from federation.identity import Role, SpiffeId
from federation.interchain.share import SharedEntry
from federation.permit import Permit
from federation.signed import Signed
from node.regulator.mirror.books import MirroredLog
from node.regulator.tables import mirror_entries

PORTION: Final = 200
"""Entries that are looked at together."""
KINDS: Final = {
    Role.HUB: (Kind.PERMIT.value, Kind.ROUTED.value),
    Role.HOLDER: (Kind.UNLOCK.value,),
    Role.BANK: (Kind.QUERY.value, Kind.FAILURE.value),
}
"""What of each party's log may concern another chain."""


def stop_at(connection: Connection, log: MirroredLog, start: int, limit: int) -> int:
    """Behind the last entry up to clock `limit`, which no log can set back."""
    table = mirror_entries.c
    found = connection.execute(
        select(table.index)
        .where(
            table.log == log.log,
            table.index >= start,
            table.index < log.size,
            table.clock <= limit,
        )
        .order_by(table.index.desc())
        .limit(1)
    ).scalar_one_or_none()
    return start if found is None else found + 1


def rows_of(connection: Connection, log: str, start: int, stop: int) -> Iterator[Any]:
    """The entries of the kinds that may be shared, a portion at a time."""
    table = mirror_entries.c
    while start < stop:
        rows = connection.execute(
            select(
                table.log,
                table.index.label("position"),
                table.kind,
                table.time,
                table.clock,
                table.document,
                table.ctx,
                table.entry,
            )
            .where(
                table.log == log,
                table.index >= start,
                table.index < stop,
                table.kind.in_(KINDS[role_of(log)]),
            )
            .order_by(table.index)
            .limit(PORTION)
        ).all()
        yield from rows
        if len(rows) < PORTION:
            return
        start = rows[-1].position + 1


def shared_entry(row: Row[Any], permit: bytes, document: bytes = b"") -> SharedEntry:
    """The entry of a row that is about that permit."""
    return SharedEntry(
        log=SpiffeId.parse(row.log),
        index=row.position,
        kind=row.kind,
        time=row.time,
        permit=permit,
        document=document,
    )


def chain_named(raw: bytes) -> object:
    """The chain in the body of an entry, if it has one."""
    return json.loads(raw)["body"].get("chain")


def bank_of(text: str, domain: str) -> SpiffeId | None:
    """The bank of that trust domain, or None for any other party."""
    try:
        bank = SpiffeId.parse(text)
    except IdentityError:
        return None
    return bank if bank.role is Role.BANK and bank.trust_domain == domain else None


def permit_of(raw: bytes, digest: bytes) -> Permit | None:
    """The permit of that hash; its hash is in the hub's log, so nobody can change one."""
    try:
        signed = Signed.from_json(raw)
        return Permit.parse(signed.payload) if signed.payload_hash == digest else None
    except DocumentError:
        return None
