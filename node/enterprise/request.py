"""Between an enterprise and the business-licence authority: a request, and what answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from federation.canonical import b64, canonical_json, parse_canonical, unb64
from federation.documents import Document
from federation.errors import DocumentError
from federation.pki import TlsKey, make_csr
from federation.signed import Signed, SigningKey
from federation.tlskeys import requested_key
from federation.uscc import Uscc

MAX_GRANT_BYTES = 32 * 1024

_FORMAT = "yinxin-enterprise-grant/1"


class EnterpriseRequest(Document):
    """What an enterprise asks to have certified, signed with its own new consent key.

    `consent_request` and `tls_request` are certificate requests (PEM) for the Ed25519 key that
    signs consents and for the P-256 key that reaches hubs.
    """

    TYPE: ClassVar[str] = "enterprise-request"

    uscc: str
    title: str = Field(min_length=1, max_length=128)
    consent_request: str
    tls_request: str


def make_request(uscc: Uscc, title: str, signing: SigningKey, tls: TlsKey) -> Signed:
    """A request of the enterprise."""
    return EnterpriseRequest(
        uscc=str(uscc),
        title=title,
        consent_request=make_csr(signing).decode("ascii"),
        tls_request=make_csr(tls).decode("ascii"),
    ).sign(signing)


def read_request(signed: Signed) -> tuple[EnterpriseRequest, Uscc]:
    """A request that is whole: the credit code is a code, and its own consent key signed it.

    Raises DocumentError, IdentityError or SignatureInvalid. Whether it comes from that enterprise
    is for the authority to find out.
    """
    request = EnterpriseRequest.parse(signed.payload)
    key = requested_key(request.consent_request.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise DocumentError("enterprise-request.consent_request", "is not for an Ed25519 key")
    EnterpriseRequest.open_(signed, key.public_bytes_raw())
    uscc = Uscc.parse(request.uscc)
    if uscc != request.uscc:
        raise DocumentError("enterprise-request.uscc", "is not in normal form")
    if not request.title.isprintable():
        # It is shown on a terminal to whoever decides about the request.
        raise DocumentError("enterprise-request.title", "is not printable")
    return request, uscc


@dataclass(frozen=True)
class EnterpriseGrant:
    """The two certificates: of the consent key (DER) and of the TLS key (PEM)."""

    certificate: bytes
    tls_certificate: bytes

    def to_json(self) -> bytes:
        """The grant's file, canonical JSON."""
        return canonical_json(
            {
                "format": _FORMAT,
                "consent_certificate": b64(self.certificate),
                "tls_certificate": self.tls_certificate.decode("ascii"),
            }
        )

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Reads a grant; does not verify it. Raises DocumentError."""
        value = parse_canonical(raw, MAX_GRANT_BYTES)
        names = {"format", "consent_certificate", "tls_certificate"}
        if not isinstance(value, dict) or set(value) != names or value["format"] != _FORMAT:
            raise DocumentError("grant", f"is not a {_FORMAT} file", "ask the authority for it")
        certificate, tls = value["consent_certificate"], value["tls_certificate"]
        if not isinstance(certificate, str) or not isinstance(tls, str) or not tls.isascii():
            raise DocumentError("grant", "does not hold two certificates")
        return cls(unb64(certificate, "consent_certificate"), tls.encode("ascii"))
