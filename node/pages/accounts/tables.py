"""The tables of accounts. Secrets are kept as keyed tags or sealed under the storage key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text

from node.storage.schema import metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("duties", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("password", Text),
    Column("totp", LargeBinary),
    Column("totp_used", BigInteger, nullable=False),
    Column("totp_demanded", Boolean, nullable=False),
    Column("external", LargeBinary, unique=True),
    Column("added", BigInteger, nullable=False, index=True),
    Column("signed_in", BigInteger, index=True),
)
"""`duties` are joined by commas; `password` is argon2's encoding; `totp` the sealed secret and
`totp_used` the last time step that was used; `external` the tag of issuer and subject of an account
that comes by OpenID Connect."""

account_recovery = Table(
    "account_recovery",
    metadata,
    Column("account", LargeBinary, primary_key=True),
    Column("tag", LargeBinary, primary_key=True),
)
"""Recovery codes that are still good."""

account_sessions = Table(
    "account_sessions",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    Column("account", LargeBinary, nullable=False, index=True),
    Column("started", BigInteger, nullable=False, index=True),
    Column("seen", BigInteger, nullable=False, index=True),
    Column("address", Text, nullable=False),
    Column("browser", Text, nullable=False),
)
"""By the SHA-256 of what is in the cookie."""

account_pending = Table(
    "account_pending",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("account", LargeBinary, index=True),
    Column("until", BigInteger, nullable=False, index=True),
    Column("sealed", LargeBinary),
)
"""What was begun and not finished: a sign-in between its steps, an invitation."""

account_attempts = Table(
    "account_attempts",
    metadata,
    Column("bucket", LargeBinary, primary_key=True),
    Column("failures", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False, index=True),
)
"""Failed sign-ins by account and by address, both as keyed tags."""

account_signins = Table(
    "account_signins",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("account", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("address", Text, nullable=False),
    Index("ix_account_signins_account_time", "account", "time"),
    Index("ix_account_signins_time", "time"),
)
"""Sign-ins and failures of accounts that exist, kept for 180 days."""
