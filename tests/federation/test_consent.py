"""Consents: what is read back, and every known way to make one without the enterprise."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from typing import Any

import pytest

from federation.canonical import b64, canonical_json, unb64
from federation.compact import ALGORITHM, MAX_COMPACT_BYTES, sign_compact
from federation.consent import (
    CANCELLATION_TYPE,
    CONSENT_TYPE,
    ConsentClaims,
    sign_cancellation,
    sign_consent,
    verify_cancellation,
    verify_consent,
)
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.pki import SubjectAuthority, load_certificate, make_csr, new_tls_key
from federation.purpose import PURPOSE_TITLES, Purpose
from federation.signed import SigningKey
from federation.uscc import Uscc

NOW = 1_790_000_000
DAY = 86_400
LICENCE = SubjectAuthority.create("licence.yinxin.example", NOW)
ROOT = LICENCE.certificate_pem
FIRM, OTHER_FIRM = Uscc.generate(7), Uscc.generate(8)
KEY, OTHER_KEY = SigningKey.from_bytes(bytes(range(32))), SigningKey.from_bytes(bytes(32))
CERTIFICATE = LICENCE.certify_subject(make_csr(KEY), FIRM, NOW, 365)
OTHER_CERTIFICATE = LICENCE.certify_subject(make_csr(OTHER_KEY), OTHER_FIRM, NOW, 365)
BANK = SpiffeId("csj.yinxin.example", Role.BANK, "first")
HOLDER = SpiffeId("csj.yinxin.example", Role.HOLDER, "credit-database")
CLAIMS = ConsentClaims(
    issuer=LICENCE.trust_domain,
    uscc=FIRM,
    bank=BANK,
    purpose=Purpose.LOAN_APPROVAL,
    fields=("operation", "default"),
    disclosed=("court/dishonest",),
    chains=("csj.yinxin.example",),
    named=(HOLDER,),
    issued_at=NOW,
    not_before=NOW,
    expires=NOW + 30 * DAY,
    uses=3,
    id=bytes(range(16)),
)
CONSENT = sign_consent(CLAIMS, KEY, CERTIFICATE)


def _reason(jws: str, now: int = NOW, root: bytes = ROOT) -> Reason:
    with pytest.raises(Refusal) as caught:
        verify_consent(jws, root, now)
    assert FIRM not in str(caught.value) + caught.value.detail
    return caught.value.reason


def _signed(claims: object, typ: str = CONSENT_TYPE, key: SigningKey = KEY) -> str:
    """A correctly signed statement whose payload is not what this package would write."""
    raw = claims if isinstance(claims, bytes) else canonical_json(claims)
    return sign_compact(typ, raw, key, CERTIFICATE if key is KEY else OTHER_CERTIFICATE)


def _raw(header: object, payload: bytes, key: SigningKey = KEY) -> str:
    """A JWS with any header at all, signed by hand."""
    head = header if isinstance(header, bytes) else canonical_json(header)
    signed = f"{b64(head)}.{b64(payload)}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"


def _header(**changes: Any) -> dict[str, Any]:
    chain = [base64.b64encode(CERTIFICATE).decode()]
    return {"alg": ALGORITHM, "typ": CONSENT_TYPE, "x5c": chain, **changes}


def test_a_consent_is_read_back() -> None:
    consent = verify_consent(CONSENT, ROOT, NOW)
    assert consent.compact == CONSENT
    assert consent.hash == hashlib.sha256(CONSENT.encode()).digest()
    read = {f.name: getattr(consent, f.name) for f in dataclasses.fields(CLAIMS)}
    assert read == {f.name: getattr(CLAIMS, f.name) for f in dataclasses.fields(CLAIMS)}
    assert consent.fields == ("default", "operation")


def test_the_signed_form_is_a_plain_jws() -> None:
    header, payload, signature = (unb64(part) for part in CONSENT.split("."))
    assert json.loads(header) == _header()
    assert json.loads(payload)["sub"] == FIRM
    KEY.verify_key.verify(signature, CONSENT.rpartition(".")[0].encode())
    assert _raw(_header(), CLAIMS.payload()) == CONSENT


def test_the_text_form_of_a_consent_shows_no_firm() -> None:
    shown = repr(CLAIMS) + repr(verify_consent(CONSENT, ROOT, NOW))
    assert FIRM not in shown
    assert CONSENT not in shown


def test_every_consent_has_an_id_of_its_own() -> None:
    given = {f.name: getattr(CLAIMS, f.name) for f in dataclasses.fields(CLAIMS)}
    del given["id"]
    assert len({ConsentClaims(**given).id for _ in range(3)}) == 3


def test_times() -> None:
    assert _reason(CONSENT, NOW - 1) is Reason.NOT_YET_VALID
    verify_consent(CONSENT, ROOT, NOW + 30 * DAY - 1)
    assert _reason(CONSENT, NOW + 30 * DAY) is Reason.EXPIRED


# -- forging ----------------------------------------------------------------------------------


def test_attack_algorithm_none() -> None:
    for alg in ("none", "None", "NONE", ""):
        unsigned = f"{b64(canonical_json(_header(alg=alg)))}.{b64(CLAIMS.payload())}."
        assert _reason(unsigned) is Reason.MALFORMED
        assert _reason(_raw(_header(alg=alg), CLAIMS.payload())) is Reason.MALFORMED


def test_attack_no_signature_or_a_short_one() -> None:
    stripped = CONSENT.rpartition(".")[0]
    assert _reason(stripped + ".") is Reason.NO_CONSENT
    assert _reason(f"{stripped}.{b64(bytes(63))}") is Reason.NO_CONSENT
    assert _reason(f"{stripped}.{b64(bytes(64))}") is Reason.NO_CONSENT


def test_attack_hs256_with_the_public_key_as_secret() -> None:
    signed = f"{b64(canonical_json(_header(alg='HS256')))}.{b64(CLAIMS.payload())}"
    for secret in (KEY.public, CERTIFICATE, ROOT):
        tag = hmac.digest(secret, signed.encode(), "sha256")
        assert _reason(f"{signed}.{b64(tag)}") is Reason.MALFORMED


@pytest.mark.parametrize("alg", ["EdDSA", "Ed448", "ES256", "ed25519"])
def test_attack_another_algorithm_name(alg: str) -> None:
    assert _reason(_raw(_header(alg=alg), CLAIMS.payload())) is Reason.MALFORMED


def test_attack_certificate_of_another_firm() -> None:
    # Another firm signs, with its own certificate, a consent in the name of this one.
    assert _reason(_signed(CLAIMS.payload(), key=OTHER_KEY)) is Reason.NO_CONSENT
    # It signs, and shows this firm's certificate, which is public.
    assert _reason(_raw(_header(), CLAIMS.payload(), OTHER_KEY)) is Reason.NO_CONSENT
    # It exchanges the certificate in this firm's consent for its own.
    chain = [base64.b64encode(OTHER_CERTIFICATE).decode()]
    _, payload, signature = CONSENT.split(".")
    swapped = f"{b64(canonical_json(_header(x5c=chain)))}.{payload}.{signature}"
    assert _reason(swapped) is Reason.NO_CONSENT


def test_attack_two_certificates() -> None:
    both = [base64.b64encode(c).decode() for c in (CERTIFICATE, OTHER_CERTIFICATE)]
    for chain in (both, both[::-1], [], both[0]):
        assert _reason(_raw(_header(x5c=chain), CLAIMS.payload())) is Reason.MALFORMED


def test_attack_key_in_the_header() -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(OTHER_KEY.public)}
    forged = _raw(_header(jwk=jwk), CLAIMS.payload(), OTHER_KEY)
    assert _reason(forged) is Reason.MALFORMED


def test_attack_critical_and_unencoded_payload() -> None:
    forged = _raw(_header(b64=False, crit=["b64"]), CLAIMS.payload())
    assert _reason(forged) is Reason.MALFORMED


def test_attack_a_hub_that_certifies_keys_itself() -> None:
    for domain in ("csj.yinxin.example", LICENCE.trust_domain):
        rogue = SubjectAuthority.create(domain, NOW)
        certificate = rogue.certify_subject(make_csr(OTHER_KEY), FIRM, NOW, 365)
        forged = sign_consent(CLAIMS, OTHER_KEY, certificate)
        assert _reason(forged) is Reason.NO_CONSENT
        verify = dataclasses.replace(CLAIMS, issuer=domain)
        # The same statement is good where that authority is the trusted one.
        twin = sign_consent(verify, OTHER_KEY, certificate)
        assert verify_consent(twin, rogue.certificate_pem, NOW).uscc == FIRM


def test_attack_the_tls_key_of_the_firm() -> None:
    key = new_tls_key()
    leaf = load_certificate(LICENCE.certify_tls(make_csr(key), FIRM, NOW, 365))
    from cryptography.hazmat.primitives.serialization import Encoding

    chain = [base64.b64encode(leaf.public_bytes(Encoding.DER)).decode()]
    assert _reason(_raw(_header(x5c=chain), CLAIMS.payload())) is Reason.NO_CONSENT


def test_attack_expired_certificate() -> None:
    brief = LICENCE.certify_subject(make_csr(KEY), FIRM, NOW, 1)
    consent = sign_consent(CLAIMS, KEY, brief)
    verify_consent(consent, ROOT, NOW + DAY)
    assert _reason(consent, NOW + DAY + 1) is Reason.NO_CONSENT


def test_attack_another_licence_domain_in_iss() -> None:
    foreign = dataclasses.replace(CLAIMS, issuer="licence.zsj.example")
    assert _reason(sign_consent(foreign, KEY, CERTIFICATE)) is Reason.NO_CONSENT


def test_attack_changed_claims() -> None:
    header, _, signature = CONSENT.split(".")
    for change in ({"uses": 100}, {"expires": NOW + 999 * DAY}, {"uscc": OTHER_FIRM}):
        payload = dataclasses.replace(CLAIMS, **change).payload()
        assert _reason(f"{header}.{b64(payload)}.{signature}") is Reason.NO_CONSENT


def test_attack_second_byte_form_of_one_consent() -> None:
    # A second form has a second hash, and would be counted as a second consent.
    header, payload, signature = CONSENT.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 64 bytes leave four stray bits in the last character, which lenient decoders ignore.
    stray = signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]
    assert base64.urlsafe_b64decode(stray + "==") == base64.urlsafe_b64decode(signature + "==")
    for form in (
        f"{header}.{payload}.{stray}",
        f"{header}.{payload}.{signature}==",
        f"{header}.{payload}.{signature}\n",
        f" {CONSENT}",
        f"{CONSENT}.",
        f"{header}.{payload}.{signature}\ud800",
    ):
        assert _reason(form) is Reason.MALFORMED


def test_attack_wrong_typ() -> None:
    assert _reason(_signed(CLAIMS.payload(), typ="JWT")) is Reason.MALFORMED
    cancellation = sign_cancellation(CONSENT, KEY, CERTIFICATE, NOW)
    assert _reason(cancellation) is Reason.MALFORMED
    assert _reason(_signed(CLAIMS.payload(), typ=CANCELLATION_TYPE)) is Reason.MALFORMED
    with pytest.raises(Refusal) as caught:
        verify_cancellation(CONSENT, ROOT, NOW)
    assert caught.value.reason is Reason.MALFORMED


def _changed(**changes: Any) -> dict[str, Any]:
    return {**json.loads(CLAIMS.payload()), **changes}


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in _changed().items() if key != name}


BAD_CLAIMS: dict[str, object] = {
    "extra claim": _changed(admin=True),
    "duplicate claim": CLAIMS.payload().replace(b'"uses":3', b'"uses":3,"uses":9'),
    "whitespace": CLAIMS.payload().replace(b'"uses":3', b'"uses": 3'),
    "no claims": b"",
    "no object": [],
    "null sub": _changed(sub=None),
    "sub in lower case": _changed(sub="91512081ma62k0260e"),
    "sub with a wrong check": _changed(sub="914403001922038217"),
    "aud is a holder": _changed(aud=str(HOLDER)),
    "aud is a list": _changed(aud=[str(BANK)]),
    "purpose unknown": _changed(purpose="03"),
    "purpose is a number": _changed(purpose=2),
    "no field": _changed(fields=[]),
    "fields a string": _changed(fields="default"),
    "fields unsorted": _changed(fields=["operation", "default"]),
    "fields twice": _changed(fields=["default", "default"]),
    "field blank": _changed(fields=[""]),
    "field not text": _changed(fields=[1]),
    "too many fields": _changed(fields=[f"f{i:03}" for i in range(65)]),
    "no chain": _changed(chains=[]),
    "named is a bank": _changed(named=[str(BANK)]),
    "named is no id": _changed(named=["credit-database"]),
    "exp before nbf": _changed(exp=NOW),
    "negative nbf": _changed(nbf=-1),
    "signed when it ends": _changed(iat=NOW + 30 * DAY),
    "exp a string": _changed(exp=str(NOW)),
    "nbf true": _changed(nbf=True),
    "no use": _changed(uses=0),
    "uses beyond the bound": _changed(uses=10_001),
    "short jti": _changed(jti=b64(bytes(15))),
    "jti padded": _changed(jti=b64(bytes(16)) + "=="),
    **{f"without {name}": _without(name) for name in json.loads(CLAIMS.payload())},
}


@pytest.mark.parametrize("case", BAD_CLAIMS)
def test_other_claims_are_malformed_though_the_firm_signed(case: str) -> None:
    assert _reason(_signed(BAD_CLAIMS[case])) is Reason.MALFORMED


def test_claims_are_not_parsed_before_the_signature_verifies() -> None:
    # Were they parsed first, the reason would be `malformed`.
    assert _reason(_raw(_header(), b"{", OTHER_KEY)) is Reason.NO_CONSENT
    assert _reason(_raw(_header(), b"{", KEY)) is Reason.MALFORMED


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"[]", b'{"alg":"Ed25519"}', canonical_json(_header()) + b" ", b"\xff"],
)
def test_other_headers_are_malformed(header: bytes) -> None:
    assert _reason(_raw(header, CLAIMS.payload())) is Reason.MALFORMED


@pytest.mark.parametrize("jws", ["", ".", "..", "a.b", "a.b.c.d", "x" * (MAX_COMPACT_BYTES + 1)])
def test_what_is_no_jws_is_malformed(jws: str) -> None:
    assert _reason(jws) is Reason.MALFORMED


def test_oversized_consents_are_neither_made_nor_read() -> None:
    long = dataclasses.replace(CLAIMS, disclosed=tuple(f"{i:0128}" for i in range(60)))
    with pytest.raises(DocumentError, match="at most 8192"):
        sign_consent(long, KEY, CERTIFICATE)
    assert _reason(_raw(_header(), long.payload())) is Reason.MALFORMED


def test_impossible_claims_cannot_be_made() -> None:
    for change in (
        {"bank": HOLDER},
        {"named": (BANK,)},
        {"fields": ()},
        {"chains": ()},
        {"expires": NOW},
        {"uses": 0},
        {"id": b""},
        {"disclosed": ("with blank",)},
    ):
        with pytest.raises(DocumentError):
            dataclasses.replace(CLAIMS, **change)


def test_every_purpose_of_the_catalogue_has_a_title_in_both_languages() -> None:
    codes = ["01", "02", "08", "09", "20", "21", "22", "23", "24", "25", "26"]
    assert [purpose.value for purpose in Purpose] == codes
    assert all(set(PURPOSE_TITLES[purpose]) == {"zh", "en"} for purpose in Purpose)


def test_a_consent_signed_after_the_query_does_not_cover_it_however_early_it_begins() -> None:
    later = sign_consent(dataclasses.replace(CLAIMS, issued_at=NOW + 301), KEY, CERTIFICATE)
    assert _reason(later) is Reason.NOT_YET_VALID
    assert verify_consent(later, ROOT, NOW + 1).issued_at == NOW + 301


# -- cancellation -----------------------------------------------------------------------------


def test_a_cancellation_cancels_its_consent_and_no_other() -> None:
    consent = verify_consent(CONSENT, ROOT, NOW)
    cancellation = verify_cancellation(sign_cancellation(CONSENT, KEY, CERTIFICATE, NOW), ROOT, NOW)
    assert cancellation.cancels(consent)
    assert cancellation.consent_hash == consent.hash
    other = sign_consent(dataclasses.replace(CLAIMS, id=bytes(16)), KEY, CERTIFICATE)
    assert not cancellation.cancels(verify_consent(other, ROOT, NOW))
    assert FIRM not in repr(cancellation)


def test_a_consent_that_does_not_hold_yet_can_be_cancelled_with_a_renewed_key() -> None:
    later = dataclasses.replace(CLAIMS, not_before=NOW + DAY)
    consent = sign_consent(later, KEY, CERTIFICATE)
    renewed = SigningKey.generate()
    certificate = LICENCE.certify_subject(make_csr(renewed), FIRM, NOW, 365)
    cancellation = sign_cancellation(consent, renewed, certificate, NOW)
    assert verify_cancellation(cancellation, ROOT, NOW).cancels(
        verify_consent(consent, ROOT, NOW + DAY)
    )


def test_attack_another_firm_cancels() -> None:
    in_its_name = sign_cancellation(CONSENT, OTHER_KEY, OTHER_CERTIFICATE, NOW)
    with pytest.raises(Refusal) as caught:
        verify_cancellation(in_its_name, ROOT, NOW)
    assert caught.value.reason is Reason.NO_CONSENT
    consent = verify_consent(CONSENT, ROOT, NOW)
    claims = {
        "iss": LICENCE.trust_domain,
        "sub": OTHER_FIRM,
        "jti": b64(consent.id),
        "consent": b64(consent.hash),
        "iat": NOW,
    }
    own = _signed(claims, CANCELLATION_TYPE, OTHER_KEY)
    assert not verify_cancellation(own, ROOT, NOW).cancels(consent)


def test_a_cancellation_from_the_future_waits() -> None:
    cancellation = sign_cancellation(CONSENT, KEY, CERTIFICATE, NOW + 301)
    with pytest.raises(Refusal) as caught:
        verify_cancellation(cancellation, ROOT, NOW)
    assert caught.value.reason is Reason.NOT_YET_VALID
    assert verify_cancellation(cancellation, ROOT, NOW + 1)


@pytest.mark.parametrize(
    "change", [{"iat": "0"}, {"jti": ""}, {"consent": ""}, {"extra": 1}, {"sub": "x"}]
)
def test_other_cancellations_are_malformed(change: dict[str, Any]) -> None:
    good = sign_cancellation(CONSENT, KEY, CERTIFICATE, NOW)
    claims = json.loads(unb64(good.split(".")[1]))
    with pytest.raises(Refusal) as caught:
        verify_cancellation(_signed({**claims, **change}, CANCELLATION_TYPE), ROOT, NOW)
    assert caught.value.reason is Reason.MALFORMED


def test_only_a_consent_can_be_cancelled() -> None:
    for text in ("", "a.b", "..", sign_cancellation(CONSENT, KEY, CERTIFICATE, NOW)):
        with pytest.raises(DocumentError):
            sign_cancellation(text, KEY, CERTIFICATE, NOW)
