"""Audit keys made ahead: hubs need one before the month begins in which they seal to it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from federation.auditkeys import AuditKey, SubjectClass, calendar_month, months_later
from federation.entries import Kind, entry
from federation.envelope import EnvelopeKey
from federation.signed import Signed
from node.keys import KeyEncryptionKey
from node.regulator.auditkeys.master import load_master, master_row, put_master, uses_token
from node.regulator.auditkeys.provider import wrap
from node.regulator.auditkeys.tables import regulator_audit_keys
from node.regulator.auditkeys.token import seal_by_token
from node.regulator.membership import Regulator

MONTHS_AHEAD = 2
"""This month and the next: a regulator that is away for some weeks stops no hub."""


@dataclass(frozen=True)
class IssuedKey:
    """A key that was issued; `erased` is when its secret half went, or None."""

    statement: AuditKey
    signed: Signed
    erased: int | None


async def issue_ahead(regulator: Regulator, months: int = MONTHS_AHEAD) -> list[AuditKey]:
    """Makes the keys that are missing for `months` months from now on; returns the new ones.

    Needs the master key: commands and the audit's process call it, the serving process does not.
    Durable and logged before it returns. Raises MasterKeyError, TokenError, SecretFileError.
    """
    now = regulator.clock.now()
    wanted = [months_later(calendar_month(now), count) for count in range(months)]

    def missing(connection: Connection) -> list[tuple[int, SubjectClass]]:
        table = regulator_audit_keys.c
        present = {
            (row.month, row.subjects)
            for row in connection.execute(
                select(table.month, table.subjects).where(table.erased.is_(None))
            )
        }
        every = [(month, subjects) for month in wanted for subjects in SubjectClass]
        return [(month, subjects) for month, subjects in every if (month, subjects) not in present]

    def unit(connection: Connection) -> list[AuditKey]:
        master = KeyEncryptionKey(_master(regulator, connection, now))
        return [
            _issue(regulator, connection, master, month, subjects, now)
            for month, subjects in missing(connection)
        ]

    # A token may take its time, and writers wait for the unit: only where there is something to do.
    return await regulator.store.run(unit) if await regulator.store.read(missing) else []


def issued(connection: Connection, since: int = 0) -> list[IssuedKey]:
    """The keys of the months from `since` (YYYYMM) on, in order; no master key is needed."""
    table = regulator_audit_keys.c
    rows = connection.execute(
        select(table.statement, table.erased)
        .where(table.month >= since)
        .order_by(table.month, table.subjects, table.id)
    )
    found = []
    for row in rows:
        signed = Signed.from_json(bytes(row.statement))
        found.append(IssuedKey(AuditKey.parse(signed.payload), signed, row.erased))
    return found


def _master(regulator: Regulator, connection: Connection, now: int) -> bytes:
    config = regulator.config
    if master_row(connection) is not None:
        return load_master(config, connection)
    if not uses_token(config):
        master, wrapped = load_master(config, connection), None
    else:
        master = secrets.token_bytes(32)
        wrapped = seal_by_token(config.audit_token, master)
    put_master(connection, master, wrapped, now)
    return master


def _issue(
    regulator: Regulator,
    connection: Connection,
    master: KeyEncryptionKey,
    month: int,
    subjects: SubjectClass,
    now: int,
) -> AuditKey:
    secret = EnvelopeKey.generate()
    statement = AuditKey(
        chain=regulator.identity.root.chain,
        month=month,
        subjects=subjects,
        public=secret.public,
        issued=now,
    )
    connection.execute(
        insert(regulator_audit_keys).values(
            id=statement.id,
            month=month,
            subjects=subjects.value,
            statement=statement.sign(regulator.identity.signing).to_json(),
            sealed=wrap(master, statement.id, secret),
        )
    )
    raw = entry(
        Kind.KEY_ROTATED,
        now,
        key="audit",
        document=statement.id,
        month=month,
        subjects=subjects.value,
    )
    regulator.append(connection, Kind.KEY_ROTATED, raw)
    return statement
