"""Sign-ins of accounts, as they are kept for 180 days and shown."""

from __future__ import annotations

import secrets
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select

from node.pages.accounts.records import Account
from node.pages.accounts.sessions import MOST_TEXT, Origin
from node.pages.accounts.tables import account_signins
from scoring.documents import Text

KEPT_SECONDS: Final = 180 * 86_400

OUTCOMES: Final[dict[str, Text]] = {
    "password": Text(zh="口令登录", en="Signed in by password"),
    "totp": Text(zh="口令与验证码登录", en="Signed in by password and code"),
    "recovery": Text(zh="口令与恢复码登录", en="Signed in by password and recovery code"),
    "provider": Text(zh="统一身份认证登录", en="Signed in at the identity provider"),
    "password-failed": Text(zh="口令错误", en="Wrong password"),
    "second-failed": Text(zh="验证码错误", en="Wrong code"),
}


def note(connection: Connection, account: Account, outcome: str, origin: Origin, now: int) -> None:
    """Writes one of `OUTCOMES`, and forgets what is too old."""
    table = account_signins
    connection.execute(delete(table).where(table.c.time < now - KEPT_SECONDS))
    connection.execute(
        insert(table).values(
            id=secrets.token_bytes(16),
            account=account.id,
            name=account.name,
            time=now,
            outcome=outcome,
            address=origin.address[:MOST_TEXT],
        )
    )


def recent(connection: Connection, account: bytes, most: int) -> list[Row[Any]]:
    """The last ones of an account, the newest first."""
    table = account_signins
    return list(
        connection.execute(
            select(table)
            .where(table.c.account == account)
            .order_by(table.c.time.desc(), table.c.id)
            .limit(most)
        )
    )


def outcome(key: str) -> Text:
    """What a kept outcome is called."""
    return OUTCOMES.get(key, Text(zh=key, en=key))
