"""Audited queries with the enterprise that each is about, for an inspector who needs to know.

The node can open the enterprise's code: it is sealed under the node's own storage key. That it was
opened, and for whom, stands in the log before it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from federation.errors import FederationError
from federation.uscc import Uscc
from node.regulator.administration import record_action
from node.regulator.audit.records import open_uscc, uscc_tag
from node.regulator.errors import RegulatorError
from node.regulator.findings import KeptFinding, kept_findings
from node.regulator.membership import Regulator
from node.regulator.tables import audit_queries

MOST: Final = 1_000
"""Queries about one enterprise that are told at once, the newest first to go."""


@dataclass(frozen=True)
class AskedQuery:
    """An audited query; `id` is the permit's hash, `time` unix seconds. `uscc` is empty where the
    evidence did not show whom it is about.
    """

    id: bytes
    time: int
    bank: str
    officer: str
    reference: str
    purpose: str
    uscc: str = field(repr=False)
    model: bytes
    epoch: int
    verified: bool
    findings: Sequence[KeptFinding]

    def to_dict(self) -> dict[str, Any]:
        """For people and programs; hashes in hex, the time in ISO 8601."""
        return {
            "id": self.id.hex(),
            "time": datetime.fromtimestamp(self.time, UTC).isoformat(),
            "bank": self.bank,
            "officer": self.officer,
            "reference": self.reference,
            "purpose": self.purpose,
            "uscc": self.uscc,
            "model": self.model.hex(),
            "epoch": self.epoch,
            "verified": self.verified,
            "findings": [one.to_dict() for one in self.findings],
        }


async def show_query(regulator: Regulator, query: bytes, by: str) -> AskedQuery:
    """One query with its enterprise, once it is logged that `by` was told.

    Raises RegulatorError for a query that was not audited, SealError.
    """

    def unit(connection: Connection) -> AskedQuery:
        row = connection.execute(select(audit_queries).where(audit_queries.c.id == query)).first()
        if row is None:
            raise RegulatorError(f"no query {query.hex()} was audited")
        record_action(regulator, connection, "subject-shown", by, query)
        return _asked(regulator, connection, row)

    return await regulator.store.run(unit)


async def queries_about(regulator: Regulator, uscc: str, by: str) -> list[AskedQuery]:
    """The queries about an enterprise, the oldest first, once it is logged that `by` asked.

    Raises RegulatorError for what is no unified social credit code.
    """
    try:
        code = str(Uscc.parse(uscc.strip().upper()))
    except FederationError as error:
        raise RegulatorError(f"uscc: {error}") from error
    tag = uscc_tag(regulator.identity.storage, code)

    def unit(connection: Connection) -> list[AskedQuery]:
        record_action(regulator, connection, "subject-search", by)
        table = audit_queries.c
        rows = connection.execute(
            select(audit_queries)
            .where(table.uscc_tag == tag)
            .order_by(table.time.desc(), table.id)
            .limit(MOST)
        ).all()
        return [_asked(regulator, connection, row) for row in reversed(rows)]

    return await regulator.store.run(unit)


def _asked(regulator: Regulator, connection: Connection, row: Row[Any]) -> AskedQuery:
    query = bytes(row.id)
    return AskedQuery(
        id=query,
        time=row.time,
        bank=row.bank,
        officer=row.officer,
        reference=row.reference,
        purpose=row.purpose,
        uscc=open_uscc(regulator.identity.storage, query, bytes(row.uscc)),
        model=bytes(row.model),
        epoch=row.epoch,
        verified=row.verified,
        findings=kept_findings(connection, query=query),
    )
