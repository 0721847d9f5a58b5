"""The enterprise's consent: its JWS (RFC 7515), its certificate (RFC 5280), what it covers."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from formats import SCHEME, Bad, check_signature, parse, unb64

CLOCK_SKEW = 300
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")


def open_consent(compact: str, root: dict[str, Any], at: int) -> dict[str, Any]:
    """The claims of a consent that an enterprise signed and that held at `at` (unix seconds)."""
    try:
        first, second, third = compact.split(".")
        header = parse(unb64(first))
        (certificate,) = header["x5c"]
        der = base64.b64decode(certificate, validate=True)
    except (ValueError, KeyError) as error:
        raise Bad("the consent is no JWS with one certificate") from error
    if (header["alg"], header["typ"]) != ("Ed25519", "yinxin-consent+jwt"):
        raise Bad("the consent's header names another algorithm or type")
    uscc, public = _enterprise(der, root, at)
    check_signature(public, unb64(third), f"{first}.{second}".encode())
    claims: dict[str, Any] = parse(unb64(second))
    if claims["iss"] != root["licence_domain"] or claims["sub"] != uscc:
        raise Bad("the consent is of another enterprise than its certificate")
    if claims["iat"] > at + CLOCK_SKEW:
        raise Bad("the consent was signed after the query")
    if not claims["nbf"] <= at < claims["exp"]:
        raise Bad("the consent did not hold at the time of the query")
    return claims


def consent_hash(compact: str) -> bytes:
    """SHA-256 of the compact form."""
    return hashlib.sha256(compact.encode()).digest()


def check_coverage(
    claims: dict[str, Any], permit: dict[str, Any], certificate: dict[str, Any]
) -> None:
    """Whether the consent covers bank, purpose, chain, fields, features and named holders."""
    wanted = {
        "bank": claims["aud"] == permit["bank"],
        "purpose": claims["purpose"] == permit["purpose"],
        "chain": permit["chain"] in claims["chains"],
        "fields": {f["name"] for f in certificate["fields"]} <= set(claims["fields"]),
        "disclosed features": set(certificate["disclosed"]) <= set(claims["disclosed"]),
        "named holders": {p["holder"] for p in certificate["participants"] if p["named"]}
        <= set(claims["named"]),
    }
    missing = [name for name, covered in wanted.items() if not covered]
    if missing:
        raise Bad(f"the consent does not cover: {', '.join(missing)}")


def _enterprise(der: bytes, root: dict[str, Any], at: int) -> tuple[str, bytes]:
    """The code and the key in a certificate of the licence authority."""
    try:
        leaf = x509.load_der_x509_certificate(der)
        authority = x509.load_pem_x509_certificate(root["licence_authority"].encode())
        leaf.verify_directly_issued_by(authority)
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        issuing = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise Bad("the certificate in the consent is not of the licence authority") from error
    moment = datetime.fromtimestamp(at, UTC)
    for name, one in (("enterprise's", leaf), ("licence authority's", authority)):
        if not one.not_valid_before_utc <= moment <= one.not_valid_after_utc:
            raise Bad(f"the {name} certificate was not valid at the time of the query")
    public = leaf.public_key()
    prefix = f"{SCHEME}{root['licence_domain']}/enterprise/"
    (name,) = [str(n.value) for n in names] if len(names) == 1 else [""]
    if not name.startswith(prefix) or constraints.ca or not issuing.ca:
        raise Bad("the certificate in the consent is not an enterprise's")
    if list(usage) != [DOCUMENT_SIGNING] or not isinstance(public, Ed25519PublicKey):
        raise Bad("the certificate in the consent is not for signing documents with Ed25519")
    return name.removeprefix(prefix), public.public_bytes_raw()
