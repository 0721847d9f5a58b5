"""What was begun and not finished, by a token: a sign-in between its steps, an invitation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from node.pages.accounts.sessions import new_token, tag_of
from node.pages.accounts.tables import account_pending


class Purpose(StrEnum):
    """What is waited for."""

    SECOND = "second"
    """The second factor, after the password."""
    ENROL = "enrol"
    """TOTP that is demanded and not there yet, after the password."""
    TOTP = "totp"
    """The first code of somebody who is signed in and sets up TOTP."""
    INVITATION = "invitation"
    """A first password."""
    PROVIDER = "provider"
    """The answer of the OpenID provider."""


SECONDS: Final[dict[Purpose, int]] = {
    Purpose.SECOND: 300,
    Purpose.ENROL: 900,
    Purpose.TOTP: 900,
    Purpose.INVITATION: 3 * 86_400,
    Purpose.PROVIDER: 600,
}


@dataclass(frozen=True)
class Pending:
    """What is waited for, of whom; `sealed` is under the storage key."""

    tag: bytes
    account: bytes | None
    sealed: bytes | None


def begin(
    connection: Connection,
    purpose: Purpose,
    now: int,
    *,
    account: bytes | None = None,
    sealed: bytes | None = None,
    token: str = "",
) -> str:
    """Keeps it; returns its token. What is too old is removed."""
    table = account_pending
    connection.execute(delete(table).where(table.c.until <= now))
    token = token or new_token()
    connection.execute(
        insert(table).values(
            tag=tag_of(token),
            purpose=purpose.value,
            account=account,
            until=now + SECONDS[purpose],
            sealed=sealed,
        )
    )
    return token


def find(connection: Connection, purpose: Purpose, token: str, now: int) -> Pending | None:
    """What waits under a token; it stays."""
    table = account_pending
    row = connection.execute(
        select(table).where(
            table.c.tag == tag_of(token), table.c.purpose == purpose.value, table.c.until > now
        )
    ).one_or_none()
    return None if row is None else Pending(row.tag, row.account, row.sealed)


def take(connection: Connection, purpose: Purpose, token: str, now: int) -> Pending | None:
    """The same, once: it is gone after, and of two that take it one gets it."""
    found = find(connection, purpose, token, now)
    if found is None:
        return None
    gone = connection.execute(delete(account_pending).where(account_pending.c.tag == found.tag))
    return found if gone.rowcount == 1 else None
