"""A member's copy of the chain: what it keeps, what it refuses, what it forgets in time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from federation.epoch import make_opening
from federation.errors import DocumentError, FederationError, Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.roster import Roster, RosterBatch
from federation.signed import Signed, SigningKey
from node.chain import ChainStore
from node.chain.store import BATCH, DESCRIPTOR, MANIFEST, OPENING, sign_batch
from node.storage import Store
from support.chain import (
    CHAIN,
    DAY,
    DOMAIN,
    HARBOUR,
    HUB,
    NOW,
    POWER,
    REGULATOR,
    TAX,
    Chain,
    standard_chain,
)
from support.checks import refused

T = TypeVar("T")


class Kept:
    """A store with a chain's documents in it."""

    def __init__(self, store: Store, chain: Chain) -> None:
        self.store = store
        self.chain = chain
        self.kept = self.again()

    def again(self) -> ChainStore:
        """As after a restart: the same database, nothing cached."""
        return ChainStore(self.store, self.chain.root)

    def put(self, unit: Callable[[Connection], T]) -> T:
        return self.store.run_blocking(unit)

    def read(self, query: Callable[[Connection], T]) -> T:
        return self.store.read_blocking(query)

    def enrol(self, *credentials: Signed) -> None:
        for credential in credentials or self.chain.members.credentials():
            self.put(lambda c, one=credential: self.kept.put_member(c, one))  # type: ignore[misc]

    def roster(self) -> RosterBatch:
        batch = Roster(CHAIN).append(firm.uscc for firm in self.chain.firms)
        signed = sign_batch(batch, self.chain.signing[HUB])
        self.put(lambda c: self.kept.put(c, BATCH, signed, 0))
        return batch

    def epoch(self, number: int = 1) -> None:
        descriptor, manifests, opening = self.chain.epoch_documents[number]

        def unit(connection: Connection) -> None:
            self.kept.put(connection, DESCRIPTOR, descriptor, number)
            for holder, manifest in self.chain.epochs[number].manifests.items():
                (signed,) = (m for m in manifests if m.payload_hash == manifest.hash)
                self.kept.put(connection, MANIFEST, signed, number, str(holder))
            self.kept.put(connection, OPENING, opening, number)

        self.put(unit)

    def whole(self) -> None:
        self.enrol()
        self.roster()
        self.epoch()

    def renewed(self, party: SpiffeId, signing: bytes, **changes: object) -> Signed:
        """A newer credential of a member, from `not_before` on."""
        if party.role is Role.HOLDER:
            old = self.chain.holder_member(self.chain.holders[party])
        else:
            old = self.chain.member(party, signing)
        member = old.model_copy(update={"signing": signing, **changes})
        return member.sign(self.chain.signing[REGULATOR])


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    store = Store.open(f"sqlite:///{tmp_path}/node.sqlite")
    yield Kept(store, standard_chain())
    store.close()


@pytest.fixture
def everywhere(database_url: str) -> Iterator[Kept]:
    """On each kind of database, where the kind could make a difference."""
    store = Store.open(database_url)
    yield Kept(store, standard_chain())
    store.close()


# --- put ------------------------------------------------------------------------------------------


def test_a_second_document_for_a_number_is_refused(everywhere: Kept) -> None:
    kept = everywhere
    first = kept.chain.descriptor(7).sign(kept.chain.signing[HUB])
    second = kept.chain.descriptor(7, closes=NOW + 2 * DAY).sign(kept.chain.signing[HUB])
    assert kept.put(lambda c: kept.kept.put(c, DESCRIPTOR, first, 7)) is True
    assert kept.put(lambda c: kept.kept.put(c, DESCRIPTOR, first, 7)) is False
    refused(Reason.CONFLICT, lambda: kept.put(lambda c: kept.kept.put(c, DESCRIPTOR, second, 7)))
    assert kept.put(lambda c: kept.kept.put(c, DESCRIPTOR, second, 8)) is True
    assert kept.put(lambda c: kept.kept.put(c, MANIFEST, second, 7, "somebody")) is True
    assert kept.read(lambda c: kept.kept.documents(c, DESCRIPTOR)) == (first, second)
    assert kept.read(lambda c: kept.kept.documents(c, DESCRIPTOR, 7)) == (first,)
    assert kept.read(kept.kept.epoch_numbers) == (7, 8)


