"""Permits, and the evidence that leaves the hub only sealed."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from pydantic import ValidationError

from federation.auditkeys import KEY_ID_BYTES
from federation.envelope import EnvelopeKey, EnvelopePublicKey, seal, sealed_size
from federation.errors import DocumentError, EnvelopeError, SignatureInvalid
from federation.permit import (
    AUDIT_PURPOSE,
    EVIDENCE_BYTES,
    Evidence,
    Permit,
    consent_tag,
    open_as_named,
    open_for_audit,
    seal_to_named,
    seal_to_regulator,
)
from federation.signed import SigningKey
from support.chain import COURT, HARBOUR, NOW, POWER, TAX
from support.keyring import MonthKeys

KEY = SigningKey.from_bytes(bytes(32))
OWN, OTHER = (EnvelopeKey.from_bytes(bytes([n]) * 32) for n in range(1, 3))
AUDIT = MonthKeys("csj", NOW)
SEALING = AUDIT.sealing.of("91310000999999999X", NOW)


def permit(**changes: Any) -> Permit:
    fields: dict[str, Any] = {
        "id": bytes(16),
        "chain": "csj",
        "bank": HARBOUR,
        "certificate": bytes(32),
        "ctx": bytes(32),
        "epoch": 1,
        "purpose": "02",
        "audience": (POWER, TAX),
        "blinded": bytes(32),
        "consent_tag": bytes(32),
        "issued": NOW,
        "expires": NOW + 3600,
    }
    return Permit(**(fields | changes))


def evidence(**changes: Any) -> Evidence:
    fields: dict[str, Any] = {
        "permit": permit().hash,
        "consent": "header.payload.signature",
        "uscc": "91310000999999999X",
        "proof": bytes(64),
        "tag_key": bytes(32),
        "officer": "officer-7",
        "reference": "loan-9",
    }
    return Evidence(**(fields | changes))


def test_permit_round_trip() -> None:
    signed = permit().sign(KEY)
    assert Permit.open_(signed, KEY.public) == permit()
    with pytest.raises(SignatureInvalid):
        Permit.open_(signed, SigningKey.generate().public)
    with pytest.raises(SignatureInvalid):
        Permit.open_(evidence().sign(KEY), KEY.public)


def test_permit_names_no_enterprise() -> None:
    """What a holder sees of the consent is a keyed tag; nothing else of it is here."""
    assert set(json.loads(permit().payload())) == {
        "audience",
        "bank",
        "blinded",
        "certificate",
        "chain",
        "consent_tag",
        "ctx",
        "epoch",
        "expires",
        "id",
        "issued",
        "purpose",
    }


def test_permits_are_of_one_length() -> None:
    payloads = {
        len(permit(id=bytes([n]) * 16, blinded=bytes([n]) * 32, issued=NOW + n).payload())
        for n in range(256)
    }
    assert len(payloads) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"id": bytes(15)},
        {"blinded": bytes(31)},
        {"ctx": b""},
        {"epoch": 0},
        {"purpose": "2"},
        {"purpose": "020"},
        {"purpose": "ab"},
        {"issued": 0},
        {"audience": "tax"},
    ],
    ids=str,
)
def test_impossible_permit(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        permit(**changes)


def test_permit_that_is_not_canonical() -> None:
    payload = permit().payload()
    for bad in (payload + b" ", payload.replace(b'"epoch":1', b'"epoch":1.0')):
        with pytest.raises(DocumentError):
            Permit.parse(bad)
    with pytest.raises(DocumentError, match=r"permit\.extra"):
        Permit.parse(
            payload.replace(b'"epoch":1,', b'"epoch":1,').replace(b'"id"', b'"extra":1,"id"')
        )


def test_tag_is_keyed() -> None:
    key, digest = bytes(range(32)), hashlib.sha256(b"consent").digest()
    tag = consent_tag(key, digest)
    assert tag == hmac.new(key, digest, hashlib.sha256).digest()
    assert len({tag, consent_tag(bytes(32), digest), consent_tag(key, bytes(32)), digest}) == 4


# --- evidence ----------------------------------------------------------------------------------


def test_evidence_for_the_regulator() -> None:
    sealed = seal_to_regulator(evidence(), SEALING)
    assert open_for_audit(sealed, permit().hash, NOW, AUDIT) == evidence()
    other = MonthKeys("csj", NOW)
    other.statements = AUDIT.statements
    other.secrets = dict.fromkeys(AUDIT.secrets, OTHER)
    for digest, keys in ((bytes(32), AUDIT), (permit().hash, other)):
        with pytest.raises(EnvelopeError):
            open_for_audit(sealed, digest, NOW, keys)


def test_evidence_for_a_named_holder_lacks_the_banks_pseudonyms() -> None:
    sealed = seal_to_named(evidence(), COURT, OWN.public)
    shown = open_as_named(sealed, permit().hash, COURT, OWN)
    assert shown == evidence(officer="", reference="")
    for digest, holder, key in (
        (bytes(32), COURT, OWN),
        (permit().hash, TAX, OWN),  # sealed to another holder's name
        (permit().hash, COURT, OTHER),
    ):
        with pytest.raises(EnvelopeError):
            open_as_named(sealed, digest, holder, key)


def test_envelopes_of_one_purpose_do_not_open_as_another() -> None:
    for_audit = seal_to_regulator(evidence(), SEALING)
    with pytest.raises(EnvelopeError):
        open_as_named(for_audit, permit().hash, COURT, OWN)
    for_holder = seal_to_named(evidence(), COURT, OWN.public)
    with pytest.raises(EnvelopeError):
        open_for_audit(SEALING.id + for_holder, permit().hash, NOW, AUDIT)


def test_envelopes_are_of_one_size() -> None:
    sizes = {
        len(seal_to_regulator(evidence(consent=consent, officer=officer), SEALING))
        for consent in ("a", "a" * 8192)
        for officer in ("", "o" * 64)
    }
    assert sizes == {KEY_ID_BYTES + sealed_size(EVIDENCE_BYTES)}


def test_longest_consent_and_pseudonyms_fit() -> None:
    """A consent has at most 8192 bytes; pseudonyms 64 characters of up to six bytes in JSON."""
    longest = evidence(consent="a" * 8192, officer="\x01" * 64, reference="\x01" * 64)
    sealed = seal_to_regulator(longest, SEALING)
    assert open_for_audit(sealed, permit().hash, NOW, AUDIT) == longest
    assert EVIDENCE_BYTES - 64 < len(longest.payload()) <= EVIDENCE_BYTES


@pytest.mark.parametrize(
    "changes",
    [{"officer": "o" * 65}, {"reference": "r" * 65}, {"proof": bytes(63)}, {"tag_key": b""}],
    ids=lambda changes: next(iter(changes)),
)
def test_impossible_evidence(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        evidence(**changes)


def test_sealed_bytes_that_are_no_evidence() -> None:
    key = EnvelopePublicKey(SEALING.public)
    for content in (b"", b"{}", permit().payload(), evidence().payload() + b" "):
        raw = seal(key, AUDIT_PURPOSE, permit().hash, content, EVIDENCE_BYTES)
        sealed = SEALING.id + raw
        with pytest.raises(DocumentError):
            open_for_audit(sealed, permit().hash, NOW, AUDIT)
