"""The second factor: codes of a time step (TOTP, RFC 6238), and recovery codes.

TOTP is SHA-1, six digits, 30 seconds, which every authenticator app has; the step before and the
step after are accepted, and no step twice. The secret is 160 bits, sealed under the storage key.
Recovery codes are 80 bits each, kept as keyed tags, and good once.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final

import pyotp
import segno
from markupsafe import Markup
from sqlalchemy import Connection, delete, func, insert, select, update

from node.keys import KeyEncryptionKey
from node.pages.accounts import records
from node.pages.accounts.records import Account
from node.pages.accounts.tables import account_recovery, accounts

STEP: Final = 30
WINDOW: Final = 1
DIGITS: Final = 6
SECRET_BYTES: Final = 20
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
_SEAL: Final = b"account-totp"
_RECOVERY: Final = b"account-recovery"


def new_secret() -> bytes:
    """A fresh secret."""
    return secrets.token_bytes(SECRET_BYTES)


def seal(key: KeyEncryptionKey, account: bytes, secret: bytes) -> bytes:
    """The secret as it is kept, for that account alone."""
    return key.seal(secret, _SEAL + account)


def unseal(key: KeyEncryptionKey, account: bytes, sealed: bytes) -> bytes:
    """The secret. Raises SealError."""
    return key.open(sealed, _SEAL + account)


def step_of(secret: bytes, code: str, now: int, used: int) -> int | None:
    """The time step whose code it is, if that is later than the last used; else None."""
    given = "".join(code.split())
    if len(given) != DIGITS or not (given.isascii() and given.isdigit()):
        return None
    totp = pyotp.TOTP(base64.b32encode(secret).decode(), digits=DIGITS, interval=STEP)
    current = now // STEP
    found = None
    for step in range(current - WINDOW, current + WINDOW + 1):
        right = hmac.compare_digest(totp.generate_otp(max(step, 0)), given)
        if right and step > used and found is None:
            found = step
    return found


def use(
    connection: Connection, key: KeyEncryptionKey, account: Account, code: str, now: int
) -> str:
    """Uses a code of either kind: `totp` or `recovery`, empty where it is neither.

    `account` is as it was read in this unit of work.
    """
    if account.totp is None:
        return ""
    secret = unseal(key, account.id, account.totp)
    step = step_of(secret, code, now, account.totp_used)
    if step is not None:
        # Conditional: another process may have used it since the account was read.
        later = (accounts.c.id == account.id, accounts.c.totp_used < step)
        used = connection.execute(update(accounts).where(*later).values(totp_used=step))
        return "totp" if used.rowcount == 1 else ""
    kept = account_recovery.c
    gone = connection.execute(
        delete(account_recovery).where(
            kept.account == account.id, kept.tag == _tag(key, account.id, code)
        )
    )
    return "recovery" if gone.rowcount == 1 else ""


def install(
    connection: Connection, key: KeyEncryptionKey, account: bytes, secret: bytes, step: int
) -> list[str]:
    """Gives an account TOTP, whose step `step` is used; returns its recovery codes."""
    records.change(connection, account, totp=seal(key, account, secret), totp_used=step)
    return renew_recovery(connection, key, account)


def renew_recovery(connection: Connection, key: KeyEncryptionKey, account: bytes) -> list[str]:
    """New recovery codes in place of those there are."""
    connection.execute(delete(account_recovery).where(account_recovery.c.account == account))
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    rows = [{"account": account, "tag": _tag(key, account, code)} for code in codes]
    connection.execute(insert(account_recovery), rows)
    return codes


def recovery_left(connection: Connection, account: bytes) -> int:
    """How many recovery codes are still good."""
    kept = account_recovery.c.account == account
    return connection.scalar(select(func.count()).select_from(account_recovery).where(kept)) or 0


def address(secret: bytes, account: str, issuer: str) -> str:
    """The otpauth address that authenticator apps read."""
    text = base64.b32encode(secret).decode()
    return pyotp.TOTP(text, digits=DIGITS, interval=STEP).provisioning_uri(
        name=account, issuer_name=issuer
    )


def spelled(secret: bytes) -> str:
    """The secret for who types it: base32 in groups of four."""
    return _grouped(base64.b32encode(secret).decode())


def picture(text: str, title: str) -> Markup:
    """A QR code as SVG. Its colours are its own: readers need dark on light."""
    drawn = segno.make(text, error="m").svg_inline(
        scale=4,
        border=4,
        dark="#000000",
        light="#ffffff",
        title=title,
        svgclass="qr",
        omitsize=True,
    )
    return Markup(drawn)  # noqa: S704  # of the drawing library, which escapes the title


def _recovery_code() -> str:
    return _grouped(base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower())


def _grouped(text: str) -> str:
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _tag(key: KeyEncryptionKey, account: bytes, code: str) -> bytes:
    plain = "".join(one for one in code.lower() if one.isalnum())
    return key.tag(_RECOVERY, account + plain.encode("utf-8", "replace"))
