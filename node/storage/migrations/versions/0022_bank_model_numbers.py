"""Models of one second have an order: the one received last is the newest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_MODELS = sa.table(
    "bank_models",
    sa.column("hash", sa.LargeBinary),
    sa.column("received", sa.BigInteger),
    sa.column("number", sa.BigInteger),
)


def upgrade() -> None:
    with op.batch_alter_table("bank_models") as batch:
        batch.add_column(sa.Column("number", sa.BigInteger(), nullable=True))
    connection = op.get_bind()
    order = (_MODELS.c.received, _MODELS.c.hash.desc())
    for number, digest in enumerate(
        connection.scalars(sa.select(_MODELS.c.hash).order_by(*order)).all(), start=1
    ):
        connection.execute(sa.update(_MODELS).where(_MODELS.c.hash == digest).values(number=number))
    with op.batch_alter_table("bank_models") as batch:
        batch.alter_column("number", existing_type=sa.BigInteger(), nullable=False)
        batch.create_unique_constraint(op.f("uq_bank_models_number"), ["number"])
