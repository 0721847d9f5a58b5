"""Bundles: what a regulator hands out, and every way in which it could be another one's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey, KeySet

from federation.authority import CertificateAuthority
from federation.canonical import b64
from federation.entries import read_entry
from federation.errors import DocumentError, IdentityError, Reason, SignatureInvalid
from federation.identity import Role, dns_name
from federation.interchain.bundle import (
    MAX_AUTHORITIES,
    AuthorityKey,
    TrustBundle,
    authority_keys,
    bundle_entry,
    read_bundle,
    same_fingerprint,
)
from federation.signed import Signed, SigningKey
from federation.tlskeys import make_csr, new_tls_key
from support.checks import refused
from tests.federation.interchain.trusting import DAY, NOW, Peer

CSJ, ZSJ = Peer("csj"), Peer("zsj")


def leaf(authority: CertificateAuthority, peer: Peer, days: int = 30) -> x509.Certificate:
    party = peer.party(Role.HUB)
    pem = authority.issue_tls(make_csr(new_tls_key()), party, NOW, days, [dns_name(party)])
    return x509.load_pem_x509_certificate(pem)


def stand_in(domain: str, over: CertificateAuthority) -> bytes:
    """An authority for `domain` by name and key of another one, signed by whoever made it."""
    honest = CertificateAuthority.create(domain, NOW).certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(over.certificate.subject)
        .issuer_name(over.certificate.subject)
        .public_key(over.certificate.public_key())
        .serial_number(1)
        .not_valid_before(honest.not_valid_before_utc)
        .not_valid_after(honest.not_valid_after_utc)
    )
    for extension in honest.extensions:
        value: x509.ExtensionType = extension.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(over.certificate.public_key())
        builder = builder.add_extension(value, extension.critical)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(Encoding.PEM)


def test_a_reader_of_jwk_sets_understands_it() -> None:
    """SPIFFE Trust Domain and Bundle, 4.1 and 4.2; X509-SVID, 6: one certificate, no `kid`."""
    raw = CSJ.bundle().payload()
    value = json.loads(raw)
    (jwk,) = value["keys"]
    assert (jwk["use"], set(jwk)) == ("x509-svid", {"kty", "crv", "x", "y", "use", "x5c"})
    assert (value["spiffe_sequence"], value["spiffe_refresh_hint"]) == (1, 10)
    assert {name for name in value if not name.startswith("yinxin_")} == {
        "keys",
        "spiffe_sequence",
        "spiffe_refresh_hint",
    }
    generic = {name: item for name, item in jwk.items() if name != "use"}
    (key,) = KeySet.import_key_set({"keys": [generic]}).keys
    assert isinstance(key, ECKey)
    assert key.public_key.public_numbers() == (
        CSJ.authority.certificate.public_key().public_numbers()  # type: ignore[union-attr]
    )


def test_what_the_regulator_signed_is_read() -> None:
    bundle = CSJ.bundle()
    signed = bundle.sign(CSJ.signing)
    assert read_bundle(signed, NOW) == read_bundle(signed, NOW, bundle) == bundle
    root = bundle.root()
    assert (root.chain, root.regulator_signing) == ("csj", CSJ.signing.public)
    assert root.authority.encode() == CSJ.authority.certificate_pem
    body = read_entry(bundle_entry(bundle, NOW)).body
    assert body["document"] == b64(bundle.hash) and body["authorities"] == 1


def test_two_people_compare_the_fingerprint() -> None:
    shown = CSJ.bundle().fingerprint()
    assert len(shown.split()) == 16
    assert same_fingerprint(shown, shown.upper().replace(" ", ":"))
    assert not same_fingerprint(shown, ZSJ.bundle().fingerprint())
    assert not same_fingerprint(shown, shown[:-1]) and not same_fingerprint(shown, "")


def test_an_altered_bundle_is_not_the_regulators() -> None:
    signed = CSJ.bundle().sign(CSJ.signing)
    changed = CSJ.bundle(yinxin_hub_address="evil.example:7446").payload()
    for pinned in (None, CSJ.bundle()):
        with pytest.raises(SignatureInvalid):
            read_bundle(
                Signed(signed.payload_type, changed, signed.key_id, signed.signature), NOW, pinned
            )


def test_a_later_bundle_may_change_authorities_addresses_and_envelope_key() -> None:
    fresh = CertificateAuthority.create(CSJ.domain, NOW)
    both = authority_keys([CSJ.authority.certificate_pem, fresh.certificate_pem])
    later = CSJ.bundle(
        4, keys=both, yinxin_hub_address="b.example:1", yinxin_sealing=Peer("x").sealing
    )
    assert read_bundle(later.sign(CSJ.signing), NOW, CSJ.bundle()) == later
    for authority in (CSJ.authority, fresh):
        later.require_issued(leaf(authority, CSJ), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"yinxin_chain": "xxx"},
        {"yinxin_hub": CSJ.party(Role.HUB, "two")},
        {"yinxin_regulator": CSJ.party(Role.REGULATOR, "two")},
    ],
)
def test_a_later_bundle_names_the_same_parties(changes: dict[str, Any]) -> None:
    signed = CSJ.bundle(2, **changes).sign(CSJ.signing)
    refused(Reason.CONFLICT, lambda: read_bundle(signed, NOW, CSJ.bundle()))


def test_a_later_bundle_is_signed_by_the_pinned_key() -> None:
    """By no other key, whether it names it or not; and the signing key never changes."""
    other = SigningKey.generate()
    renamed = CSJ.bundle(2, yinxin_signing=other.public)
    for signed in (CSJ.bundle(2).sign(other), renamed.sign(other)):
        with pytest.raises(SignatureInvalid):
            read_bundle(signed, NOW, CSJ.bundle())
    changed = renamed.sign(CSJ.signing)
    refused(Reason.CONFLICT, lambda: read_bundle(changed, NOW, CSJ.bundle()))
    with pytest.raises(SignatureInvalid):  # and by hand: it is not signed by the key it names
        read_bundle(changed, NOW)


def test_an_older_bundle_and_a_second_one_of_a_sequence() -> None:
    older, other = CSJ.bundle(2), CSJ.bundle(3, spiffe_refresh_hint=11)
    for bundle in (older, other):
        signed = bundle.sign(CSJ.signing)
        refused(Reason.CONFLICT, lambda s=signed: read_bundle(s, NOW, CSJ.bundle(3)))


def test_a_bundle_has_its_time() -> None:
    signed = CSJ.bundle().sign(CSJ.signing)
    refused(Reason.NOT_YET_VALID, lambda: read_bundle(signed, NOW - 1))
    refused(Reason.EXPIRED, lambda: read_bundle(signed, NOW + 90 * DAY))
    with pytest.raises(ValueError, match="400 days"):
        CSJ.bundle(yinxin_not_after=NOW + 401 * DAY)


def test_an_authority_of_another_trust_domain() -> None:
    keys = authority_keys([CSJ.authority.certificate_pem, ZSJ.authority.certificate_pem])
    with pytest.raises(IdentityError, match="another trust domain"):
        read_bundle(CSJ.bundle(keys=keys).sign(CSJ.signing), NOW)


def test_an_authority_that_stands_in_another_ones_way() -> None:
    """Zsj's name and key in a certificate that names csj: a verifier could take it for zsj's."""
    keys = authority_keys([CSJ.authority.certificate_pem, stand_in(CSJ.domain, ZSJ.authority)])
    with pytest.raises(IdentityError, match="prove to have its key"):
        read_bundle(CSJ.bundle(keys=keys).sign(CSJ.signing), NOW)


def test_a_key_that_is_not_that_of_its_certificate() -> None:
    own = AuthorityKey.of(CSJ.authority.certificate_pem)
    other = AuthorityKey.of(ZSJ.authority.certificate_pem)
    mixed = own.model_copy(update={"x": other.x, "y": other.y})
    with pytest.raises(IdentityError, match="not the key of the certificate"):
        read_bundle(CSJ.bundle(keys=(mixed,)).sign(CSJ.signing), NOW)
    garbled = own.model_copy(update={"x5c": ("AAAA",)})
    with pytest.raises(IdentityError, match="holds no certificate"):
        read_bundle(CSJ.bundle(keys=(garbled,)).sign(CSJ.signing), NOW)


def test_parties_are_of_the_trust_domain_and_role() -> None:
    for changes in (
        {"yinxin_hub": ZSJ.party(Role.HUB)},
        {"yinxin_hub": CSJ.party(Role.BANK)},
        {"yinxin_regulator": CSJ.party(Role.HUB)},
    ):
        with pytest.raises(ValueError, match="is no"):
            CSJ.bundle(**changes)


def test_how_many_authorities_there_may_be() -> None:
    pem = CSJ.authority.certificate_pem
    for count in (0, MAX_AUTHORITIES + 1):
        with pytest.raises(DocumentError):
            authority_keys([pem] * count)


def test_whose_certificates_a_bundle_stands_for() -> None:
    bundle = CSJ.bundle()
    bundle.require_issued(leaf(CSJ.authority, CSJ), NOW)
    short = leaf(CSJ.authority, CSJ, days=1)
    for bad, now in (
        (leaf(ZSJ.authority, ZSJ), NOW),
        (leaf(CertificateAuthority.create(CSJ.domain, NOW), CSJ), NOW),
        (short, NOW + 2 * DAY),
        (short, NOW - DAY),
        (CSJ.authority.certificate, NOW),  # itself: it may sign, and is no party
    ):
        refused(Reason.FOREIGN_CERTIFICATE, lambda b=bad, n=now: bundle.require_issued(b, n))


def test_a_bundle_is_of_no_other_form() -> None:
    value = json.loads(CSJ.bundle().payload())
    with pytest.raises(DocumentError):
        TrustBundle.parse(json.dumps(value).encode())
