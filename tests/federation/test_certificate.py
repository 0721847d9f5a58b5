"""The model certificate: its rules, its ctx, and whose word it is."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from federation.certificate import CertifiedField, ModelCertificate, Participant, read_certificate
from federation.context import context
from federation.errors import DocumentError, Reason, SignatureInvalid
from federation.identity import Role, SpiffeId
from support.chain import (
    CHAIN,
    COURT,
    DELTA,
    DOMAIN,
    HARBOUR,
    HUB,
    INSURANCE,
    POWER,
    REGULATOR,
    TAX,
    UNNAMED,
    Chain,
)
from support.checks import refused


def rebuilt(world: Chain, /, **changes: Any) -> ModelCertificate:
    """`alpha`'s certificate with some fields changed, all rules applied."""
    certificate = world.alpha.certificate
    fields = {name: getattr(certificate, name) for name in ModelCertificate.model_fields}
    return ModelCertificate(**(fields | changes))


def participants(world: Chain, *changes: dict[str, Any]) -> tuple[Participant, ...]:
    """P with the participants of the same places changed."""
    listed = world.alpha.certificate.participants
    return tuple(
        p.model_copy(update=changes[i]) if i < len(changes) else p for i, p in enumerate(listed)
    )


def test_round_trip(chain: Chain) -> None:
    certificate = rebuilt(chain)
    assert certificate == chain.alpha.certificate
    assert ModelCertificate.parse(certificate.payload()) == certificate
    assert read_certificate(chain.alpha.signed, chain.members) == certificate


def test_certificate_is_not_the_regulators(chain: Chain) -> None:
    for party in (HUB, HARBOUR):
        with pytest.raises(SignatureInvalid):
            read_certificate(chain.alpha.certificate.sign(chain.signing[party]), chain.members)


def test_other_document_of_the_regulator(chain: Chain) -> None:
    with pytest.raises(SignatureInvalid):
        read_certificate(chain.members.credentials()[0], chain.members)


def test_signed_payload_is_altered(chain: Chain) -> None:
    signed = chain.alpha.signed
    payload = signed.payload.replace(b'"width":5', b'"width":6', 1)
    assert payload != signed.payload
    with pytest.raises(SignatureInvalid):
        read_certificate(dataclasses.replace(signed, payload=payload), chain.members)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chain": "zsj"}, Reason.WRONG_CHAIN),
        ({"bank": SpiffeId(DOMAIN, Role.BANK, "nobody")}, Reason.FOREIGN_CERTIFICATE),
        ({"bank": TAX}, Reason.FOREIGN_CERTIFICATE),
    ],
)
def test_certificate_of_another_chain_or_bank(
    chain: Chain, changes: dict[str, Any], reason: Reason
) -> None:
    signed = rebuilt(chain, **changes).sign(chain.signing[REGULATOR])
    refused(reason, lambda: read_certificate(signed, chain.members))


@pytest.mark.parametrize(
    "changes",
    [{"signing": bytes(range(32))}, {"agreement": bytes(32)}, {"kind": "court"}, {"named": True}],
    ids=lambda changes: next(iter(changes)),
)
def test_participant_is_not_as_the_chain_knows_it(chain: Chain, changes: dict[str, Any]) -> None:
    forged = rebuilt(chain, participants=participants(chain, changes))
    signed = forged.sign(chain.signing[REGULATOR])
    refused(Reason.FOREIGN_CERTIFICATE, lambda: read_certificate(signed, chain.members))


# --- rules -------------------------------------------------------------------------------------


def field(name: str, offset: int, width: int, maximum: int) -> CertifiedField:
    return CertifiedField(name=name, offset=offset, width=width, maximum=maximum)


def test_participants_in_order_each_once_and_at_least_three(chain: Chain) -> None:
    listed = chain.alpha.certificate.participants
    court = chain.with_court.certificate.participant(COURT)
    coverage = chain.alpha.certificate.coverage.model_copy(update={"width": 3, "maximum": 4})
    rebuilt(chain, participants=(court, *listed), coverage=coverage)
    for wrong in ((*listed, court), listed[::-1], (listed[0], *listed)):
        with pytest.raises(ValidationError, match="in order"):
            rebuilt(chain, participants=wrong, coverage=coverage)
    for few in (listed[:2], listed[:1], ()):
        with pytest.raises(ValidationError, match="at least 3"):
            rebuilt(chain, participants=few)


@pytest.mark.parametrize("key", ["signing", "agreement"])
def test_participants_share_a_key(chain: Chain, key: str) -> None:
    first = getattr(chain.alpha.certificate.participants[0], key)
    with pytest.raises(ValidationError, match="share a key"):
        rebuilt(chain, participants=participants(chain, {}, {key: first}))


def test_coverage_counts_the_participants(chain: Chain) -> None:
    coverage = chain.alpha.certificate.coverage
    for maximum in (2, 0):
        with pytest.raises(ValidationError, match="number of participants"):
            rebuilt(chain, coverage=coverage.model_copy(update={"maximum": maximum}))


