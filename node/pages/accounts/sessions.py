"""Sessions: 32 random bytes in a cookie, of which the node keeps the SHA-256.

A session ends after some time without a request, and after some time in any case, by the node's
clock. When it was last used is written once a minute, not at each request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from node.pages.accounts.records import Account, State, by_id
from node.pages.accounts.tables import account_sessions

TOKEN_BYTES: Final = 32
SEEN_SECONDS: Final = 60
MOST_TEXT: Final = 200


@dataclass(frozen=True)
class Lifetime:
    """In seconds: without a request, and in any case."""

    idle: int = 1800
    whole: int = 43_200


@dataclass(frozen=True)
class Origin:
    """Where a request comes from."""

    address: str
    browser: str


@dataclass(frozen=True)
class Session:
    """One session. `stale` is whether its last use is to be written."""

    tag: bytes
    account: Account
    started: int
    seen: int
    stale: bool


def new_token() -> str:
    """What a cookie, a form or a link carries."""
    return base64.urlsafe_b64encode(secrets.token_bytes(TOKEN_BYTES)).rstrip(b"=").decode()


def tag_of(token: str) -> bytes:
    """What is kept of it: random bytes need no key and no salt."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def csrf_of(token: str) -> str:
    """The token of a session's forms: who reads the page has it, who has not the cookie cannot
    make it.
    """
    return hmac.new(token.encode("utf-8", "replace"), b"yinxin/csrf/v1", "sha256").hexdigest()


def start(
    connection: Connection, account: bytes, lifetime: Lifetime, origin: Origin, now: int
) -> str:
    """A new session; returns its token. Those that are over are removed."""
    table = account_sessions
    connection.execute(delete(table).where(_over(lifetime, now)))
    token = new_token()
    connection.execute(
        insert(table).values(
            tag=tag_of(token),
            account=account,
            started=now,
            seen=now,
            address=origin.address[:MOST_TEXT],
            browser=origin.browser[:MOST_TEXT],
        )
    )
    return token


def find(connection: Connection, token: str, lifetime: Lifetime, now: int) -> Session | None:
    """The session of a token, if it is not over and its account may sign in."""
    table = account_sessions
    row = connection.execute(
        select(table).where(table.c.tag == tag_of(token), ~_over(lifetime, now))
    ).one_or_none()
    account = None if row is None else by_id(connection, row.account)
    if row is None or account is None or account.state is not State.ACTIVE:
        return None
    return Session(row.tag, account, row.started, row.seen, now - row.seen >= SEEN_SECONDS)


def touch(connection: Connection, tag: bytes, now: int) -> None:
    """Writes that it was used."""
    connection.execute(
        update(account_sessions).where(account_sessions.c.tag == tag).values(seen=now)
    )


def end(connection: Connection, tag: bytes, account: bytes | None = None) -> None:
    """Ends one session; of that account only, if one is given."""
    statement = delete(account_sessions).where(account_sessions.c.tag == tag)
    if account is not None:
        statement = statement.where(account_sessions.c.account == account)
    connection.execute(statement)


def of_account(
    connection: Connection, account: bytes, lifetime: Lifetime, now: int
) -> list[Row[Any]]:
    """The account's sessions, the latest used first."""
    table = account_sessions
    return list(
        connection.execute(
            select(table)
            .where(table.c.account == account, ~_over(lifetime, now))
            .order_by(table.c.seen.desc(), table.c.tag)
            .limit(50)
        )
    )


def _over(lifetime: Lifetime, now: int) -> Any:
    columns = account_sessions.c
    return or_(columns.seen <= now - lifetime.idle, columns.started <= now - lifetime.whole)
