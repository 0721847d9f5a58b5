"""Certificates: who may speak for a member on the wire, and who may sign for an enterprise.

Two kinds of authority, never the same party. A chain's authority issues its members' TLS
certificates (P-256). The business-licence authority certifies the keys with which enterprises
sign consents (Ed25519), under its own trust domain, so that no hub can make an enterprise's key.
This module gathers what the rest of the project uses of `tlskeys`, `authority` and `subjects`.
"""

from __future__ import annotations

from federation.authority import CertificateAuthority, authority_domain, load_certificate
from federation.subjects import SubjectAuthority, verify_subject
from federation.tlskeys import (
    TlsKey,
    make_csr,
    new_tls_key,
    tls_key_from_pem,
    tls_key_to_pem,
)

__all__ = [
    "CertificateAuthority",
    "SubjectAuthority",
    "TlsKey",
    "authority_domain",
    "load_certificate",
    "make_csr",
    "new_tls_key",
    "tls_key_from_pem",
    "tls_key_to_pem",
    "verify_subject",
]
