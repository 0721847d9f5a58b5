"""Statements signed by enterprises: JWS compact form (RFC 7515) with the certificate inside.

Header, exactly: alg `Ed25519` (RFC 9864; the algorithm is fixed, the header cannot choose), typ,
and x5c with the one certificate that the business-licence authority issued for the key. Header
and payload are canonical JSON and base64url is strict, so that one statement has one byte form
and one hash; `typ` keeps statements of different kinds apart (RFC 8725 section 3.11).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from federation.canonical import parse_canonical, unb64
from federation.errors import DocumentError, IdentityError, Reason, Refusal
from federation.signed import SigningKey
from federation.subjects import MAX_CERTIFICATE_BYTES, verify_subject
from federation.uscc import Uscc

ALGORITHM = "Ed25519"
MAX_COMPACT_BYTES = 8192

_SEGMENTS = 3
_MAX_HEADER_BYTES = 4 * MAX_CERTIFICATE_BYTES // 3 + 256


class _Registry(jws.JWSRegistry):
    """The library's limit of 512 bytes leaves no room for a certificate."""

    max_header_length = 2 * _MAX_HEADER_BYTES


_REGISTRY = _Registry(algorithms=[ALGORITHM])


@dataclass(frozen=True)
class Statement:
    """A verified statement: who signed it, and the payload to parse now."""

    enterprise: Uscc = field(repr=False)
    payload: bytes = field(repr=False)


def sign_compact(typ: str, payload: bytes, key: SigningKey, certificate: bytes) -> str:
    """The compact form, ASCII. `certificate` is the DER that certifies `key`.

    Raises DocumentError when the result would be longer than 8192 bytes.
    """
    chain = [base64.b64encode(certificate).decode("ascii")]
    header = {"alg": ALGORITHM, "typ": typ, "x5c": chain}
    try:
        compact = jws.serialize_compact(
            header, payload, OKPKey.import_key(key.private), registry=_REGISTRY
        )
    except JoseError as error:
        raise DocumentError(
            "certificate", "does not fit the header", "use a smaller one"
        ) from error
    if len(compact) > MAX_COMPACT_BYTES:
        raise DocumentError(
            typ, f"would be {len(compact)} bytes, at most {MAX_COMPACT_BYTES} allowed"
        )
    return compact


def open_compact(compact: str, typ: str, authority_cert: bytes, now: int) -> Statement:
    """Verifies a statement of `typ`; nothing of its payload is parsed before.

    `authority_cert` is the licence authority's root (PEM), `now` is in unix seconds. Raises
    Refusal: `malformed` for what is not such a statement at all, `no_consent` when no enterprise
    certified by the authority signed it.
    """
    if len(compact) > MAX_COMPACT_BYTES:
        raise Refusal(Reason.MALFORMED, f"{typ}: longer than {MAX_COMPACT_BYTES} bytes")
    segments = compact.split(".")
    if len(segments) != _SEGMENTS:
        raise Refusal(Reason.MALFORMED, f"{typ}: not a JWS in compact form")
    try:
        raw_header, payload, _ = (unb64(segment) for segment in segments)
        certificate = _certificate(parse_canonical(raw_header, _MAX_HEADER_BYTES), typ)
    except DocumentError as error:
        raise Refusal(Reason.MALFORMED, f"{typ}: {error}") from error
    try:
        enterprise, public = verify_subject(certificate, authority_cert, now)
    except IdentityError as error:
        raise Refusal(Reason.NO_CONSENT, f"{typ}: {error}") from error
    try:
        key = OKPKey.import_key(Ed25519PublicKey.from_public_bytes(public))
        jws.deserialize_compact(compact, key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise Refusal(Reason.NO_CONSENT, f"{typ}: the signature does not verify") from error
    return Statement(enterprise, payload)


def payload_unverified(compact: str) -> bytes:
    """The payload of a compact form, whoever signed it. Raises DocumentError when it is none."""
    segments = compact.split(".")
    if len(compact) > MAX_COMPACT_BYTES or len(segments) != _SEGMENTS:
        raise DocumentError("consent", "is not a JWS in compact form")
    _, payload, _ = (unb64(segment, "consent") for segment in segments)
    return payload


def _certificate(header: object, typ: str) -> bytes:
    if not isinstance(header, dict) or set(header) != {"alg", "typ", "x5c"}:
        raise DocumentError("header", "must have alg, typ and x5c only")
    if header["alg"] != ALGORITHM:
        raise DocumentError("header.alg", f"is not {ALGORITHM}")
    if header["typ"] != typ:
        raise DocumentError("header.typ", f"is not {typ}")
    chain = header["x5c"]
    if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
        raise DocumentError("header.x5c", "must hold exactly one certificate")
    try:
        # x5c is base64 with padding, not base64url (RFC 7515 section 4.1.6).
        return base64.b64decode(chain[0], validate=True)
    except (binascii.Error, ValueError) as error:
        raise DocumentError("header.x5c", "is not base64") from error
