"""Development consents: what is read back, and every way to have one that the firm did not give."""

from __future__ import annotations

import json

import pytest

from federation.canonical import canonical_json
from federation.compact import sign_compact
from federation.consent import ConsentClaims, sign_consent, verify_consent
from federation.development.consent import (
    DEVELOPMENT_TYPE,
    DevelopmentConsent,
    read_unverified,
    sign_development_consent,
    verify_development_consent,
)
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.purpose import Purpose
from federation.subjects import SubjectAuthority
from federation.uscc import Uscc
from support.development import DAY, development_consent
from support.people import Firm

NOW = 1_790_000_000
DOMAIN = "csj.yinxin.example"
ISSUER = "licence.yinxin.example"
CHAIN = "csj"
LICENCE = SubjectAuthority.create(ISSUER, NOW - DAY)
FIRM, OTHER = (Firm(Uscc.generate(n), LICENCE, NOW - DAY) for n in (7, 8))
BANK, RIVAL = (SpiffeId(DOMAIN, Role.BANK, name) for name in ("harbour", "delta"))


def given(signer: Firm = FIRM, **changes: object) -> str:
    return development_consent(signer, ISSUER, BANK, CHAIN, NOW, **changes)


def verified(compact: str, now: int = NOW) -> DevelopmentConsent:
    authority = LICENCE.certificate_pem
    return verify_development_consent(compact, authority, BANK, CHAIN, now)


def reason(compact: str, now: int = NOW) -> Reason:
    with pytest.raises(Refusal) as refused:
        verified(compact, now)
    return refused.value.reason


def test_what_was_signed_is_read_back() -> None:
    consent = verified(given(id=bytes(range(16))))
    assert (consent.uscc, consent.bank, consent.chains) == (FIRM.uscc, BANK, (CHAIN,))
    assert (consent.issued_at, consent.expires) == (NOW - 60, NOW + 30 * DAY)
    assert consent.id == bytes(range(16))
    assert read_unverified(given(id=bytes(range(16)))) == consent
    assert FIRM.uscc not in repr(consent)


@pytest.mark.parametrize(
    ("changes", "now", "why"),
    [
        ({}, NOW + 30 * DAY, Reason.EXPIRED),
        ({}, NOW - 61, Reason.NOT_YET_VALID),
        ({"issued_at": NOW + 301}, NOW, Reason.NOT_YET_VALID),
        ({"not_before": NOW + 1}, NOW, Reason.NOT_YET_VALID),
        ({"bank": RIVAL}, NOW, Reason.WRONG_BANK),
        ({"chains": ("zsj",)}, NOW, Reason.WRONG_CHAIN),
        ({"issuer": "elsewhere.example"}, NOW, Reason.NO_CONSENT),
        ({"uscc": OTHER.uscc}, NOW, Reason.NO_CONSENT),
    ],
)
def test_one_that_does_not_hold_is_refused(
    changes: dict[str, object], now: int, why: Reason
) -> None:
    assert reason(given(**changes), now) is why


def test_a_query_consent_is_none() -> None:
    claims = ConsentClaims(
        issuer=ISSUER,
        uscc=FIRM.uscc,
        bank=BANK,
        purpose=Purpose.LOAN_APPROVAL,
        fields=("money",),
        chains=(CHAIN,),
        issued_at=NOW,
        not_before=NOW,
        expires=NOW + DAY,
    )
    query = sign_consent(claims, FIRM.key, FIRM.certificate)
    verify_consent(query, LICENCE.certificate_pem, NOW)
    assert reason(query) is Reason.MALFORMED


def test_it_opens_no_query() -> None:
    with pytest.raises(Refusal) as refused:
        verify_consent(given(), LICENCE.certificate_pem, NOW)
    assert refused.value.reason is Reason.MALFORMED


def test_one_of_another_authority_or_a_broken_one_is_refused() -> None:
    stranger = SubjectAuthority.create(ISSUER, NOW - DAY)
    firm = Firm(FIRM.uscc, stranger, NOW - DAY)
    assert reason(given(firm)) is Reason.NO_CONSENT
    head, payload, _ = given().split(".")
    _, _, signature = given(id=bytes(16)).split(".")
    assert reason(f"{head}.{payload}.{signature}") is Reason.NO_CONSENT


def test_one_with_more_or_fewer_claims_is_refused() -> None:
    whole = DevelopmentConsent(
        issuer=ISSUER,
        uscc=FIRM.uscc,
        bank=BANK,
        chains=(CHAIN,),
        issued_at=NOW,
        not_before=NOW,
        expires=NOW + DAY,
    )
    claims = json.loads(whole.payload())
    for changed in ({**claims, "uses": 5}, {k: v for k, v in claims.items() if k != "chains"}):
        signed = sign_compact(DEVELOPMENT_TYPE, canonical_json(changed), FIRM.key, FIRM.certificate)
        assert reason(signed) is Reason.MALFORMED
    with pytest.raises(DocumentError, match="chains: is empty"):
        given(chains=())
    longest = NOW - 60 + 366 * DAY
    assert verified(given(expires=longest)).expires == longest
    with pytest.raises(DocumentError, match="366 days"):  # it cannot be cancelled
        given(expires=longest + 1)
    for_ever = canonical_json(claims | {"exp": longest + DAY})
    signed = sign_compact(DEVELOPMENT_TYPE, for_ever, FIRM.key, FIRM.certificate)
    assert reason(signed) is Reason.MALFORMED
    with pytest.raises(DocumentError, match="aud"):
        given(bank=SpiffeId(DOMAIN, Role.HOLDER, "tax"))
    assert sign_development_consent(whole, FIRM.key, FIRM.certificate).count(".") == 2
