"""Who issued a certificate, and whether it is one to issue: looks at X.509 that raise nothing."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from federation.authority import as_time


def issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether `authority` issued it directly: the name of the issuer and the signature."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def valid_at(certificate: x509.Certificate, now: int) -> bool:
    """Whether `now` (unix seconds) is within its validity."""
    return certificate.not_valid_before_utc <= as_time(now) < certificate.not_valid_after_utc


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates, or cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
    except ValueError:
        return True


def identifies_key(authority: x509.Certificate) -> bool:
    """Whether its key identifier is that of its key (RFC 5280, 4.2.1.2, method 1)."""
    try:
        found = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return found == x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return False
