"""The consent registry and the permits, on real databases."""

from __future__ import annotations

import dataclasses
import multiprocessing
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import select

from federation.consent import Consent, sign_cancellation, verify_cancellation
from federation.errors import Reason
from federation.exchange.hub import PermitRequest
from node.errors import StorageConflict
from node.hub.registry import HubRegistry
from node.hub.tables import hub_consents
from node.keys import KeyEncryptionKey
from node.log.tables import log_attachments
from node.storage import Store
from support.chain import NOW, Chain
from support.checks import refused
from support.network import Network
from support.people import Firm, Model
from tests.node.hub.settling import settle, take

T = TypeVar("T")
KEY = secrets.token_bytes(32)


class Desk:
    """One process's view of a registry."""

    def __init__(self, store: Store, chain: Chain) -> None:
        self.store = store
        self.chain = chain
        self.network = Network(chain)
        self.key = KeyEncryptionKey(KEY)

    def within(self, work: Callable[[HubRegistry], T]) -> T:
        return self.store.run_blocking(lambda c: work(HubRegistry(c, self.key)))

    def request(
        self, consent: Consent, model: Model | None = None, epoch: int = 1
    ) -> PermitRequest:
        query = self.network.begin(model or self.chain.alpha, consent, epoch)
        return self.network.examine(query.request)

    def take(self, request: PermitRequest) -> bool:
        return self.store.run_blocking(lambda connection: take(connection, self.key, request))

    def cancel(self, consent: Consent, firm: Firm, at: int = NOW) -> bool:
        compact = sign_cancellation(consent.compact, firm.key, firm.certificate, at)
        authority = self.chain.root.licence_authority.encode()
        cancellation = verify_cancellation(compact, authority, at)
        return self.within(lambda registry: registry.cancel(cancellation, at))


@pytest.fixture
def desk(tmp_path: Path, hub_chain: Chain) -> Iterator[Desk]:
    store = Store.open(f"sqlite:///{tmp_path}/node.sqlite")
    yield Desk(store, hub_chain)
    store.close()


@pytest.fixture
def everywhere(database_url: str, hub_chain: Chain) -> Iterator[Desk]:
    """On each kind of database, where the kind could make a difference."""
    store = Store.open(database_url)
    yield Desk(store, hub_chain)
    store.close()


def test_an_unknown_consent_has_no_past(desk: Desk) -> None:
    consent = desk.chain.consent(desk.chain.firms[0])
    request = desk.request(consent)
    assert desk.within(lambda r: r.stored(request.query)) is None
    assert desk.within(lambda r: r.cancelled(consent)) is False
    assert desk.within(lambda r: r.uses(consent)) == 0
    assert desk.within(lambda r: r.epochs(consent, 202701)) == frozenset()
    assert desk.within(lambda r: r.element_used(request.drafts[0].permit.blinded)) is False


def test_what_is_kept_comes_back_without_its_envelopes(everywhere: Desk) -> None:
    desk = everywhere
    consent = desk.chain.consent(desk.chain.firms[0])
    request = desk.request(consent, desk.chain.with_court)
    assert desk.take(request) is True
    stored = desk.within(lambda r: r.stored(request.query))
    assert stored is not None
    assert [d.signed for d in stored] == [d.signed for d in request.drafts]
    assert [d.permit for d in stored] == [d.permit for d in request.drafts]
    assert [d.entry for d in stored] == [d.entry for d in request.drafts]
    assert [d.named for d in stored] == [d.named for d in request.drafts]
    assert [d.envelope for d in stored] == [b"", b""]
    assert sum(bool(d.named) for d in stored) == 1
    assert desk.within(lambda r: r.uses(consent)) == 1
    elements = [d.permit.blinded for d in request.drafts]
    assert all(desk.within(lambda r, e=e: r.element_used(e)) for e in elements)  # type: ignore[misc]

    attached = desk.store.read_blocking(
        lambda c: set(c.execute(select(log_attachments.c.body)).scalars())
    )
    drafts = request.drafts
    assert attached == {d.envelope for d in drafts} | {d.signed.to_json() for d in drafts}


def test_uses_run_out_and_a_repetition_takes_none(desk: Desk) -> None:
    consent = desk.chain.consent(desk.chain.firms[1], uses=2)
    first, second, third = (desk.request(consent) for _ in range(3))
    assert [desk.take(r) for r in (first, first, second, first)] == [True, False, True, False]
    assert desk.within(lambda r: r.uses(consent)) == 2
    refused(Reason.USES_EXHAUSTED, lambda: desk.take(third))
    assert desk.take(second) is False


def test_an_element_has_one_permit_whatever_the_consent(everywhere: Desk) -> None:
    desk = everywhere
    chain = desk.chain
    request = desk.request(chain.consent(chain.firms[1]))
    other = desk.request(chain.consent(chain.firms[1]))
    desk.take(request)
    same = dataclasses.replace(other, drafts=request.drafts)
    refused(Reason.REPLAYED_PERMIT, lambda: desk.take(same))
    # Even without the check the database has no place for a second one.
    with pytest.raises(StorageConflict):
        desk.within(lambda r: r.keep(same, same.drafts))
    assert desk.within(lambda r: r.uses(other.consent)) == 0