def test_fields_do_not_overlap(chain: Chain) -> None:
    coverage = field("coverage", 38, 2, 3)
    rebuilt(chain, fields=(field("a", 0, 4, 9), field("b", 4, 34, 1)), coverage=coverage)
    for fields in (
        (field("a", 0, 5, 9), field("b", 4, 2, 1)),
        (field("a", 0, 39, 9),),
        (field("a", 0, 1, 1), field("b", 0, 1, 1)),
    ):
        with pytest.raises(ValidationError, match="overlaps"):
            rebuilt(chain, fields=fields, coverage=coverage)


@pytest.mark.parametrize(
    ("offset", "width", "maximum"),
    [(0, 41, 1), (39, 2, 1), (0, 3, 8), (-1, 3, 1), (0, 0, 0), (40, 1, 1), (0, 3, -1)],
)
def test_field_fits_into_its_bits_and_into_the_forty(offset: int, width: int, maximum: int) -> None:
    with pytest.raises(ValidationError):
        field("a", offset, width, maximum)
    field("a", 0, 3, 7)
    field("a", 39, 1, 1)


def test_disclosed_features_are_sorted(chain: Chain) -> None:
    rebuilt(chain, disclosed=("court.f0", "tax.f1"))
    for wrong in (("tax.f1", "court.f0"), ("tax.f1", "tax.f1")):
        with pytest.raises(ValidationError, match="sorted"):
            rebuilt(chain, disclosed=wrong)


def test_rules_hold_for_parsed_certificates_too(chain: Chain) -> None:
    payload = chain.alpha.certificate.payload()
    worse = payload.replace(b'"maximum":3,"name":"coverage"', b'"maximum":2,"name":"coverage"')
    assert worse != payload
    with pytest.raises(DocumentError, match="number of participants"):
        ModelCertificate.parse(worse)


# --- what it is asked --------------------------------------------------------------------------


def test_participants_by_id(chain: Chain) -> None:
    certificate = chain.with_court.certificate
    assert certificate.holders == (COURT, POWER, TAX)
    assert certificate.named_holders == (COURT,)
    assert chain.alpha.certificate.named_holders == ()
    assert certificate.participant(TAX).holder == TAX
    refused(Reason.WRONG_AUDIENCE, lambda: certificate.participant(INSURANCE))


def test_validity(chain: Chain) -> None:
    certificate = chain.alpha.certificate
    for now in (certificate.not_before, certificate.not_after - 1):
        certificate.require_valid(now)
    for now in (certificate.not_before - 1, certificate.not_after):
        refused(Reason.UNCERTIFIED_MODEL, lambda n=now: certificate.require_valid(n))


def test_material_is_the_certified_one(chain: Chain) -> None:
    model, certificate = chain.alpha, chain.alpha.certificate
    key, bundles = model.public_key, model.bundles
    for holder in UNNAMED:
        certificate.require_material(holder, key, bundles[holder])
    for holder, public, bundle in (
        (TAX, key, bundles[POWER]),
        (TAX, key[:-1], bundles[TAX]),
        (TAX, key, bundles[TAX] + b"\0"),
        (TAX, bundles[TAX], key),
        (TAX, b"", b""),
    ):
        refused(
            Reason.UNCERTIFIED_MODEL,
            lambda h=holder, p=public, b=bundle: certificate.require_material(h, p, b),
        )


# --- ctx ---------------------------------------------------------------------------------------


def test_ctx_is_the_hash_of_its_four_parts(chain: Chain) -> None:
    """PROTOCOL section 3, computed here by hand."""
    certificate, epoch = chain.alpha.certificate, chain.epochs[1]
    parts = (certificate.hash, str(HARBOUR).encode(), CHAIN.encode(), epoch.opening.hash)
    joined = b"yinxin/ctx/v1" + b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    assert certificate.context(epoch) == hashlib.sha256(joined).digest()


def test_ctx_changes_with_every_part(chain: Chain) -> None:
    values = {
        context(certificate, bank, name, opening)
        for certificate in (bytes(32), b"\1" * 32)
        for bank in (HARBOUR, DELTA)
        for name in ("csj", "zsj")
        for opening in (bytes(32), b"\1" * 32)
    }
    assert len(values) == 16


def test_parts_of_ctx_cannot_run_into_each_other() -> None:
    """The lengths before each part: else bytes could move from one to the next."""
    assert context(b"a", HARBOUR, "b", b"cd") != context(b"a", HARBOUR, "bc", b"d")


def test_ctx_of_an_epoch_with_another_catalogue(chain: Chain) -> None:
    certificate = rebuilt(chain, catalogue=bytes(32))
    refused(Reason.WRONG_CONTEXT, lambda: certificate.context(chain.epochs[1]))


def test_ctx_of_an_epoch_that_a_participant_missed(chain: Chain) -> None:
    epoch = chain.epochs[1]
    for left_out, closed in ((TAX, True), (COURT, False)):
        manifests = {h: m for h, m in epoch.manifests.items() if h != left_out}
        partial = dataclasses.replace(epoch, manifests=manifests)
        if closed:
            refused(Reason.CLOSED, lambda e=partial: chain.alpha.certificate.context(e))
        else:
            chain.alpha.certificate.context(partial)
