"""Epochs: descriptor, manifests and opening, each naming the hash of the one before."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from federation.epoch import (
    Descriptor,
    Manifest,
    ManifestRef,
    Opening,
    check_manifest,
    check_roster,
    data_hash,
    make_opening,
    read_descriptor,
    read_epoch,
    read_manifest,
    refuse_second,
)
from federation.errors import DocumentError, Reason, SignatureInvalid
from federation.signed import Signed
from support.chain import COURT, DAY, HARBOUR, HUB, NOW, POWER, REGULATOR, TAX, Chain
from support.checks import refused


def test_epoch_reads_back_as_it_was_made(chain: Chain) -> None:
    descriptor, manifests, opening = chain.epoch_documents[1]
    epoch = read_epoch(descriptor, reversed(manifests), opening, chain.members)
    assert epoch == chain.epochs[1] and epoch.number == 1
    assert list(epoch.manifests) == sorted(chain.holders, key=str)
    assert epoch.opening.descriptor == epoch.descriptor.hash
    for holder, manifest in epoch.manifests.items():
        side = chain.holders[holder]
        assert manifest.data_hash == data_hash(side.salts[1], side.data[1].file())
    check_roster(epoch.descriptor, chain.roster)


def test_opening_commits_to_everything(chain: Chain) -> None:
    """Its payload hash changes with any manifest and with the descriptor."""
    epoch = chain.epochs[1]
    manifests = list(epoch.manifests.values())
    altered = manifests[0].model_copy(update={"data_hash": bytes(32)})
    later = chain.descriptor(1, closes=NOW + 2 * DAY)
    moved = [m.model_copy(update={"descriptor": later.hash}) for m in manifests]
    hashes = {
        make_opening(epoch.descriptor, manifests).hash,
        make_opening(epoch.descriptor, manifests[1:]).hash,
        make_opening(epoch.descriptor, [altered, *manifests[1:]]).hash,
        make_opening(later, moved).hash,
    }
    assert len(hashes) == 4
    assert make_opening(epoch.descriptor, manifests[::-1]) == epoch.opening


# --- signers and types -------------------------------------------------------------------------


def test_descriptor_is_the_hubs(chain: Chain) -> None:
    descriptor = chain.epochs[1].descriptor
    assert read_descriptor(descriptor.sign(chain.signing[HUB]), chain.members) == descriptor
    for party in (REGULATOR, HARBOUR):
        with pytest.raises(SignatureInvalid):
            read_descriptor(descriptor.sign(chain.signing[party]), chain.members)
    with pytest.raises(SignatureInvalid):
        read_descriptor(chain.epoch_documents[1][2], chain.members)
    foreign = descriptor.model_copy(update={"chain": "zsj"}).sign(chain.signing[HUB])
    refused(Reason.WRONG_CHAIN, lambda: read_descriptor(foreign, chain.members))


def test_manifest_is_the_holders(chain: Chain) -> None:
    manifest = chain.epochs[1].manifests[TAX]
    own, other = chain.holders[TAX].signing, chain.holders[POWER].signing
    assert read_manifest(manifest.sign(own), TAX, chain.members) == manifest
    for key in (other, chain.signing[HUB]):
        with pytest.raises(SignatureInvalid):
            read_manifest(manifest.sign(key), TAX, chain.members)
    for_other = manifest.sign(other)
    refused(Reason.CONFLICT, lambda: read_manifest(for_other, POWER, chain.members))
    refused(
        Reason.FOREIGN_CERTIFICATE, lambda: read_manifest(manifest.sign(own), HUB, chain.members)
    )
    foreign = manifest.model_copy(update={"chain": "zsj"}).sign(own)
    refused(Reason.WRONG_CHAIN, lambda: read_manifest(foreign, TAX, chain.members))


def test_opening_is_the_hubs_and_of_this_chain(chain: Chain) -> None:
    descriptor, manifests, _ = chain.epoch_documents[1]
    opening = chain.epochs[1].opening

    def read(signed: Signed) -> object:
        return read_epoch(descriptor, manifests, signed, chain.members)

    read(opening.sign(chain.signing[HUB]))
    with pytest.raises(SignatureInvalid):
        read(opening.sign(chain.signing[REGULATOR]))
    with pytest.raises(SignatureInvalid):
        read(descriptor)
    foreign = opening.model_copy(update={"chain": "zsj"}).sign(chain.signing[HUB])
    refused(Reason.WRONG_CHAIN, lambda: read(foreign))
    for changes in ({"epoch": 2}, {"descriptor": bytes(32)}):
        other = opening.model_copy(update=changes).sign(chain.signing[HUB])
        refused(Reason.CONFLICT, lambda o=other: read(o))


# --- how they fit together ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"epoch": 2}, {"descriptor": bytes(32)}, {"rows": 23}, {"rows": 25}]
)
def test_manifest_does_not_fit_the_descriptor(chain: Chain, changes: dict[str, Any]) -> None:
    epoch = chain.epochs[1]
    check_manifest(epoch.manifests[TAX], epoch.descriptor)
    other = epoch.manifests[TAX].model_copy(update=changes)
    refused(Reason.CONFLICT, lambda: check_manifest(other, epoch.descriptor))
    refused(Reason.CONFLICT, lambda: make_opening(epoch.descriptor, [other]))


def test_manifests_that_the_opening_names_otherwise(chain: Chain) -> None:
    """An opening that names a manifest of another descriptor, although everyone signed."""
    epoch = chain.epochs[1]
    descriptor, manifests, _ = chain.epoch_documents[1]
    stale = epoch.manifests[TAX].model_copy(update={"rows": 1})
    refs = tuple(
        ManifestRef(holder=h, hash=stale.hash if h == TAX else m.hash)
        for h, m in epoch.manifests.items()
    )
    opening = epoch.opening.model_copy(update={"manifests": refs}).sign(chain.signing[HUB])
    kept = [m for m in manifests if m.payload_hash != epoch.manifests[TAX].hash]
    shown = [*kept, stale.sign(chain.holders[TAX].signing)]
    refused(Reason.CONFLICT, lambda: read_epoch(descriptor, shown, opening, chain.members))


def test_second_document_of_a_number(chain: Chain) -> None:
    first = chain.epochs[1].descriptor
    refuse_second(None, first)
    refuse_second(first, chain.descriptor(1))
    other = chain.descriptor(1, closes=first.closes + 1)
    refusal = refused(Reason.CONFLICT, lambda: refuse_second(first, other))
    assert "epoch-descriptor" in refusal.detail


# --- windows and participants ------------------------------------------------------------------


def test_window(chain: Chain) -> None:
    epoch = chain.epochs[1]
    opens, closes = epoch.descriptor.opens, epoch.descriptor.closes
    epoch.require_open(opens)
    epoch.require_open(closes - 1)
    refused(Reason.NOT_OPEN, lambda: epoch.require_open(opens - 1))
    refused(Reason.CLOSED, lambda: epoch.require_open(closes))


def test_participants_without_a_manifest(chain: Chain) -> None:
    epoch = chain.epochs[1]
    late = dataclasses.replace(
        epoch, manifests={h: m for h, m in epoch.manifests.items() if h != TAX}
    )
    late.require_participants((COURT, POWER))
    refusal = refused(Reason.CLOSED, lambda: late.require_participants((COURT, TAX)))
    assert str(TAX) in refusal.detail and str(COURT) not in refusal.detail


# --- form --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"opens": NOW, "closes": NOW},
        {"opens": NOW + 1, "closes": NOW},
        {"opens": NOW, "closes": NOW + 92 * DAY + 1},
        {"epoch": 0},
        {"roster_rows": 0},
        {"roster_root": bytes(31)},
    ],
)
def test_impossible_descriptor(chain: Chain, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        chain.descriptor(1, **changes)


@pytest.mark.parametrize("day", ["2027-1-14", "20270114", "2027-01-14T00:00", ""])
def test_impossible_day(chain: Chain, day: str) -> None:
    payload = chain.epochs[1].manifests[TAX].payload()
    with pytest.raises(DocumentError, match="as_of"):
        Manifest.parse(payload.replace(b"2027-01-14", day.encode()))
    Manifest.parse(payload)


def test_opening_lists_each_holder_once_and_in_order(chain: Chain) -> None:
    opening = chain.epochs[1].opening
    fields = {name: getattr(opening, name) for name in Opening.model_fields}
    refs = opening.manifests
    for wrong in (refs[::-1], (refs[0], *refs)):
        with pytest.raises(ValidationError, match="in order"):
            Opening(**(fields | {"manifests": wrong}))


def test_documents_round_trip(chain: Chain) -> None:
    epoch = chain.epochs[1]
    assert Descriptor.parse(epoch.descriptor.payload()) == epoch.descriptor
    assert Manifest.parse(epoch.manifests[TAX].payload()) == epoch.manifests[TAX]
    assert Opening.parse(epoch.opening.payload()) == epoch.opening


def test_data_hash_is_salted() -> None:
    """Else a manifest would confirm a guess of the whole file."""
    salt = bytes(range(32))
    assert data_hash(salt, b"columns") == hashlib.sha256(salt + b"columns").digest()
    assert data_hash(bytes(32), b"columns") != data_hash(salt, b"columns")
    for short in (b"", bytes(31), bytes(33)):
        refused(Reason.MALFORMED, lambda s=short: data_hash(s, b"columns"))
