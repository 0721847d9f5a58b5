"""Logs written to end the audit, or to have it look away: it goes on, and names the entry."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection

from federation.audit.engine import Audit
from federation.audit.findings import FindingKind
from federation.audit.records import event
from federation.audit.thresholds import AuditThresholds
from federation.entries import Kind, entry, read_entry
from federation.identity import SpiffeId
from federation.membership import Member
from node.chain import ChainStore
from node.keys import KeyEncryptionKey
from node.regulator.audit.checks import RecordChecks
from node.regulator.audit.documents import DocumentSet
from node.regulator.audit.feed import Fed, feed
from node.regulator.audit.jobs import RawPermit, verify_permits
from node.regulator.audit.shares import ShareFeed
from node.regulator.mirror.books import keep_batch, read_batch
from node.storage import Store
from support.audited import MemoryBooks
from support.chain import DAY, HUB, NOW, POWER, REGULATOR, TAX, Chain, standard_chain

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
    shares = ShareFeed(
        store, ChainStore(store, chain.root), KeyEncryptionKey(secrets.token_bytes(32))
    )
    checks = RecordChecks(store, audit, documents, chain.audit, shares)
    raw = entry(Kind.CANCELLED, LONG_AGO)
    checks._take(
        Fed(str(HUB), 3, NOW, Kind.CANCELLED, event(str(HUB), 3, read_entry(raw)), None, raw)
    )
    store.close()
    (found,) = checks._found
    assert (found.kind, found.subject, found.key) == (FindingKind.ENTRY_MALFORMED, str(HUB), "3")


FAR = 9_999_999_999
"""The last second that an entry may bear."""


def test_an_unlock_of_the_far_future_is_judged_all_the_same(tmp_path: Path) -> None:
    """A holder hides a permit that the hub kept out of its log: nothing is due before 2286."""
    permit, books = secrets.token_bytes(32), MemoryBooks()
    books.signed.add(permit)
    audit = Audit(HUB, REGULATOR, AuditThresholds(), books)
    logs = {
        POWER: [entry(Kind.UNLOCK, FAR, document=permit)],  # fed first
        TAX: [entry(Kind.UNLOCK, NOW, document=permit)],
    }
    store = mirror(tmp_path, logs)
    for fed in feed(store, {str(log): (0, 1) for log in logs}, 0, NOW):
        audit.event(fed.event)
    store.close()
    found = audit.advance(NOW + DAY)
    assert [(one.kind, one.query) for one in found] == [(FindingKind.PERMIT_UNLOGGED, permit)]


def test_entries_with_times_that_nobody_had_are_named() -> None:
    raws = [entry(Kind.UNLOCK, time, document=bytes(32)) for time in (NOW, FAR, LONG_AGO, NOW + 1)]
    batch = read_batch(str(TAX), 0, raws, NOW, NOW)
    found = [(one.kind, one.subject, one.evidence["index"]) for one in batch.findings]
    assert found == [(FindingKind.TIME_DISAGREES, str(TAX), index) for index in (1, 2)]


def mirror(folder: Path, logs: Mapping[SpiffeId, Sequence[bytes]]) -> Store:
    store = Store.open(f"sqlite:///{folder}/regulator.sqlite")

    def unit(connection: Connection) -> None:
        for log, raws in logs.items():
            keep_batch(connection, read_batch(str(log), 0, raws, NOW - 60, NOW), {})

    store.run_blocking(unit)
    return store
