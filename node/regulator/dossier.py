"""What every log says about one audited query, and how the audit judged it: no key is needed.

Unlike an evidence folder it proves nothing to others: it is read from the mirror, which checked
each log against its checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from federation.audit.findings import FindingKind
from federation.audit.records import AuditedQuery
from federation.certificate import ModelCertificate
from federation.entries import Kind, read_entry
from federation.errors import DocumentError
from node.chain.store import ChainStore
from node.regulator.audit.records import query_of
from node.regulator.errors import RegulatorError
from node.regulator.findings import FindingState, KeptFinding, kept_findings
from node.regulator.tables import audit_queries, mirror_entries, mirror_logs

MOST_ENTRIES: Final = 200
"""Entries about one permit that are shown; an honest chain has one for each party."""

K = FindingKind
STEPS: Final[Mapping[str, tuple[FindingKind, ...]]] = {
    "permit": (K.PERMIT_FORGED, K.ENTRY_MISMATCH),
    "bank": (K.BANK_FOREIGN,),
    "model": (
        K.CERTIFICATE_UNLOGGED,
        K.CERTIFICATE_FOREIGN,
        K.CERTIFICATE_EXPIRED,
        K.CERTIFICATE_WITHDRAWN,
    ),
    "epoch": (K.EPOCH_CLOSED, K.CONTEXT_WRONG),
    "audience": (K.AUDIENCE_WRONG, K.PERMIT_OVERLONG),
    "evidence": (K.EVIDENCE_MISSING, K.EVIDENCE_UNOPENABLE, K.EVIDENCE_MISMATCH),
    "consent": (
        K.CONSENT_MISSING,
        K.CONSENT_FORGED,
        K.CONSENT_AFTER_QUERY,
        K.CONSENT_EXPIRED,
    ),
    "coverage": (
        K.CONSENT_WRONG_BANK,
        K.CONSENT_WRONG_PURPOSE,
        K.CONSENT_WRONG_CHAIN,
        K.CONSENT_WRONG_FIELDS,
        K.FEATURE_UNDISCLOSED,
        K.HOLDER_UNNAMED,
    ),
    "proof": (K.PROOF_INVALID,),
}
"""The checks of one permit in their order; the first that fails ends them."""
LATER: Final[Mapping[str, tuple[FindingKind, ...]]] = {
    "uses": (
        K.USES_EXCEEDED,
        K.EPOCHS_EXCEEDED,
        K.CONSENT_CANCELLED,
        K.ELEMENT_REUSED,
        K.PERMIT_ID_REUSED,
        K.PERMIT_REPEATED,
    ),
    "counterparts": (
        K.PERMIT_UNLOGGED,
        K.UNLOCK_UNEXPLAINED,
        K.UNLOCK_MISSING,
        K.BANK_ENTRY_MISSING,
        K.QUERY_UNEXPLAINED,
        K.TIME_DISAGREES,
        K.PROMISE_BROKEN,
        K.ROUTE_UNLOGGED,
        K.ROUTE_UNEXPLAINED,
        K.ANSWER_UNTRACED,
        K.PERMIT_UNSHOWN,
    ),
    "conduct": (
        K.QUIET_HOURS,
        K.SAME_FIRM_USER,
        K.SAME_FIRM_BANKS,
        K.NO_LIVE_LOAN,
        K.ADMINISTRATOR_QUERIES,
        K.PROBING,
    ),
}
"""The checks over all records together; each is made whatever the others find."""


@dataclass(frozen=True)
class Step:
    """A check: `passed`, `failed` with the findings, or `open`, as an earlier one failed or the
    audit is not so far yet.
    """

    key: str
    state: str
    findings: tuple[KeptFinding, ...] = ()


@dataclass(frozen=True)
class LoggedEntry:
    """An entry about the query; `cosigned` is whether a quorum's checkpoint covers it."""

    log: str
    index: int
    kind: str
    time: int
    cosigned: bool


