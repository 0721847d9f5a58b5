"""Findings about members of another chain: told to its regulator once each, and kept there as what
a peer reported.
"""

from __future__ import annotations

import json
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row, select

from federation.audit.findings import Finding, FindingKind
from federation.canonical import canonical_json
from federation.identity import SpiffeId
from federation.interchain.share import SharedFinding
from node.regulator.tables import audit_findings, regulator_shared_findings
from node.storage.rows import insert_new

AT_ONCE: Final = 64
"""Findings in one share, at most, and their bytes."""
BYTES: Final = 56 * 1024
TEXT: Final = 512
"""Characters of a text of the evidence that are told."""
MEMBERS: Final = 16
"""Members of the evidence that are told."""
REPORTED_BY: Final = "reported_by"
"""The member of a finding's evidence that names the chain whose regulator reported it."""

_log = structlog.get_logger(__name__)


def findings_about(
    connection: Connection, peer: str, domain: str
) -> tuple[tuple[SharedFinding, ...], tuple[bytes, ...]]:
    """Findings about members of `domain` that chain `peer` was not told, and their ids."""
    table, told = audit_findings.c, regulator_shared_findings.c
    known = select(told.finding).where(told.peer == peer)
    rows = connection.execute(
        select(audit_findings)
        .where(
            table.subject.startswith(f"spiffe://{domain}/", autoescape=True),
            table.id.not_in(known),
        )
        .order_by(table.first_seen, table.id)
        .limit(AT_ONCE)
    ).all()
    found: list[SharedFinding] = []
    size = 0
    for row in rows:
        one = _shared(row)
        size += len(canonical_json(one.model_dump(mode="json"))) + 1
        if size > BYTES:
            break
        found.append(one)
    return tuple(found), tuple(bytes(row.id) for row in rows[: len(found)])


def keep_told(connection: Connection, peer: str, told: tuple[bytes, ...], number: int) -> None:
    """Keeps that findings were told in share `number`. Within its unit of work."""
    rows = [{"peer": peer, "finding": finding, "number": number} for finding in told]
    insert_new(connection, regulator_shared_findings, rows)


def reported(shared: SharedFinding, chain: str) -> Finding | None:
    """What the regulator of `chain` found; None for a kind that this program does not know.

    It is never the same finding as one of this regulator's own, nor in the place of one.
    """
    try:
        kind = FindingKind(shared.kind)
    except ValueError:
        _log.warning("a peer's finding is of an unknown kind", chain=chain, kind=shared.kind)
        return None
    return Finding(
        kind=kind,
        subject=str(shared.subject),
        query=shared.query or None,
        evidence={**shared.evidence, REPORTED_BY: chain, "found": shared.found},
        key=f"{chain} {shared.key}",
    )


def _shared(row: Row[Any]) -> SharedFinding:
    evidence = list(json.loads(row.evidence).items())[:MEMBERS]
    return SharedFinding(
        kind=row.kind,
        subject=SpiffeId.parse(row.subject),
        query=bytes(row.query or b""),
        key=bytes(row.id).hex(),
        evidence={k: v[:TEXT] if isinstance(v, str) else v for k, v in evidence},
        found=row.first_seen,
    )
