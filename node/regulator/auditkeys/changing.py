"""Changing the audit master key, and erasing audit keys after the legal term."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import Connection, delete, func, select, update

from federation.auditkeys import SubjectClass, month_start
from federation.entries import Kind, entry
from node.files import replacing
from node.keys import KeyEncryptionKey, read_secret, write_secret
from node.regulator.auditkeys.errors import RetentionError
from node.regulator.auditkeys.issuing import IssuedKey, issued
from node.regulator.auditkeys.master import (
    is_master,
    load_master,
    master_path,
    next_path,
    put_master,
    uses_token,
)
from node.regulator.auditkeys.provider import unwrap, wrap
from node.regulator.auditkeys.tables import regulator_audit_keys
from node.regulator.auditkeys.token import seal_by_token
from node.regulator.membership import Regulator
from node.regulator.tables import audit_queries

_TABLES = ("regulator_audit_keys", "regulator_audit_master")


async def rotate(regulator: Regulator) -> int:
    """Makes a new master key and wraps every secret half under it; returns how many.

    All or none: a change that is cut short leaves the old key in force, or is completed by the
    next one. Shares of the old key no longer give the master key. Raises as `load_master`.
    """
    config, now = regulator.config, regulator.clock.now()
    master = secrets.token_bytes(32)
    path, wrapped = None, None
    if uses_token(config):
        wrapped = await asyncio.to_thread(seal_by_token, config.audit_token, master)
    else:
        path = master_path(config)
        await regulator.store.run(lambda connection: _settle_file(path, connection))
        write_secret(next_path(path), master)

    def unit(connection: Connection) -> int:
        old = KeyEncryptionKey(load_master(config, connection))
        new = KeyEncryptionKey(master)
        table = regulator_audit_keys.c
        rows = connection.execute(
            select(table.id, table.sealed).where(table.sealed.is_not(None))
        ).all()
        for row in rows:
            key_id = bytes(row.id)
            sealed = wrap(new, key_id, unwrap(old, key_id, row.sealed))
            connection.execute(
                update(regulator_audit_keys).where(table.id == row.id).values(sealed=sealed)
            )
        put_master(connection, master, wrapped, now)
        raw = entry(Kind.KEY_ROTATED, now, key="audit-master", wrapped=len(rows))
        regulator.append(connection, Kind.KEY_ROTATED, raw)
        return len(rows)

    count = await regulator.store.run(unit)
    if path is not None:
        await regulator.store.run(lambda connection: _settle_file(path, connection))
    await regulator.store.scrub(*_TABLES)
    return count


async def erase(
    regulator: Regulator, before: int, subjects: Collection[SubjectClass] = tuple(SubjectClass)
) -> list[IssuedKey]:
    """Erases the secret halves of the keys of months before `before` (YYYYMM); returns the keys.

    Every copy in the database's files goes with them; copies in backups are useless once the
    master key was changed and its old shares were destroyed. Raises RetentionError within the
    legal term.
    """
    now, years = regulator.clock.now(), regulator.config.retention_years
    if month_start(before + years * 100) > now:
        raise RetentionError(
            f"--before {before}: evidence of the month before is kept for {years} years "
            "(retention_years); name an earlier month"
        )

    def unit(connection: Connection) -> list[IssuedKey]:
        chosen = [
            key
            for key in issued(connection)
            if key.erased is None
            and key.statement.month < before
            and key.statement.subjects in subjects
        ]
        for key in chosen:
            _erase(regulator, connection, key, now)
        _forget_queries(connection, before)
        return chosen

    erased = await regulator.store.run(unit)
    # Even when there was none: an erasure may have been cut short after it was committed.
    await regulator.store.scrub(*_TABLES, "audit_queries")
    return erased


def _forget_queries(connection: Connection, before: int) -> None:
    """What the audit noted of queries goes once no evidence of their months can be opened."""
    table = regulator_audit_keys.c
    kept = connection.execute(
        select(func.min(table.month)).where(table.sealed.is_not(None), table.month < before)
    ).scalar_one()
    until = month_start(before if kept is None else kept)
    connection.execute(delete(audit_queries).where(audit_queries.c.time < until))


def _erase(regulator: Regulator, connection: Connection, key: IssuedKey, now: int) -> None:
    statement = key.statement
    connection.execute(
        update(regulator_audit_keys)
        .where(regulator_audit_keys.c.id == statement.id)
        .values(sealed=None, erased=now)
    )
    raw = entry(
        Kind.KEY_ERASED,
        now,
        key="audit",
        document=statement.id,
        month=statement.month,
        subjects=statement.subjects.value,
    )
    regulator.append(connection, Kind.KEY_ERASED, raw)


def _settle_file(path: Path, connection: Connection) -> None:
    """After a change that was cut short: the file gets the key that the database is wrapped by."""
    waiting = next_path(path)
    if not waiting.exists():
        return
    master = read_secret(waiting)
    if is_master(master, connection):
        with replacing(path) as temporary:
            write_secret(temporary, master)
    waiting.unlink()