def test_a_conflict_takes_the_whole_unit_back(everywhere: Kept) -> None:
    kept = everywhere
    one, two = (kept.chain.descriptor(n).sign(kept.chain.signing[HUB]) for n in (5, 6))

    def unit(connection: Connection) -> None:
        kept.kept.put(connection, DESCRIPTOR, one, 5)
        kept.kept.put(connection, DESCRIPTOR, two, 5)

    refused(Reason.CONFLICT, lambda: kept.put(unit))
    assert kept.read(kept.kept.epoch_numbers) == ()


@pytest.mark.parametrize("number", [2**53, 2**64 - 1])
def test_a_number_that_no_document_has_is_not_found(everywhere: Kept, number: int) -> None:
    kept = everywhere
    kept.whole()
    assert kept.read(lambda c: kept.kept.documents(c, DESCRIPTOR, number)) == ()
    assert kept.read(lambda c: kept.kept.epoch(c, number, NOW)) is None
    assert kept.read(lambda c: kept.kept.descriptor(c, number)) is None


def test_a_catalogue_is_found_by_its_digest_alone(kept: Kept) -> None:
    raw, digest = kept.chain.catalogue.to_json().encode(), kept.chain.catalogue.digest()
    refused(Reason.WRONG_CONTEXT, lambda: kept.read(lambda c: kept.kept.catalogue(c, digest)))
    assert kept.put(lambda c: kept.kept.put_catalogue(c, raw)) is True
    assert kept.put(lambda c: kept.kept.put_catalogue(c, raw)) is False
    assert kept.read(lambda c: kept.kept.catalogue(c, digest)) == kept.chain.catalogue
    other = bytes(32)
    refused(Reason.WRONG_CONTEXT, lambda: kept.read(lambda c: kept.kept.catalogue(c, other)))


# --- members --------------------------------------------------------------------------------------


def test_the_newest_credential_that_has_begun_counts(kept: Kept) -> None:
    kept.enrol()
    key = SigningKey.generate()
    later = kept.renewed(HARBOUR, key.public, not_before=NOW + 10, not_after=NOW + 20)
    kept.enrol(later)

    def signing(now: int) -> bytes:
        members = kept.read(lambda c: kept.kept.members(c, now))
        return members.require(HARBOUR, Role.BANK).signing

    old = kept.chain.signing[HARBOUR].public
    assert signing(NOW) == old
    assert signing(NOW + 9) == old
    assert signing(NOW + 10) == key.public
    assert signing(NOW) == old  # the cache follows the time that is asked for
    assert signing(NOW + 19) == key.public
    # The newest has expired: the older one, still within its dates, does not come back.
    refused(Reason.FOREIGN_CERTIFICATE, lambda: signing(NOW + 20))


def test_a_member_is_none_before_it_begins_and_after_it_ends(kept: Kept) -> None:
    only = kept.renewed(HARBOUR, SigningKey.generate().public, not_before=NOW, not_after=NOW + 5)
    kept.enrol(only)
    for now, is_member in ((NOW - 1, False), (NOW, True), (NOW + 4, True), (NOW + 5, False)):
        members = kept.read(lambda c, at=now: kept.kept.members(c, at))  # type: ignore[misc]
        assert [m.id for m in members.of(Role.BANK)] == ([HARBOUR] if is_member else [])
        assert len(members.credentials()) == is_member


def test_a_second_credential_of_the_same_beginning_is_refused(kept: Kept) -> None:
    kept.enrol()
    other = kept.renewed(HARBOUR, SigningKey.generate().public)
    refused(Reason.CONFLICT, lambda: kept.enrol(other))


def test_only_the_regulator_makes_members(kept: Kept) -> None:
    forged = kept.chain.member(HARBOUR, SigningKey.generate().public).sign(SigningKey.generate())
    with pytest.raises(SignatureInvalid):
        kept.enrol(forged)
    assert kept.read(lambda c: kept.kept.documents(c, "member")) == ()


