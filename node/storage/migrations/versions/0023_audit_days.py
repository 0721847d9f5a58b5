"""Audited queries counted by day, and indexes for what people sort and filter."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta, timezone

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_CHINA = timezone(timedelta(hours=8))
_INDEXES = {
    "audit_queries": (
        ("bank", "time"),
        ("purpose", "time"),
        ("officer", "time"),
        ("verified", "time"),
    ),
    "audit_findings": (("first_seen",), ("severity", "state"), ("kind", "first_seen")),
}
_QUERIES = sa.table(
    "audit_queries",
    *(sa.column(name) for name in ("time", "bank", "purpose", "verified", "consent", "record")),
)


def upgrade() -> None:
    for table, indexes in _INDEXES.items():
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
    days = op.create_table(
        "audit_days",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("queries", sa.BigInteger(), nullable=False),
        sa.Column("verified", sa.BigInteger(), nullable=False),
        sa.Column("consented", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "bank", "purpose", "holder", name=op.f("pk_audit_days")),
    )
    counts: dict[tuple[int, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    rows = op.get_bind().execute(sa.select(_QUERIES).execution_options(yield_per=1_000))
    for time, bank, purpose, verified, consent, record in rows:
        moment = datetime.fromtimestamp(time, _CHINA).replace(hour=0, minute=0, second=0)
        for holder in ("", *json.loads(record)["audience"]):
            count = counts[int(moment.timestamp()), bank, purpose, holder]
            count[0] += 1
            count[1] += bool(verified)
            count[2] += consent is not None
    names = ("day", "bank", "purpose", "holder", "queries", "verified", "consented")
    found = [dict(zip(names, (*key, *count), strict=True)) for key, count in counts.items()]
    if found:
        op.get_bind().execute(sa.insert(days), found)