def test_a_consent_stays_within_its_epochs_a_month(everywhere: Desk) -> None:
    desk = everywhere
    consent = desk.chain.consent(desk.chain.firms[2], uses=5)
    first = desk.request(consent, epoch=1)
    desk.take(first)
    assert desk.within(lambda r: r.epochs(consent, first.month)) == frozenset({1})
    assert desk.within(lambda r: r.epochs(consent, first.month + 1)) == frozenset()
    second = desk.request(consent, epoch=2)
    refused(Reason.EPOCH_LIMIT, lambda: desk.take(second))
    assert desk.take(desk.request(consent, epoch=1)) is True
    assert desk.take(dataclasses.replace(second, epochs_a_month=2)) is True
    assert desk.within(lambda r: r.epochs(consent, first.month)) == frozenset({1, 2})


def test_a_cancelled_consent_gets_no_permit_and_no_repetition(desk: Desk) -> None:
    firm = desk.chain.firms[3]
    consent = desk.chain.consent(firm)
    request = desk.request(consent)
    desk.take(request)
    assert desk.cancel(consent, firm) is True
    assert desk.cancel(consent, firm) is False
    refused(Reason.CANCELLED, lambda: desk.take(request))
    refused(Reason.CANCELLED, lambda: desk.take(desk.request(consent)))


def test_a_consent_can_be_cancelled_before_it_is_seen(desk: Desk) -> None:
    firm = desk.chain.firms[3]
    consent = desk.chain.consent(firm)
    assert desk.cancel(consent, firm) is True
    assert desk.within(lambda r: r.register(consent, NOW)) is True
    assert desk.within(lambda r: r.register(consent, NOW)) is False
    refused(Reason.CANCELLED, lambda: desk.take(desk.request(consent)))
    assert desk.within(lambda r: r.uses(consent)) == 0


def test_what_another_firm_cancels_stays_valid(desk: Desk) -> None:
    mine, other = desk.chain.firms[4], desk.chain.firms[5]
    consent = desk.chain.consent(mine)
    desk.within(lambda r: r.register(consent, NOW))
    # The other firm signs, as itself, the cancellation of just this consent's hash.
    forged = dataclasses.replace(
        verify_cancellation(
            sign_cancellation(consent.compact, mine.key, mine.certificate, NOW),
            desk.chain.root.licence_authority.encode(),
            NOW,
        ),
        uscc=other.uscc,
    )
    assert desk.within(lambda r: r.cancel(forged, NOW)) is True
    assert desk.within(lambda r: r.cancelled(consent)) is False
    assert desk.take(desk.request(consent)) is True


def test_the_registry_tells_apart_nothing_but_its_own_consents(desk: Desk) -> None:
    short = desk.chain.consent(desk.chain.firms[6], disclosed=())
    long = desk.chain.consent(desk.chain.firms[7], fields=tuple(f"f{n:03}" for n in range(60)))
    for consent in (short, long):
        assert desk.within(lambda r, c=consent: r.register(c, NOW)) is True  # type: ignore[misc]
    rows = desk.store.read_blocking(lambda c: c.execute(select(hub_consents)).all())
    assert len(rows) == 2
    assert len(long.compact) > len(short.compact) + 100
    assert len({len(row.sealed) for row in rows}) == 1
    assert len({len(row.tag) for row in rows}) == 1
    raw = b"".join(row.tag + row.sealed for row in rows)
    for consent in (short, long):
        for secret in (
            consent.uscc.encode(),
            consent.hash,
            consent.id,
            consent.compact[:40].encode(),
        ):
            assert secret not in raw
    # Sealed under the hub's key and bound to the row: it opens there, and nowhere else.
    opened = {desk.key.open(row.sealed, row.tag).decode().strip() for row in rows}
    assert opened == {short.compact, long.compact}
    # Without the key, whoever holds a consent cannot find its row.
    stranger = KeyEncryptionKey(secrets.token_bytes(32))
    tags = {HubRegistry.tag(_registry(stranger), c) for c in (short, long)}
    assert not tags & {row.tag for row in rows}


def _registry(key: KeyEncryptionKey) -> HubRegistry:
    from typing import Any, cast

    return HubRegistry(cast(Any, None), key)


def test_threads_cannot_both_take_the_last_use(everywhere: Desk) -> None:
    desk = everywhere
    consent = desk.chain.consent(desk.chain.firms[8], uses=3)
    requests = [desk.request(consent) for _ in range(12)]

    def attempt(request: PermitRequest) -> str:
        try:
            return "fresh" if desk.take(request) else "again"
        except Exception as error:
            return str(getattr(error, "reason", error))

    with ThreadPoolExecutor(12) as threads:
        outcomes = Counter(threads.map(attempt, requests))
    assert outcomes == {"fresh": 3, "uses_exhausted": 9}
    assert desk.within(lambda r: r.uses(consent)) == 3


def test_processes_cannot_both_take_the_last_use(database_url: str, everywhere: Desk) -> None:
    desk = everywhere
    chain = desk.chain
    consents = [chain.consent(chain.firms[9], uses=1) for _ in range(6)]
    spawning = multiprocessing.get_context("spawn")
    begin, outcomes = spawning.Barrier(2), spawning.Queue()
    shares = [[desk.request(consent) for consent in consents] for _ in range(2)]
    processes = [
        spawning.Process(target=settle, args=(database_url, KEY, share, begin, outcomes))
        for share in shares
    ]
    for process in processes:
        process.start()
    told = Counter(outcomes.get(timeout=60) for _ in range(2 * len(consents)))
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert told == {"fresh": len(consents), "uses_exhausted": len(consents)}
    assert [desk.within(lambda r, c=c: r.uses(c)) for c in consents] == [1] * 6  # type: ignore[misc]
