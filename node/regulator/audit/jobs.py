"""The audit's jobs, run in worker processes: pure functions of bytes, with the audit's keys.

What a worker verified of documents and certificates it keeps from job to job by their hash.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import structlog

from federation.audit.findings import Finding, FindingKind
from federation.audit.records import subject_of
from federation.audit.sources import PermitRecord
from federation.audit.verify import QueryVerifier
from federation.auditkeys import KeyErased
from federation.entries import read_entry
from federation.errors import DocumentError, SignatureInvalid
from federation.permit import Permit
from federation.signed import Signed
from node.keys import KeyEncryptionKey
from node.regulator.audit.documents import DocumentSet
from node.regulator.audit.records import query_row

_KEPT: Final = 2

_log = structlog.get_logger(__name__)


class _Judge(NamedTuple):
    documents: DocumentSet
    verifier: QueryVerifier


_judges: dict[bytes, _Judge] = {}


@dataclass(frozen=True)
class RawPermit:
    """A `permit` entry with everything that is kept under the hashes that it names."""

    index: int
    entry: bytes
    documents: tuple[bytes, ...]
    envelope: bytes | None


@dataclass(frozen=True)
class Verified:
    """Rows of `audit_queries`, and what is wrong with any of them."""

    rows: list[dict[str, Any]]
    findings: list[Finding]


def verify_permits(
    documents: bytes, ring: bytes, storage: bytes, permits: Sequence[RawPermit]
) -> Verified:
    """Verifies permits. `documents` and `ring` are pickled: `DocumentSet` and audit keys."""
    judge = _judge(documents, ring)
    sealing = KeyEncryptionKey(storage)
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for permit in permits:
        try:
            examined = judge.verifier.examine(_record(permit, judge.documents))
        except KeyErased:
            continue  # the legal term of its evidence is over
        except Exception as error:  # whatever the hub logged, the audit goes on, and says so
            findings.append(_unexamined(permit, judge.documents, error))
            continue
        rows.append(query_row(examined.query, sealing))
        findings += examined.findings
    return Verified(rows, findings)


def _unexamined(permit: RawPermit, documents: DocumentSet, error: Exception) -> Finding:
    """A permit that cannot be judged at all, such as one of a time when the chain had no hub."""
    _log.warning("permit not examined", index=permit.index, exc_info=error)
    try:
        entry = read_entry(permit.entry)
        named = subject_of(entry.kind, entry.body) or None
    except DocumentError:
        named = None
    return Finding(
        kind=FindingKind.ENTRY_MISMATCH if named else FindingKind.ENTRY_MALFORMED,
        subject=documents.hub,
        query=named,
        evidence={"index": permit.index, "problem": str(error) or type(error).__name__},
        key="" if named else str(permit.index),
    )


def _record(permit: RawPermit, documents: DocumentSet) -> PermitRecord:
    found = [signed for raw in permit.documents if (signed := _read(raw)) is not None]
    document = found[0] if found else None
    if len(found) > 1:  # somebody keeps the permit with another signature: the hub's counts
        hub = documents.members(read_entry(permit.entry).time).hub.signing
        document = next((one for one in found if _is_signed(one, hub)), document)
    return PermitRecord(permit.index, permit.entry, document, permit.envelope)


def _read(raw: bytes) -> Signed | None:
    try:
        return Signed.from_json(raw)
    except DocumentError:
        return None


def _is_signed(signed: Signed, hub: bytes) -> bool:
    try:
        Permit.open_(signed, hub)
    except (DocumentError, SignatureInvalid):
        return False
    return True


def _judge(documents: bytes, ring: bytes) -> _Judge:
    key = hashlib.sha256(hashlib.sha256(documents).digest() + ring).digest()
    if key not in _judges:
        while len(_judges) >= _KEPT:
            del _judges[next(iter(_judges))]
        keys = pickle.loads(ring)  # noqa: S301  # from our own parent process
        decoded = DocumentSet.decode(documents)
        _judges[key] = _Judge(decoded, QueryVerifier(decoded, keys))
    return _judges[key]