@dataclass(frozen=True)
class Dossier:
    """A query and what the logs say about it; `checked` is the time up to which the audit compared
    all logs, `certificate` None where the regulator never signed it.
    """

    query: AuditedQuery
    has_subject: bool
    certificate: ModelCertificate | None
    entries: Sequence[LoggedEntry]
    findings: Sequence[KeptFinding]
    steps: Sequence[Step]

    @property
    def in_order(self) -> bool:
        """Whether the audit holds nothing against it."""
        return self.query.verified and all(
            one.state is FindingState.EXPLAINED for one in self.findings
        )

    @property
    def unlocks(self) -> Mapping[str, LoggedEntry | None]:
        """Each holder in the permit's audience with its entry that it answered, if there is one."""
        logged = {one.log: one for one in reversed(self.entries) if one.kind == Kind.UNLOCK}
        return {holder: logged.get(holder) for holder in self.query.audience}


def dossier(connection: Connection, chain: ChainStore, query: bytes, checked: int) -> Dossier:
    """All about the permit of that hash; `checked` is how far the comparison of logs is (unix
    seconds). Raises RegulatorError where no such query was audited.
    """
    row = connection.execute(select(audit_queries).where(audit_queries.c.id == query)).first()
    if row is None:
        raise RegulatorError(f"no query {query.hex()} was audited")
    stored = row._asdict()
    audited = query_of(stored, stored["index"])
    findings = kept_findings(connection, query=query)
    certificate = chain.certified(connection, audited.model) if audited.model else None
    return Dossier(
        query=audited,
        has_subject=bool(row.uscc),
        certificate=certificate,
        entries=_entries(connection, query),
        findings=findings,
        steps=(*_checked(audited, findings), *_compared(audited, findings, checked)),
    )


def _entries(connection: Connection, query: bytes) -> list[LoggedEntry]:
    table = mirror_entries.c
    rows = connection.execute(
        select(
            table.log,
            table.index.label("position"),
            table.kind,
            table.time,
            (table.index < mirror_logs.c.cosigned_size).label("cosigned"),
        )
        .join(mirror_logs, mirror_logs.c.log == table.log)
        .where(table.document == query)
        .order_by(table.time, table.log, table.index)
        .limit(MOST_ENTRIES)
    )
    order = (Kind.PERMIT.value, Kind.UNLOCK.value)
    found = [LoggedEntry(r.log, r.position, r.kind, r.time, bool(r.cosigned)) for r in rows]
    # Entries of one second stand in the order in which they came about.
    return sorted(found, key=lambda e: (e.time, (*order, e.kind).index(e.kind), e.log))


def _checked(query: AuditedQuery, findings: Sequence[KeptFinding]) -> list[Step]:
    steps, over = [], False
    for key, kinds in STEPS.items():
        found = tuple(one for one in findings if one.kind in kinds)
        state = "failed" if found else "open" if over else "passed"
        over = over or (bool(found) and not query.verified)
        steps.append(Step(key, state, found))
    return steps


def _compared(query: AuditedQuery, findings: Sequence[KeptFinding], checked: int) -> list[Step]:
    """Whose consent or firm is not known, of that uses and conduct cannot be judged."""
    unknown = {"uses": query.consent is None, "conduct": not query.uscc}
    steps = []
    for key, kinds in LATER.items():
        found = tuple(one for one in findings if one.kind in kinds)
        judged = query.time < checked and not unknown.get(key)
        steps.append(Step(key, "failed" if found else "passed" if judged else "open", found))
    return steps


def entry_body(connection: Connection, log: str, index: int) -> str:
    """An entry of a mirrored log as indented JSON. Raises RegulatorError for none, or one that
    cannot be read.
    """
    table = mirror_entries.c
    raw = connection.execute(
        select(table.entry).where(table.log == log, table.index == index)
    ).scalar_one_or_none()
    if raw is None:
        raise RegulatorError(f"{log} has no entry {index} in the mirror")
    try:
        read = read_entry(bytes(raw))
    except DocumentError as error:
        raise RegulatorError(f"entry {index} of {log} cannot be read: {error}") from error
    return json.dumps(read.model_dump(mode="json"), ensure_ascii=False, indent=2)