def test_a_credential_that_changed_in_the_database_is_no_member(kept: Kept) -> None:
    kept.enrol()
    good = kept.chain.member(HARBOUR, SigningKey.generate().public).sign(SigningKey.generate())
    from node.chain.tables import chain_documents

    def change(connection: Connection) -> None:
        table = chain_documents
        connection.execute(
            table.update()
            .where(table.c.name == str(HARBOUR))
            .values(body=good.to_json(), hash=good.payload_hash)
        )

    kept.read(lambda c: kept.kept.members(c, NOW))
    kept.put(change)
    with pytest.raises(SignatureInvalid):
        kept.read(lambda c: kept.kept.members(c, NOW))


# --- roster ---------------------------------------------------------------------------------------


def test_the_roster_grows_and_stays_one_object(kept: Kept) -> None:
    kept.enrol()
    first = kept.roster()
    roster = kept.read(lambda c: kept.kept.roster(c, NOW))
    assert (roster.size, roster.root) == (len(kept.chain.firms), first.root)
    more = kept.read(lambda c: kept.kept.roster(c, NOW, own=True)).append(
        [kept.chain.stranger.uscc]
    )
    assert (roster.size, kept.read(lambda c: kept.kept.roster(c, NOW)).size) == (24, 24)
    signed = sign_batch(more, kept.chain.signing[HUB])
    kept.put(lambda c: kept.kept.put(c, BATCH, signed, 1))
    assert kept.read(lambda c: kept.kept.roster(c, NOW)) is roster
    assert (roster.size, roster.root, roster.next_number) == (25, more.root, 2)
    assert roster.row(kept.chain.stranger.uscc) == 24


def test_an_enrolment_that_is_rolled_back_leaves_nothing_in_the_cache(everywhere: Kept) -> None:
    kept = everywhere
    kept.enrol()
    kept.roster()
    before = kept.read(lambda c: kept.kept.roster(c, NOW)).root
    stranger = kept.chain.stranger.uscc

    def unit(connection: Connection) -> None:
        batch = kept.kept.roster(connection, NOW).append([stranger])
        signed = sign_batch(batch, kept.chain.signing[HUB])
        kept.kept.put(connection, BATCH, signed, batch.number)
        # The unit sees what it wrote itself.
        assert stranger in kept.kept.roster(connection, NOW)
        raise Refusal(Reason.CONFLICT, "the disk is full")

    refused(Reason.CONFLICT, lambda: kept.put(unit))
    roster = kept.read(lambda c: kept.kept.roster(c, NOW))
    assert (roster.root, stranger in roster) == (before, False)


@pytest.mark.parametrize("fault", ["root", "signature", "order"])
def test_a_batch_in_the_database_that_does_not_follow_is_told(kept: Kept, fault: str) -> None:
    import dataclasses

    kept.enrol()
    batch = Roster(CHAIN).propose(firm.uscc for firm in kept.chain.firms)
    key = kept.chain.signing[HUB]
    if fault == "root":
        batch = dataclasses.replace(batch, root=secrets.token_bytes(32))
    elif fault == "order":
        batch = dataclasses.replace(batch, codes=batch.codes[::-1])
    else:
        key = kept.chain.signing[HARBOUR]
    signed = sign_batch(batch, key)
    kept.put(lambda c: kept.kept.put(c, BATCH, signed, 0))
    with pytest.raises((DocumentError, SignatureInvalid)):
        kept.read(lambda c: kept.kept.roster(c, NOW))
    # Not halfway either: the next look says the same.
    with pytest.raises((DocumentError, SignatureInvalid)):
        kept.read(lambda c: kept.kept.roster(c, NOW))


# --- epochs ---------------------------------------------------------------------------------------


def test_an_epoch_is_open_once_every_document_of_it_verifies(kept: Kept) -> None:
    kept.enrol()
    kept.roster()
    descriptor, _, _ = kept.chain.epoch_documents[1]
    kept.put(lambda c: kept.kept.put(c, DESCRIPTOR, descriptor, 1))
    assert kept.read(lambda c: kept.kept.epoch(c, 1, NOW)) is None
    assert kept.read(lambda c: kept.kept.manifest(c, 1, TAX)) is None
    kept.epoch()
    assert kept.read(lambda c: kept.kept.epoch(c, 1, NOW)) == kept.chain.epochs[1]
    assert kept.read(lambda c: kept.kept.manifest(c, 1, TAX)) == kept.chain.epochs[1].manifests[TAX]
    assert kept.read(lambda c: kept.kept.epoch(c, 2, NOW)) is None


