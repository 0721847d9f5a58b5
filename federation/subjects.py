"""The keys of enterprises: certified by the business-licence authority, not by any hub.

An enterprise signs its consents with an Ed25519 key under
`spiffe://<licence domain>/enterprise/<USCC>`. The certificate is for signing consents and for
nothing else, so that a TLS certificate of the same enterprise signs no consent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import SignatureAlgorithmOID

from federation.authority import (
    CertificateAuthority,
    as_time,
    authority_domain,
    key_usage,
    load_certificate,
)
from federation.errors import DocumentError, IdentityError
from federation.identity import Role, SpiffeId, peer_identity
from federation.signed import VerifyKey
from federation.uscc import Uscc

CONSENT_USAGE = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""id-kp-documentSigning, RFC 9336: the one use of an enterprise's consent key."""
MAX_CERTIFICATE_BYTES = 2048

_LEAF_EXTENSIONS = {
    x509.BasicConstraints.oid,
    x509.KeyUsage.oid,
    x509.ExtendedKeyUsage.oid,
    x509.SubjectAlternativeName.oid,
    x509.SubjectKeyIdentifier.oid,
    x509.AuthorityKeyIdentifier.oid,
}


class SubjectAuthority(CertificateAuthority):
    """The business-licence authority: certifies which keys are an enterprise's."""

    def enterprise_id(self, uscc: Uscc) -> SpiffeId:
        """`spiffe://<licence domain>/enterprise/<USCC>`."""
        return SpiffeId(self.trust_domain, Role.ENTERPRISE, uscc)

    def certify_subject(self, csr: bytes, uscc: Uscc, now: int, days: int) -> bytes:
        """A certificate (DER) for the Ed25519 key in `csr` (PEM) as the consent key of `uscc`.

        The caller has checked by other means that the request comes from the enterprise.
        Raises IdentityError as `issue_tls` does.
        """
        spiffe_id = self.enterprise_id(uscc)
        public = self.requested(csr, spiffe_id)
        if not isinstance(public, Ed25519PublicKey):
            raise IdentityError(f"{spiffe_id}: the request is not for an Ed25519 key")
        certificate = self.issue(public, spiffe_id, now, days, (), [CONSENT_USAGE])
        return certificate.public_bytes(serialization.Encoding.DER)

    def certify_tls(self, csr: bytes, uscc: Uscc, now: int, days: int) -> bytes:
        """A certificate (PEM) for the P-256 key with which `uscc` reaches a hub."""
        return self.issue_tls(csr, self.enterprise_id(uscc), now, days)


def verify_subject(cert_der: bytes, authority_cert: bytes, now: int) -> tuple[Uscc, bytes]:
    """The enterprise whose consent key a certificate holds, and the raw Ed25519 key (32 bytes).

    `cert_der` comes from anyone, `authority_cert` is the licence authority's root (PEM), `now`
    is in unix seconds. Raises IdentityError unless the certificate is signed by the authority
    with ECDSA and SHA-256, both are valid at `now`, the profile is exactly the one that
    `SubjectAuthority.certify_subject` issues, and the one URI name is an enterprise of the
    authority's trust domain.
    """
    issued = _issued(cert_der, authority_cert)
    for name, (begin, end) in (("authority", issued.authority), ("subject", issued.subject)):
        if not begin <= as_time(now) <= end:
            raise IdentityError(f"{name} certificate is not valid at this time; renew it")
    return issued.uscc, issued.public


@dataclass(frozen=True)
class _Issued:
    """A certificate of the licence authority, whatever the time: of whom, and valid when."""

    uscc: Uscc
    public: bytes
    authority: tuple[datetime, datetime]
    subject: tuple[datetime, datetime]


# A firm signs many consents with one certificate, and an audit reads them all. The result hangs on
# nothing but the two byte strings, which are the key; a failure is not kept.
@lru_cache(maxsize=4096)
def _issued(cert_der: bytes, authority_cert: bytes) -> _Issued:
    authority = load_certificate(authority_cert)
    domain = authority_domain(authority)
    if len(cert_der) > MAX_CERTIFICATE_BYTES:
        raise IdentityError(f"subject certificate is longer than {MAX_CERTIFICATE_BYTES} bytes")
    try:
        certificate = x509.load_der_x509_certificate(cert_der)
        if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
            raise IdentityError("subject certificate is not signed with ECDSA and SHA-256")
        certificate.verify_directly_issued_by(authority)
        names = _checked_profile(certificate)
        public = certificate.public_key()
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise IdentityError("subject certificate is not of the licence authority") from error
    except (x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise IdentityError("subject certificate lacks an extension or has one twice") from error
    if not isinstance(public, Ed25519PublicKey):
        raise IdentityError("subject certificate does not hold an Ed25519 key")
    try:
        subject = peer_identity(names)
    except IdentityError:
        # The cause would carry the name of an enterprise into somebody's log.
        raise IdentityError("subject certificate does not have exactly one SPIFFE id") from None
    if subject.trust_domain != domain or subject.role is not Role.ENTERPRISE:
        raise IdentityError(f"subject certificate is not of an enterprise of {domain}")
    try:
        uscc = Uscc.parse(subject.name)
    except DocumentError as error:
        raise IdentityError("subject certificate does not name a credit code") from error
    if uscc != subject.name:
        raise IdentityError("subject certificate names a credit code that is not in normal form")
    return _Issued(
        uscc,
        VerifyKey(public.public_bytes_raw()).public,
        (authority.not_valid_before_utc, authority.not_valid_after_utc),
        (certificate.not_valid_before_utc, certificate.not_valid_after_utc),
    )


def _checked_profile(certificate: x509.Certificate) -> list[str]:
    """The URI names of a consent certificate, once everything else about it is as issued."""
    extensions = certificate.extensions
    if {extension.oid for extension in extensions} != _LEAF_EXTENSIONS:
        raise IdentityError("subject certificate has other extensions than its profile")
    if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise IdentityError("subject certificate is an authority's")
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    if usage != key_usage(certificates=False):
        raise IdentityError("subject certificate has another key usage than digital signature")
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if list(extended) != [CONSENT_USAGE]:
        raise IdentityError("subject certificate is not for signing consents")
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if not all(isinstance(name, x509.UniformResourceIdentifier) for name in names):
        raise IdentityError("subject certificate has a name that is not a URI")
    return [str(name.value) for name in names]
