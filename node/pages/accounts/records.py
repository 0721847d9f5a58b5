"""Accounts as rows: what reads and writes them, within a unit of work."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from node.pages.accounts.errors import AccountError
from node.pages.accounts.tables import account_pending, account_recovery, account_sessions, accounts
from node.pages.accounts.texts import PROBLEMS
from node.pages.duties import Duty
from scoring.documents import Text

ID_BYTES: Final = 16
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")


class State(StrEnum):
    """Of an account."""

    INVITED = "invited"
    """It has no password yet."""
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Account:
    """An account. `external` is whether it comes by OpenID Connect."""

    id: bytes
    name: str
    duties: frozenset[Duty]
    state: State
    password: str | None
    totp: bytes | None
    totp_used: int
    totp_demanded: bool
    external: bool
    added: int
    signed_in: int | None


def checked_name(name: str) -> str:
    """A name that an account may have. Raises AccountError."""
    if not _NAME.fullmatch(name):
        raise problem("name", "name")
    return name


def add(
    connection: Connection,
    name: str,
    duties: Collection[Duty],
    now: int,
    *,
    password: str | None = None,
    totp_demanded: bool = False,
    external: bytes | None = None,
) -> Account:
    """A new account. Raises AccountError for a name that is taken."""
    if by_name(connection, name) is not None:
        raise problem("name", "taken", name=name)
    active = password is not None or external is not None
    connection.execute(
        insert(accounts).values(
            id=secrets.token_bytes(ID_BYTES),
            name=checked_name(name),
            duties=joined(duties),
            state=State.ACTIVE if active else State.INVITED,
            password=password,
            totp_used=0,
            totp_demanded=totp_demanded,
            external=external,
            added=now,
        )
    )
    return named(connection, name)


def change(connection: Connection, account: bytes, **values: Any) -> None:
    """Writes columns of an account."""
    connection.execute(update(accounts).where(accounts.c.id == account).values(**values))


def by_id(connection: Connection, account: bytes) -> Account | None:
    """The account, or None."""
    return _one(connection, accounts.c.id == account)


def by_name(connection: Connection, name: str) -> Account | None:
    """The account of that name, or None."""
    return _one(connection, accounts.c.name == name)


def by_external(connection: Connection, tag: bytes) -> Account | None:
    """The account of that issuer and subject, or None."""
    return _one(connection, accounts.c.external == tag)


def named(connection: Connection, name: str) -> Account:
    """The account of that name. Raises AccountError when there is none."""
    found = by_name(connection, name)
    if found is None:
        raise problem("name", "unknown", name=name)
    return found


def every(connection: Connection) -> list[Account]:
    """All accounts by name."""
    return [account_of(row) for row in connection.execute(select(accounts).order_by("name"))]


def end_all(
    connection: Connection, account: bytes, but: bytes = b"", *, invitations: bool = True
) -> None:
    """Ends an account's sessions, except that of a tag, and what it had begun."""
    sessions = account_sessions.c
    connection.execute(
        delete(account_sessions).where(sessions.account == account, sessions.tag != but)
    )
    begun = delete(account_pending).where(account_pending.c.account == account)
    if not invitations:
        begun = begun.where(account_pending.c.purpose != "invitation")
    connection.execute(begun)


def forget_second_factor(connection: Connection, account: bytes) -> None:
    """Takes TOTP and the recovery codes away."""
    change(connection, account, totp=None)
    connection.execute(delete(account_recovery).where(account_recovery.c.account == account))


def require_other_administrator(connection: Connection, account: Account) -> None:
    """Raises AccountError when the account is the last administrator that can sign in."""
    if Duty.ADMINISTRATOR not in account.duties or account.state is not State.ACTIVE:
        return
    found = select(accounts.c.id).where(
        accounts.c.duties.contains(Duty.ADMINISTRATOR.value),
        accounts.c.state == State.ACTIVE.value,
    )
    # Locked: of two that remove each other the second finds itself the last.
    kept = connection.scalars(found.order_by(accounts.c.id).with_for_update()).all()
    if set(kept) <= {account.id}:
        raise problem("name", "last")


def joined(duties: Iterable[Duty]) -> str:
    """Duties as they are kept."""
    return ",".join(sorted(duties))


def account_of(row: Row[Any]) -> Account:
    """A row of `accounts`."""
    return Account(
        id=row.id,
        name=row.name,
        duties=frozenset(Duty(one) for one in row.duties.split(",") if one),
        state=State(row.state),
        password=row.password,
        totp=row.totp,
        totp_used=row.totp_used,
        totp_demanded=row.totp_demanded,
        external=row.external is not None,
        added=row.added,
        signed_in=row.signed_in,
    )


def problem(field: str, kind: str, /, **details: object) -> AccountError:
    """A refusal of `PROBLEMS`."""
    text = PROBLEMS[kind]
    if not details:
        return AccountError(field, text)
    return AccountError(field, Text(zh=text.zh.format(**details), en=text.en.format(**details)))


def _one(connection: Connection, condition: Any) -> Account | None:
    row = connection.execute(select(accounts).where(condition)).one_or_none()
    return None if row is None else account_of(row)