def test_a_manifest_that_is_kept_but_not_in_the_opening_is_left_out(kept: Kept) -> None:
    kept.enrol()
    kept.roster()
    chain = kept.chain
    descriptor, manifests, _ = chain.epoch_documents[1]
    some = [m for h, m in chain.epochs[1].manifests.items() if h != POWER]
    opening = make_opening(chain.epochs[1].descriptor, some).sign(chain.signing[HUB])

    def unit(connection: Connection) -> None:
        kept.kept.put(connection, DESCRIPTOR, descriptor, 1)
        for signed in manifests:
            kept.kept.put(connection, MANIFEST, signed, 1, signed.payload_hash.hex())
        kept.kept.put(connection, OPENING, opening, 1)

    kept.put(unit)
    opened = kept.read(lambda c: kept.kept.epoch(c, 1, NOW))
    assert opened is not None
    assert set(opened.manifests) == set(chain.holders) - {POWER}
    refused(Reason.CLOSED, lambda: chain.alpha.certificate.context(opened))


@pytest.mark.parametrize("rows", [23, 25])
def test_an_epoch_over_another_roster_is_refused(kept: Kept, rows: int) -> None:
    kept.enrol()
    kept.roster()
    chain = kept.chain
    descriptor = chain.descriptor(3, roster_rows=rows)
    side = chain.holders[TAX]
    base = chain.epochs[1].manifests[TAX]
    manifest = base.model_copy(update={"epoch": 3, "descriptor": descriptor.hash, "rows": rows})
    opening = make_opening(descriptor, [manifest])

    def unit(connection: Connection) -> None:
        hub = chain.signing[HUB]
        kept.kept.put(connection, DESCRIPTOR, descriptor.sign(hub), 3)
        kept.kept.put(connection, MANIFEST, manifest.sign(side.signing), 3, str(TAX))
        kept.kept.put(connection, OPENING, opening.sign(hub), 3)

    kept.put(unit)
    refused(Reason.CONFLICT, lambda: kept.read(lambda c: kept.kept.epoch(c, 3, NOW)))


def test_an_epoch_outlives_a_holders_change_of_keys(kept: Kept) -> None:
    """Or one holder's new key would take every model of the open epoch down at a restart."""
    kept.whole()
    kept.enrol(kept.renewed(POWER, SigningKey.generate().public, not_before=NOW - 60))
    store = kept.again()
    assert kept.read(lambda c: store.epoch(c, 1, NOW)) == kept.chain.epochs[1]


def test_a_new_key_signs_nothing_for_an_epoch_that_began_before(kept: Kept) -> None:
    """Neither the keys of now nor those of the beginning made this manifest."""
    kept.enrol()
    kept.roster()
    chain = kept.chain
    descriptor, manifests, _ = chain.epoch_documents[1]
    stolen, current = SigningKey.generate(), SigningKey.generate()
    kept.enrol(kept.renewed(POWER, stolen.public, not_before=NOW - 120))
    kept.enrol(kept.renewed(POWER, current.public, not_before=NOW - 60))
    forged = chain.epochs[1].manifests[POWER].sign(stolen)
    others = [m for m in manifests if m.payload_hash != forged.payload_hash]

    def unit(connection: Connection) -> None:
        kept.kept.put(connection, DESCRIPTOR, descriptor, 1)
        for number, signed in enumerate([*others, forged]):
            kept.kept.put(connection, MANIFEST, signed, 1, str(number))
        kept.kept.put(connection, OPENING, chain.epoch_documents[1][2], 1)

    kept.put(unit)
    with pytest.raises(SignatureInvalid):
        kept.read(lambda c: kept.again().epoch(c, 1, NOW))


