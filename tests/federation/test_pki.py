"""Certificates: their profile, and attempts to get or use one for somebody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federation.authority import key_usage
from federation.errors import IdentityError
from federation.identity import Role, SpiffeId
from federation.pki import (
    CertificateAuthority,
    SubjectAuthority,
    load_certificate,
    make_csr,
    new_tls_key,
    tls_key_from_pem,
    tls_key_to_pem,
    verify_subject,
)
from federation.signed import SigningKey
from federation.subjects import CONSENT_USAGE
from federation.uscc import Uscc

NOW = 1_790_000_000
DAY = 86_400
DOMAIN = "csj.yinxin.example"
HUB = SpiffeId(DOMAIN, Role.HUB, "main")
FIRM = Uscc.generate(7)
CHAIN = CertificateAuthority.create(DOMAIN, NOW)
LICENCE = SubjectAuthority.create("licence.yinxin.example", NOW)
KEY = SigningKey.from_bytes(bytes(range(32)))


def _extension(certificate: x509.Certificate, kind: Any) -> Any:
    return certificate.extensions.get_extension_for_class(kind)


def test_a_root_may_sign_leaves_of_its_domain_and_nothing_else() -> None:
    root = CHAIN.certificate
    constraints = _extension(root, x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    usage = _extension(root, x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    domains = _extension(root, x509.NameConstraints)
    assert domains.critical
    assert [name.value for name in domains.value.permitted_subtrees] == [DOMAIN]
    assert isinstance(root.public_key(), ec.EllipticCurvePublicKey)
    root.verify_directly_issued_by(root)


def test_a_root_survives_pem() -> None:
    copy = CertificateAuthority.from_pem(CHAIN.certificate_pem, CHAIN.key_to_pem())
    assert copy.certificate == CHAIN.certificate
    assert copy.trust_domain == DOMAIN
    with pytest.raises(IdentityError, match="does not belong"):
        CertificateAuthority.from_pem(CHAIN.certificate_pem, LICENCE.key_to_pem())
    with pytest.raises(IdentityError):
        CertificateAuthority.from_pem(b"nonsense", CHAIN.key_to_pem())


def test_a_tls_certificate_has_the_profile_of_an_svid() -> None:
    key = new_tls_key()
    pem = CHAIN.issue_tls(
        make_csr(key), HUB, NOW, 30, ["hub.example", "localhost"], [ip_address("127.0.0.1")]
    )
    leaf = load_certificate(pem)
    leaf.verify_directly_issued_by(CHAIN.certificate)
    assert leaf.public_key() == key.public_key()
    names = _extension(leaf, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [str(HUB)]
    assert names.get_values_for_type(x509.DNSName) == ["hub.example", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1")]
    constraints = _extension(leaf, x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    usage = _extension(leaf, x509.KeyUsage)
    assert usage.critical
    assert usage.value == key_usage(certificates=False)
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert set(_extension(leaf, x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }
    root_id = _extension(CHAIN.certificate, x509.SubjectKeyIdentifier).value.digest
    assert _extension(leaf, x509.AuthorityKeyIdentifier).value.key_identifier == root_id
    assert _extension(leaf, x509.SubjectKeyIdentifier)
    assert leaf.not_valid_after_utc == datetime.fromtimestamp(NOW + 30 * DAY, UTC)


def test_serial_numbers_are_random() -> None:
    csr = make_csr(new_tls_key())
    serials = {load_certificate(CHAIN.issue_tls(csr, HUB, NOW, 1)).serial_number for _ in range(3)}
    assert len(serials) == 3
    assert min(serials) > 2**64


def test_no_certificate_for_another_trust_domain() -> None:
    foreign = SpiffeId("zsj.yinxin.example", Role.HUB, "main")
    with pytest.raises(IdentityError, match="not within"):
        CHAIN.issue_tls(make_csr(new_tls_key()), foreign, NOW, 30)


def test_no_certificate_for_somebody_elses_key() -> None:
    # A request whose key was exchanged: the signature is of another key.
    mine, theirs = make_csr(new_tls_key()), make_csr(new_tls_key())
    own = x509.load_pem_x509_csr(mine).public_bytes(serialization.Encoding.DER)
    other = x509.load_pem_x509_csr(theirs)
    point = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    forged = own.replace(
        x509.load_pem_x509_csr(mine).public_key().public_bytes(*point),
        other.public_key().public_bytes(*point),
    )
    assert forged != own
    pem = x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(IdentityError, match="not signed with its own key"):
        CHAIN.issue_tls(pem, HUB, NOW, 30)


def test_names_in_a_request_are_ignored() -> None:
    key = new_tls_key()
    evil = x509.UniformResourceIdentifier(f"spiffe://{DOMAIN}/regulator/main")
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "regulator")]))
        .add_extension(x509.SubjectAlternativeName([evil]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = CHAIN.issue_tls(request.public_bytes(serialization.Encoding.PEM), HUB, NOW, 30)
    leaf = load_certificate(pem)
    names = _extension(leaf, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [str(HUB)]
    assert not _extension(leaf, x509.BasicConstraints).value.ca
    assert "regulator" not in leaf.subject.rfc4514_string()


def _request(key: Any, algorithm: Any) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)


def test_keys_of_other_kinds_get_no_certificate() -> None:
    p384 = _request(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
    weak = _request(rsa.generate_private_key(65537, 2048), hashes.SHA256())
    for csr in (p384, weak, make_csr(KEY), b"", b"nonsense"):
        with pytest.raises(IdentityError):
            CHAIN.issue_tls(csr, HUB, NOW, 30)
    for csr in (p384, weak, make_csr(new_tls_key())):
        with pytest.raises(IdentityError):
            LICENCE.certify_subject(csr, FIRM, NOW, 30)


@pytest.mark.parametrize("days", [0, -1, 4000])
def test_a_leaf_does_not_outlive_its_root(days: int) -> None:
    with pytest.raises(IdentityError, match="days"):
        CHAIN.issue_tls(make_csr(new_tls_key()), HUB, NOW, days)


def test_a_host_name_must_be_ascii() -> None:
    with pytest.raises(IdentityError, match="ASCII"):
        CHAIN.issue_tls(make_csr(new_tls_key()), HUB, NOW, 30, ["中心.example"])


def test_tls_keys_survive_pem_and_others_are_refused() -> None:
    key = new_tls_key()
    assert tls_key_from_pem(tls_key_to_pem(key)).public_key() == key.public_key()
    for pem in (b"", KEY.to_pem()):
        with pytest.raises(IdentityError):
            tls_key_from_pem(pem)


# -- the keys of enterprises ------------------------------------------------------------------


def _certified(days: int = 365) -> bytes:
    return LICENCE.certify_subject(make_csr(KEY), FIRM, NOW, days)


def test_a_consent_key_is_established() -> None:
    assert verify_subject(_certified(), LICENCE.certificate_pem, NOW) == (FIRM, KEY.public)


def test_validity_is_judged_at_the_time_given() -> None:
    certificate = _certified(days=10)
    verify_subject(certificate, LICENCE.certificate_pem, NOW + 10 * DAY)
    for now in (NOW + 10 * DAY + 1, NOW - DAY):
        with pytest.raises(IdentityError, match="not valid at this time"):
            verify_subject(certificate, LICENCE.certificate_pem, now)


def test_a_hub_cannot_make_a_consent_key() -> None:
    hub = SubjectAuthority.create(DOMAIN, NOW)
    forged = hub.certify_subject(make_csr(KEY), FIRM, NOW, 365)
    with pytest.raises(IdentityError):
        verify_subject(forged, LICENCE.certificate_pem, NOW)
    # Nor with a root that copies the licence authority's name.
    imposter = SubjectAuthority.create(LICENCE.trust_domain, NOW)
    forged = imposter.certify_subject(make_csr(KEY), FIRM, NOW, 365)
    with pytest.raises(IdentityError):
        verify_subject(forged, LICENCE.certificate_pem, NOW)


def test_a_tls_certificate_of_the_firm_signs_no_consent() -> None:
    pem = LICENCE.certify_tls(make_csr(new_tls_key()), FIRM, NOW, 365)
    leaf = load_certificate(pem)
    names = _extension(leaf, x509.SubjectAlternativeName).value
    expected = f"spiffe://licence.yinxin.example/enterprise/{FIRM}"
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [expected]
    with pytest.raises(IdentityError):
        verify_subject(leaf.public_bytes(serialization.Encoding.DER), LICENCE.certificate_pem, NOW)


def _uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def _forge(**changes: Any) -> bytes:
    """A certificate that the licence authority itself signed, but with another profile."""
    signer = changes.get("signer", LICENCE)
    names = changes.get("names", [_uri(f"spiffe://{LICENCE.trust_domain}/enterprise/{FIRM}")])
    public = changes.get("public", KEY.private.public_key())
    begin = datetime.fromtimestamp(NOW, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(signer.certificate.subject)
        .public_key(public)
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.certificate.public_key()),
            critical=False,
        )
        .add_extension(
            x509.BasicConstraints(ca=changes.get("ca", False), path_length=None), critical=True
        )
        .add_extension(changes.get("usage", key_usage(certificates=False)), critical=True)
        .add_extension(x509.ExtendedKeyUsage(changes.get("usages", [CONSENT_USAGE])), False)
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if "extra" in changes:
        builder = builder.add_extension(changes["extra"], critical=True)
    certificate = builder.sign(signer._key, changes.get("hash", hashes.SHA256()))
    return certificate.public_bytes(serialization.Encoding.DER)


def test_the_forger_of_these_tests_makes_a_good_certificate_too() -> None:
    assert verify_subject(_forge(), LICENCE.certificate_pem, NOW) == (FIRM, KEY.public)


GOOD_URI = f"spiffe://{LICENCE.trust_domain}/enterprise/{FIRM}"
BAD_PROFILES: dict[str, dict[str, Any]] = {
    "two URI names": {"names": [_uri(GOOD_URI), _uri(GOOD_URI)]},
    "another firm beside": {"names": [_uri(GOOD_URI), _uri(GOOD_URI[:-18] + Uscc.generate(8))]},
    "a DNS name beside": {"names": [_uri(GOOD_URI), x509.DNSName("a.example")]},
    "no name": {"names": None},
    "not a SPIFFE id": {"names": [_uri("https://example.com/")]},
    "a bank": {"names": [_uri(f"spiffe://{LICENCE.trust_domain}/bank/{FIRM}")]},
    "another domain": {"names": [_uri(f"spiffe://{DOMAIN}/enterprise/{FIRM}")]},
    "no credit code": {"names": [_uri(f"spiffe://{LICENCE.trust_domain}/enterprise/acme")]},
    "lower case": {"names": [_uri(GOOD_URI[:-18] + "91512081ma62k0260e")]},
    "an authority": {"ca": True},
    "key usage": {"usage": key_usage(certificates=True)},
    "TLS usage": {"usages": [ExtendedKeyUsageOID.CLIENT_AUTH]},
    "any usage beside": {"usages": [CONSENT_USAGE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
    "another extension": {"extra": x509.InhibitAnyPolicy(0)},
    "P-256 key": {"public": new_tls_key().public_key()},
    "weaker hash": {"hash": hashes.SHA384()},
}


@pytest.mark.parametrize("profile", BAD_PROFILES)
def test_another_profile_is_refused_though_the_authority_signed(profile: str) -> None:
    with pytest.raises(IdentityError) as caught:
        verify_subject(_forge(**BAD_PROFILES[profile]), LICENCE.certificate_pem, NOW)
    assert FIRM not in str(caught.value)


def test_a_leaf_cannot_act_as_authority() -> None:
    leaf = load_certificate(LICENCE.certify_tls(make_csr(new_tls_key()), FIRM, NOW, 365))
    pem = leaf.public_bytes(serialization.Encoding.PEM)
    with pytest.raises(IdentityError, match="may not sign certificates"):
        verify_subject(_certified(), pem, NOW)


@pytest.mark.parametrize("der", [b"", b"nonsense", bytes(5000)])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(IdentityError):
        verify_subject(der, LICENCE.certificate_pem, NOW)


def test_bytes_after_the_certificate_are_refused() -> None:
    with pytest.raises(IdentityError):
        verify_subject(_certified() + b"\0", LICENCE.certificate_pem, NOW)


def test_a_flipped_bit_in_the_certificate_is_refused() -> None:
    good = _certified()
    for position in range(0, len(good), 7):
        changed = bytearray(good)
        changed[position] ^= 1
        with pytest.raises(IdentityError):
            verify_subject(bytes(changed), LICENCE.certificate_pem, NOW)


def test_ed25519_roots_are_refused() -> None:
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    begin = datetime.fromtimestamp(NOW, UTC)
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .sign(key, None)
    )
    with pytest.raises(IdentityError):
        verify_subject(_certified(), root.public_bytes(serialization.Encoding.PEM), NOW)
