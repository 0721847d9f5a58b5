"""Logs written to end the audit, or to have it look away: it goes on, and names the entry."""

from __future__ import annotations

import pickle
import secrets
from pathlib import Path

import pytest

from federation.audit.engine import Audit
from federation.audit.findings import FindingKind
from federation.audit.records import event
from federation.audit.thresholds import AuditThresholds
from federation.entries import Kind, entry, read_entry
from federation.membership import Member
from node.regulator.audit.checks import RecordChecks
from node.regulator.audit.documents import DocumentSet
from node.regulator.audit.feed import Fed
from node.regulator.audit.jobs import RawPermit, verify_permits
from node.storage import Store
from support.audited import MemoryBooks
from support.chain import HUB, NOW, REGULATOR, Chain, standard_chain

LONG_AGO = 1_000_000_000
"""Before the chain had any member."""


@pytest.fixture(scope="module")
def chain() -> Chain:
    return standard_chain()


@pytest.fixture(scope="module")
def documents(chain: Chain) -> DocumentSet:
    signed = chain.members.credentials()
    members = [Member.parse(one.payload) for one in signed]
    credentials = tuple(
        (member.not_before, str(member.id), one.to_json())
        for member, one in zip(members, signed, strict=True)
    )
    return DocumentSet(chain.root.payload(), credentials, {}, {})


def permit_entry(time: int, document: bytes) -> RawPermit:
    return RawPermit(7, entry(Kind.PERMIT, time, document=document), (), None)


def test_a_permit_of_a_time_without_a_hub_is_found_and_does_not_end_the_audit(
    documents: DocumentSet,
) -> None:
    first, second = secrets.token_bytes(32), secrets.token_bytes(32)
    permits = [permit_entry(LONG_AGO, first), permit_entry(NOW, second)]
    judged = verify_permits(
        documents.encode(), pickle.dumps(None), secrets.token_bytes(32), permits
    )
    assert [(one.kind, one.query, one.subject) for one in judged.findings] == [
        (FindingKind.ENTRY_MISMATCH, first, str(HUB)),
        (FindingKind.PERMIT_FORGED, second, str(HUB)),
    ]


def test_a_permit_entry_that_names_no_permit_is_found(documents: DocumentSet) -> None:
    raw = RawPermit(7, entry(Kind.PERMIT, NOW), (), None)
    judged = verify_permits(documents.encode(), pickle.dumps(None), secrets.token_bytes(32), [raw])
    (found,) = judged.findings
    assert (found.kind, found.key) == (FindingKind.ENTRY_MALFORMED, "7")


def test_a_cancellation_of_a_time_without_a_hub_is_found_and_does_not_end_the_audit(
    chain: Chain, documents: DocumentSet, tmp_path: Path
) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/regulator.sqlite")
    audit = Audit(HUB, REGULATOR, AuditThresholds(), MemoryBooks())
    checks = RecordChecks(store, audit, documents, chain.audit)
    raw = entry(Kind.CANCELLED, LONG_AGO)
    checks._take(
        Fed(str(HUB), 3, NOW, Kind.CANCELLED, event(str(HUB), 3, read_entry(raw)), None, raw)
    )
    store.close()
    (found,) = checks._found
    assert (found.kind, found.subject, found.key) == (FindingKind.ENTRY_MALFORMED, str(HUB), "3")
