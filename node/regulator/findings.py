"""Findings as the regulator keeps them: once each, with what an inspector made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from federation.audit.findings import Finding, FindingKind
from federation.canonical import b64
from federation.entries import Kind, entry, read_entry
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.tables import audit_findings
from node.storage.rows import insert_new
from node.storage.schema import log_entries

MOST_DECISIONS: Final = 1_000


class FindingState(StrEnum):
    """What an inspector made of a finding."""

    OPEN = "open"
    EXPLAINED = "explained"
    CONFIRMED = "confirmed"


@dataclass(frozen=True)
class KeptFinding:
    """A finding in the regulator's books; `first_seen` in unix seconds."""

    id: bytes
    kind: FindingKind
    severity: str
    query: bytes | None
    subject: str
    evidence: Mapping[str, str | int]
    state: FindingState
    first_seen: int
    note: str

    def to_dict(self) -> dict[str, Any]:
        """For people and programs; ids and hashes in hex."""
        return {
            "id": self.id.hex(),
            "kind": self.kind.value,
            "severity": self.severity,
            "query": None if self.query is None else self.query.hex(),
            "subject": self.subject,
            "title": dict(self.kind.titles),
            "evidence": dict(self.evidence),
            "state": self.state.value,
            "first_seen": self.first_seen,
            "note": self.note,
        }


def keep_findings(connection: Connection, findings: Iterable[Finding], now: int) -> None:
    """Keeps what was not found before. Within a unit of work."""
    rows = [
        {
            "id": finding.id,
            "kind": finding.kind.value,
            "severity": finding.severity.value,
            "query": finding.query,
            "subject": finding.subject,
            "evidence": json.dumps(dict(finding.evidence), ensure_ascii=False, sort_keys=True),
            "state": FindingState.OPEN.value,
            "first_seen": now,
            "note": "",
        }
        for finding in findings
    ]
    insert_new(connection, audit_findings, rows)


def kept_findings(
    connection: Connection, state: FindingState | None = None, query: bytes | None = None
) -> Sequence[KeptFinding]:
    """Findings in the order in which they were found; all, or those of a state or query."""
    table = audit_findings.c
    statement = select(audit_findings).order_by(table.first_seen, table.kind, table.id)
    if state is not None:
        statement = statement.where(table.state == state.value)
    if query is not None:
        statement = statement.where(table.query == query)
    return [_kept(row) for row in connection.execute(statement)]


@dataclass(frozen=True)
class Decided:
    """A decision about a finding, as the node's own log has it; `by` is the account."""

    time: int
    state: FindingState
    by: str


def decisions(connection: Connection, id_: bytes) -> list[Decided]:
    """What was decided about a finding, the newest first: of the newest decisions about any,
    `MOST_DECISIONS`.
    """
    table = log_entries.c
    rows = connection.execute(
        select(table.entry)
        .where(table.kind == Kind.FINDING.value)
        .order_by(table.index.desc())
        .limit(MOST_DECISIONS)
    ).scalars()
    wanted, found = b64(id_), []
    for raw in rows:
        read = read_entry(bytes(raw))
        body = read.body
        if body["id"] == wanted:
            by = str(body.get("by", ""))  # entries of older programs name no account
            found.append(Decided(read.time, FindingState(str(body["state"])), by))
    return found


def kept_finding(connection: Connection, id_: bytes) -> KeptFinding:
    """A finding. Raises RegulatorError for none."""
    row = connection.execute(select(audit_findings).where(audit_findings.c.id == id_)).first()
    if row is None:
        raise RegulatorError(f"there is no finding {id_.hex()}")
    return _kept(row)


async def decide(
    regulator: Regulator, id_: bytes, state: FindingState, note: str, by: str
) -> KeptFinding:
    """Records and logs what an inspector, by the account `by`, made of a finding.

    Anything may be decided again: the log keeps every decision, the books the last. Raises
    RegulatorError for no finding, and for a decision without a note.
    """
    if not note.strip():
        raise RegulatorError("note: say why; the log keeps the decision for good")
    now = regulator.clock.now()

    def unit(connection: Connection) -> KeptFinding:
        chosen = audit_findings.c.id == id_
        connection.execute(
            update(audit_findings).where(chosen).values(state=state.value, note=note.strip())
        )
        row = connection.execute(select(audit_findings).where(chosen)).first()
        if row is None:
            raise RegulatorError(f"there is no finding {id_.hex()}; list them with `findings`")
        raw = entry(Kind.FINDING, now, id=id_, kind=row.kind, state=state.value, by=by)
        regulator.append(connection, Kind.FINDING, raw)
        return _kept(row)

    return await regulator.store.run(unit)


def _kept(row: Row[Any]) -> KeptFinding:
    return KeptFinding(
        id=bytes(row.id),
        kind=FindingKind(row.kind),
        severity=row.severity,
        query=None if row.query is None else bytes(row.query),
        subject=row.subject,
        evidence=json.loads(row.evidence),
        state=FindingState(row.state),
        first_seen=row.first_seen,
        note=row.note,
    )
