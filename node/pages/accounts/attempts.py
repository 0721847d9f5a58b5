"""How often a sign-in may fail: after some failures each further one has to wait, longer and longer
up to a bound, by account and by address. Nobody is locked out for ever, and a day without failures
forgets them.

An attempt is counted before it is judged, so that many at once are not one; what succeeds is taken
back. One that comes too early counts for nothing.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select, update

from node.keys import KeyEncryptionKey
from node.pages.accounts.tables import account_attempts
from node.storage.rows import insert_new

FORGET: Final = 86_400
"""Seconds after the last failure."""
_FIRST: Final = 15
_PURPOSE: Final = b"account-attempts"


@dataclass(frozen=True)
class Limit:
    """`free` failures cost nothing; then 15 s, 30 s, … up to `most` seconds."""

    free: int
    most: int

    def delay(self, failures: int) -> int:
        """Seconds from the last failure until another attempt is judged."""
        beyond = failures - self.free
        return 0 if beyond < 0 else min(self.most, _FIRST << min(beyond, 16))


ACCOUNT: Final = Limit(free=5, most=900)
"""100 attempts take a day: an attacker that knows nothing has 36,500 guesses a year."""
SECOND: Final = Limit(free=5, most=900)
ADDRESS: Final = Limit(free=30, most=300)
"""Several people may come from one address."""

Buckets = dict[bytes, Limit]


def bucket(key: KeyEncryptionKey, kind: str, value: str) -> bytes:
    """Where attempts are counted: by `name`, `address` or `second` (an account's id in hex). A tag,
    as people type passwords where names belong.
    """
    return key.tag(_PURPOSE, f"{kind}\0{value}".encode("utf-8", "replace"))


def begin(connection: Connection, buckets: Buckets, now: int) -> int:
    """Counts an attempt in each bucket, or returns the seconds to wait and counts nothing."""
    table = account_attempts
    connection.execute(delete(table).where(table.c.last < now - FORGET))
    rows = [{"bucket": one, "failures": 0, "last": now} for one in sorted(buckets)]
    insert_new(connection, table, rows)
    chosen = select(table).where(table.c.bucket.in_(buckets)).order_by(table.c.bucket)
    found = connection.execute(chosen.with_for_update()).all()
    wait: int = max(row.last + buckets[row.bucket].delay(row.failures) - now for row in found)
    if wait > 0:
        return wait
    connection.execute(
        update(table)
        .where(table.c.bucket.in_(buckets))
        .values(failures=table.c.failures + 1, last=now)
    )
    return 0


def failures(connection: Connection, bucket: bytes) -> int:
    """How many there are in a bucket."""
    table = account_attempts
    return connection.scalar(select(table.c.failures).where(table.c.bucket == bucket)) or 0


def clear(connection: Connection, bucket: bytes) -> None:
    """Forgets a bucket's failures."""
    connection.execute(delete(account_attempts).where(account_attempts.c.bucket == bucket))


def take_back(connection: Connection, bucket: bytes) -> None:
    """Takes one attempt back, no more: who has an account cannot clear an address by it."""
    table = account_attempts
    connection.execute(
        update(table)
        .where(table.c.bucket == bucket, table.c.failures > 0)
        .values(failures=table.c.failures - 1)
    )


def network(address: str) -> str:
    """An address as it is counted: of IPv6 the /64, which one customer has whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        mapped = parsed.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False))
    return address