def test_an_epoch_over_a_roster_that_is_not_here_yet_opens_once_it_is(kept: Kept) -> None:
    kept.enrol()
    kept.epoch()
    with pytest.raises(DocumentError, match="fetch the batches"):
        kept.read(lambda c: kept.kept.epoch(c, 1, NOW))
    kept.roster()
    assert kept.read(lambda c: kept.kept.epoch(c, 1, NOW)) == kept.chain.epochs[1]


def test_an_opening_of_somebody_elses_key_opens_nothing(kept: Kept) -> None:
    kept.enrol()
    kept.roster()
    chain = kept.chain
    descriptor, _, _ = chain.epoch_documents[1]
    forged = chain.epochs[1].opening.sign(chain.signing[HARBOUR])

    def unit(connection: Connection) -> None:
        kept.kept.put(connection, DESCRIPTOR, descriptor, 1)
        kept.kept.put(connection, OPENING, forged, 1)

    kept.put(unit)
    with pytest.raises(FederationError):
        kept.read(lambda c: kept.kept.epoch(c, 1, NOW))


# --- certificates ---------------------------------------------------------------------------------


def test_a_certificate_is_found_by_its_hash(kept: Kept) -> None:
    kept.enrol()
    model = kept.chain.alpha
    assert kept.read(lambda c: kept.kept.certificate(c, model.certificate.hash, NOW)) is None
    assert kept.put(lambda c: kept.kept.put_certificate(c, model.signed)) is True
    assert kept.put(lambda c: kept.kept.put_certificate(c, model.signed)) is False
    found = kept.read(lambda c: kept.kept.certificate(c, model.certificate.hash, NOW))
    assert found == model.certificate
    assert kept.read(lambda c: kept.kept.certificate(c, bytes(32), NOW)) is None


@pytest.mark.parametrize("restarted", [False, True])
def test_a_certificate_ends_with_the_keys_that_it_names(kept: Kept, restarted: bool) -> None:
    kept.enrol()
    model = kept.chain.alpha
    digest = model.certificate.hash
    kept.put(lambda c: kept.kept.put_certificate(c, model.signed))
    # Read before, so that it is cached.
    assert kept.read(lambda c: kept.kept.certificate(c, digest, NOW)) is not None
    kept.enrol(kept.renewed(TAX, SigningKey.generate().public, not_before=NOW))
    store = kept.again() if restarted else kept.kept
    refused(
        Reason.FOREIGN_CERTIFICATE, lambda: kept.read(lambda c: store.certificate(c, digest, NOW))
    )
    # What was signed can still be shown, and at an earlier time it was good.
    assert kept.read(lambda c: store.certified(c, digest)) == model.certificate
    assert kept.read(lambda c: store.certificate(c, digest, NOW - 1)) == model.certificate


def test_a_certificate_ends_with_its_banks_membership(kept: Kept) -> None:
    kept.enrol()
    model = kept.chain.alpha
    kept.put(lambda c: kept.kept.put_certificate(c, model.signed))
    end = NOW + 365 * DAY
    read = kept.kept.certificate
    assert kept.read(lambda c: read(c, model.certificate.hash, end - 1)) is not None
    refused(
        Reason.FOREIGN_CERTIFICATE,
        lambda: kept.read(lambda c: read(c, model.certificate.hash, end)),
    )


def test_a_certificate_that_the_regulator_did_not_sign_is_none(kept: Kept) -> None:
    kept.enrol()
    certificate = kept.chain.alpha.certificate
    forged = certificate.sign(kept.chain.signing[HARBOUR])
    kept.put(lambda c: kept.kept.put_certificate(c, forged))
    with pytest.raises(SignatureInvalid):
        kept.read(lambda c: kept.kept.certificate(c, certificate.hash, NOW))


def test_nobody_of_another_chain_is_believed(kept: Kept) -> None:
    foreign = SpiffeId("zsj.example", Role.BANK, "bay")
    member = kept.chain.member(foreign, SigningKey.generate().public, chain="zsj")
    kept.enrol(member.sign(kept.chain.signing[REGULATOR]))
    refused(Reason.WRONG_CHAIN, lambda: kept.read(lambda c: kept.kept.members(c, NOW)))
    assert foreign.trust_domain != DOMAIN
