"""The certificate authority of a trust domain: a self-signed P-256 root, path length 0.

Every certificate names its subject by exactly one SPIFFE id (X509-SVID, sections 2 to 5);
profiles follow RFC 5280. An authority issues within its own trust domain alone, says so in a
critical name constraint, and demands proof of possession: the request is signed with the key
that it certifies.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federation.errors import IdentityError
from federation.identity import SCHEME, Role, SpiffeId
from federation.tlskeys import (
    TlsKey,
    new_tls_key,
    requested_key,
    tls_key_from_pem,
    tls_key_to_pem,
)

CLOCK_SKEW = timedelta(minutes=5)
"""Certificates begin this much before they are made: the clocks of members differ."""
MAX_COMMON_NAME = 64


class CertificateAuthority:
    """The certificate authority of one trust domain: a self-signed P-256 root, path length 0."""

    def __init__(self, certificate: x509.Certificate, key: TlsKey) -> None:
        """Raises IdentityError when the certificate is no authority's, or not of `key`."""
        self.trust_domain = authority_domain(certificate)
        if certificate.public_key() != key.public_key():
            raise IdentityError("authority: the key does not belong to the certificate")
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(cls, trust_domain: str, now: int, days: int = 3650) -> Self:
        """A new root for `trust_domain`, valid `days` from `now` (unix seconds)."""
        # Any id in the domain checks the domain's spelling.
        SpiffeId(trust_domain, Role.HUB, "authority")
        key = new_tls_key()
        name = _name(trust_domain, "authority")
        begin = as_time(now) - CLOCK_SKEW
        domain = x509.UniformResourceIdentifier(SCHEME + trust_domain)
        permitted = x509.UniformResourceIdentifier(trust_domain)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(as_time(now) + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(certificates=True), critical=True)
            .add_extension(x509.NameConstraints([permitted], None), critical=True)
            .add_extension(x509.SubjectAlternativeName([domain]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Self:
        """Reads a root and its key. Raises IdentityError."""
        return cls(load_certificate(certificate), tls_key_from_pem(key))

    @property
    def certificate_pem(self) -> bytes:
        """The root, to be handed to everyone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_to_pem(self) -> bytes:
        """The root's key, to be handed to nobody; the file that holds it needs mode 0600."""
        return tls_key_to_pem(self._key)

    def issue_tls(
        self,
        csr: bytes,
        spiffe_id: SpiffeId,
        now: int,
        days: int,
        dns_names: Sequence[str] = (),
        addresses: Sequence[IPv4Address | IPv6Address] = (),
    ) -> bytes:
        """A certificate (PEM) for mutual TLS as `spiffe_id`, for the P-256 key in `csr` (PEM).

        Raises IdentityError when the request does not prove possession of a P-256 key, the id
        is of another trust domain, a DNS name is not ASCII, or the root ends before.
        """
        public = self.requested(csr, spiffe_id)
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise IdentityError(f"{spiffe_id}: the request is not for a P-256 key")
        try:
            hosts = [x509.DNSName(name) for name in dns_names]
        except ValueError as error:
            raise IdentityError(f"{spiffe_id}: DNS names must be ASCII (A-labels)") from error
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        names = [*hosts, *map(x509.IPAddress, addresses)]
        certificate = self.issue(public, spiffe_id, now, days, names, usages)
        return certificate.public_bytes(serialization.Encoding.PEM)

    def requested(
        self, csr: bytes, spiffe_id: SpiffeId
    ) -> ec.EllipticCurvePublicKey | Ed25519PublicKey:
        """The key in a request for `spiffe_id`. Raises IdentityError as `issue_tls` does."""
        if spiffe_id.trust_domain != self.trust_domain:
            raise IdentityError(
                f"{spiffe_id} is not within {self.trust_domain}; ask the authority of its domain"
            )
        return requested_key(csr)

    def issue(
        self,
        public: ec.EllipticCurvePublicKey | Ed25519PublicKey,
        spiffe_id: SpiffeId,
        now: int,
        days: int,
        names: Sequence[x509.GeneralName],
        usages: Sequence[x509.ObjectIdentifier],
    ) -> x509.Certificate:
        """A leaf certificate of the one profile: `spiffe_id`, `names` beside it, `usages`."""
        end = as_time(now) + timedelta(days=days)
        if days < 1 or end > self.certificate.not_valid_after_utc:
            raise IdentityError(
                f"{spiffe_id}: {days} days is no validity within that of the authority, "
                f"which ends {self.certificate.not_valid_after_utc:%Y-%m-%d}"
            )
        uri = x509.UniformResourceIdentifier(str(spiffe_id))
        authority = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority.value)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(self.trust_domain, spiffe_id.name))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(as_time(now) - CLOCK_SKEW)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName([uri, *names]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(issuer, critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def load_certificate(pem: bytes) -> x509.Certificate:
    """One certificate from PEM. Raises IdentityError."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise IdentityError("certificate: not an X.509 certificate in PEM") from error


def load_certificates(pem: bytes) -> list[x509.Certificate]:
    """One certificate or more from PEM. Raises IdentityError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise IdentityError("certificates: no X.509 certificate in PEM") from error


def authority_domain(certificate: x509.Certificate) -> str:
    """The trust domain of an authority's certificate.

    Raises IdentityError unless it may sign certificates and names one domain (X509-SVID 4.1).
    """
    try:
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise IdentityError("authority: the certificate is not of an authority") from error
    if not constraints.ca or not usage.key_cert_sign:
        raise IdentityError("authority: the certificate may not sign certificates")
    name = names[0].value if len(names) == 1 else None
    if not isinstance(name, str) or not name.startswith(SCHEME):
        raise IdentityError("authority: the certificate does not name one trust domain")
    return SpiffeId(name.removeprefix(SCHEME), Role.HUB, "authority").trust_domain


def as_time(now: int) -> datetime:
    """Unix seconds as X.509 has them."""
    return datetime.fromtimestamp(now, UTC)


def _name(organisation: str, common: str) -> x509.Name:
    """A subject for people to read; identity is in the URI alone."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:MAX_COMMON_NAME]),
            x509.NameAttribute(NameOID.COMMON_NAME, common[:MAX_COMMON_NAME]),
        ]
    )


def key_usage(*, certificates: bool) -> x509.KeyUsage:
    """The key usage of an authority (`certificates`) or of a leaf."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
