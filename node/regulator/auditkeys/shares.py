"""Shares of the audit master key, k of n (SLIP-0039): the way back when file or token is lost.

A share is a line of English words with a checksum. Fewer than k say nothing of the key (Shamir);
k that belong together are recognised by the digest that SLIP-0039 shares with the secret, and by
the check value in the database. The library computes in plain Python, not in constant time: split
and recover where nobody else computes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import shamir_mnemonic
from shamir_mnemonic import MnemonicError
from sqlalchemy import Connection, update

from federation.entries import Kind, entry
from node.config import RegulatorConfig
from node.keys import write_secret
from node.regulator.auditkeys.errors import ShareError
from node.regulator.auditkeys.master import (
    is_master,
    load_master,
    master_path,
    master_row,
    uses_token,
)
from node.regulator.auditkeys.tables import regulator_audit_master
from node.regulator.auditkeys.token import seal_by_token
from node.regulator.membership import Regulator

MOST_SHARES = 16
"""What SLIP-0039 has room for."""
MASTER_BYTES = 32


def split(master: bytes, needed: int, shares: int) -> list[str]:
    """`shares` shares of which any `needed` give the key. Raises ShareError for numbers that
    make no sense: at least 2 are needed, so that nobody has the key alone, and at most 16 made.
    """
    if not 2 <= needed <= shares <= MOST_SHARES:
        raise ShareError(f"{needed} of {shares}: use 2 <= needed <= shares <= {MOST_SHARES}")
    groups: list[list[str]] = shamir_mnemonic.generate_mnemonics(1, [(needed, shares)], master)
    return groups[0]


def combine(shares: Sequence[str]) -> bytes:
    """The key that shares give. Raises ShareError, which says what is wrong with them."""
    for number, share in enumerate(shares, 1):
        try:
            shamir_mnemonic.Share.from_mnemonic(share)
        except MnemonicError as error:
            raise ShareError(f"share {number}: {error}; compare it word by word") from error
    try:
        master: bytes = shamir_mnemonic.combine_mnemonics(list(dict.fromkeys(shares)))
    except MnemonicError as error:
        raise ShareError(f"the shares do not fit: {error}") from error
    if len(master) != MASTER_BYTES:
        raise ShareError("the shares are of another secret")
    return master


async def split_master(regulator: Regulator, needed: int, shares: int, by: str) -> list[str]:
    """Shares of the master key in force, made by the account `by`.

    The log records how many, and nothing of them.
    """
    config, now = regulator.config, regulator.clock.now()

    def unit(connection: Connection) -> list[str]:
        made = split(load_master(config, connection), needed, shares)
        raw = entry(Kind.ADMIN, now, action="audit-key-split", by=by, needed=needed, shares=shares)
        regulator.append(connection, Kind.ADMIN, raw)
        return made

    return await regulator.store.run(unit)


async def recover_master(regulator: Regulator, shares: Sequence[str], by: str) -> None:
    """Puts the master key back where it is configured to be: a new file, or sealed by the token.

    Raises ShareError for shares that do not give the key that the database is wrapped by, and
    SecretFileError where the file exists.
    """
    config, now, master = regulator.config, regulator.clock.now(), combine(shares)
    await regulator.store.read(lambda connection: _require(master, connection))
    sealed = await asyncio.to_thread(_keep, config, master)

    def unit(connection: Connection) -> None:
        _require(master, connection)
        connection.execute(update(regulator_audit_master).values(wrapped=sealed))
        raw = entry(Kind.ADMIN, now, action="audit-key-recovered", by=by, shares=len(shares))
        regulator.append(connection, Kind.ADMIN, raw)

    await regulator.store.run(unit)
    await regulator.store.scrub("regulator_audit_master")


def _require(master: bytes, connection: Connection) -> None:
    if master_row(connection) is None:
        raise ShareError("this database has no audit keys; restore its backup first")
    if not is_master(master, connection):
        raise ShareError(
            "the shares give another key than the one in force; they are of an earlier one, or "
            "of another regulator"
        )


def _keep(config: RegulatorConfig, master: bytes) -> bytes | None:
    if uses_token(config):
        return seal_by_token(config.audit_token, master)
    write_secret(master_path(config), master)
    return None
