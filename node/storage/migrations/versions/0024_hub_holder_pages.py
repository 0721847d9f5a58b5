"""What the hub's and a holder's pages show: counts by day, when a consent began and ends, who
called last, rejected rows, missing values.

Counts begin with what is kept: of a holder all answers, of a hub the permits that it still has.
"""

from __future__ import annotations

import base64
import json
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_CHINA = 8 * 3600
_DAY = 86_400


def upgrade() -> None:
    _hub()
    _holder()


def _hub() -> None:
    op.create_table(
        "hub_usage",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "bank", "purpose", "party", name=op.f("pk_hub_usage")),
    )
    op.create_table(
        "hub_seen",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_hub_seen")),
    )
    with op.batch_alter_table("hub_consents") as batch:
        batch.add_column(sa.Column("kept_at", sa.BigInteger()))
        batch.add_column(sa.Column("expires", sa.BigInteger()))
        batch.add_column(sa.Column("permitted", sa.Integer()))
        batch.add_column(sa.Column("bank", sa.Text()))
        batch.add_column(sa.Column("purpose", sa.Text()))
    for columns in (
        ["kept_at"],
        ["expires"],
        ["uses"],
        ["cancelled_at"],
        ["bank", "kept_at"],
        ["purpose", "kept_at"],
    ):
        name = f"ix_hub_consents_{'_'.join(columns)}"
        op.create_index(op.f(name), "hub_consents", columns)
    _count_permits()


def _count_permits() -> None:
    connection, found = op.get_bind(), Counter[tuple[int, str, str, str]]()
    permits = sa.table("hub_permits", sa.column("position"), sa.column("permit", sa.LargeBinary))
    for row in connection.execute(sa.select(permits.c.position, permits.c.permit)):
        payload = json.loads(row.permit)["payload"]
        permit = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        day = (permit["issued"] + _CHINA) // _DAY * _DAY - _CHINA
        about = (day, permit["bank"], permit["purpose"])
        found.update((*about, holder) for holder in permit["audience"])
        if row.position == 0:
            found[*about, ""] += 1
    if found:
        usage = sa.table(
            "hub_usage",
            *(sa.column(name) for name in ("day", "bank", "purpose", "party", "count")),
        )
        names = ("day", "bank", "purpose", "party")
        rows = [{**dict(zip(names, key, strict=True)), "count": n} for key, n in found.items()]
        connection.execute(sa.insert(usage), rows)


def _holder() -> None:
    op.create_table(
        "holder_answer_days",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "bank", "purpose", name=op.f("pk_holder_answer_days")),
    )
    op.execute(
        "INSERT INTO holder_answer_days (day, bank, purpose, count) "
        "SELECT (answered_at + 28800) / 86400 * 86400 - 28800, bank, purpose, COUNT(*) "
        "FROM holder_permits GROUP BY 1, 2, 3"
    )
    op.create_index(op.f("ix_holder_permits_answered_at"), "holder_permits", ["answered_at"])
    op.create_index(
        op.f("ix_holder_permits_purpose_answered_at"), "holder_permits", ["purpose", "answered_at"]
    )
    op.create_index(
        op.f("ix_holder_permits_epoch_answered_at"), "holder_permits", ["epoch", "answered_at"]
    )
    op.create_table(
        "holder_rejections",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "epoch", "row", "field", "reason", name=op.f("pk_holder_rejections")
        ),
    )
    for column in ("field", "reason"):
        op.create_index(
            op.f(f"ix_holder_rejections_epoch_{column}"), "holder_rejections", ["epoch", column]
        )
    op.create_table(
        "holder_features",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "feature", name=op.f("pk_holder_features")),
    )
