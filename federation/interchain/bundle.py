"""The trust bundle of a chain, as its regulator signs and hands it to other regulators.

The payload is a SPIFFE bundle ("SPIFFE Trust Domain and Bundle", section 4): a JWK set (RFC 7517)
with `spiffe_sequence` and `spiffe_refresh_hint`, whose keys have the use `x509-svid` and one
certificate in `x5c`. Members that SPIFFE does not define begin with `yinxin_`; readers of SPIFFE
bundles pass over them. They carry what the chain's own nodes have in their trust root, and where
regulator and hub take calls of peer chains.

A bundle of sequence n + 1 is signed by the key that the pinned one names: it may name other
authorities, addresses and envelope keys, and never another chain, regulator or signing key.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, model_validator

from federation.authority import authority_domain, load_certificate
from federation.canonical import b64
from federation.documents import Array, Bytes, Bytes32, Document, Id, Name, Part, Time
from federation.entries import Kind, entry
from federation.errors import DocumentError, IdentityError, Reason, Refusal
from federation.identity import Role
from federation.issuance import identifies_key, is_authority, issued_by, valid_at
from federation.membership import TrustRoot
from federation.signed import Signed

MAX_AUTHORITIES: Final = 8
MAX_DAYS: Final = 400
_COORDINATE = 32

Coordinate = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
HostPort = Annotated[str, Field(pattern=r"^\S+:[0-9]{1,5}$", max_length=260)]


class AuthorityKey(Part):
    """One certificate authority of the trust domain, as a JWK (RFC 7517, RFC 7518 section 6.2)."""

    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    use: Literal["x509-svid"] = "x509-svid"
    x: Coordinate
    y: Coordinate
    x5c: Annotated[tuple[str, ...], Array, Field(min_length=1, max_length=1)]
    """The certificate, base64 of its DER (RFC 7517 section 4.7)."""

    @classmethod
    def of(cls, pem: bytes) -> AuthorityKey:
        """The authority whose certificate that is (PEM). Raises IdentityError."""
        certificate = load_certificate(pem)
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise IdentityError("authority: not a P-256 key")
        numbers = key.public_numbers()
        der = certificate.public_bytes(serialization.Encoding.DER)
        return cls(
            x=b64(numbers.x.to_bytes(_COORDINATE, "big")),
            y=b64(numbers.y.to_bytes(_COORDINATE, "big")),
            x5c=(base64.b64encode(der).decode(),),
        )

    def certificate(self) -> x509.Certificate:
        """The certificate. Raises IdentityError when it is none, or of another key than x and y."""
        try:
            der = base64.b64decode(self.x5c[0], validate=True)
            certificate = x509.load_der_x509_certificate(der)
        except ValueError as error:
            raise IdentityError("bundle: x5c holds no certificate") from error
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        if AuthorityKey.of(pem) != self:
            raise IdentityError("bundle: x and y are not the key of the certificate")
        return certificate


class TrustBundle(Document):
    """A chain's trust bundle. Times in unix seconds, `spiffe_refresh_hint` in seconds.

    `yinxin_sealing` is the regulator's envelope key; `yinxin_hub_address` and
    `yinxin_regulator_address` are where the two take calls of peer chains (HOST:PORT).
    """

    TYPE: ClassVar[str] = "trust-bundle"

    keys: Annotated[
        tuple[AuthorityKey, ...], Array, Field(min_length=1, max_length=MAX_AUTHORITIES)
    ]
    spiffe_sequence: Annotated[int, Field(ge=1)]
    spiffe_refresh_hint: Annotated[int, Field(ge=1, le=86_400)]
    yinxin_chain: Name
    yinxin_trust_domain: str
    yinxin_regulator: Id
    yinxin_hub: Id
    yinxin_signing: Bytes32
    yinxin_sealing: Bytes
    yinxin_licence_domain: str
    yinxin_licence_authority: str
    yinxin_hub_address: HostPort
    yinxin_regulator_address: HostPort
    yinxin_not_before: Time
    yinxin_not_after: Time

    @model_validator(mode="after")
    def _one_domain(self) -> TrustBundle:
        roles = ((self.yinxin_regulator, Role.REGULATOR), (self.yinxin_hub, Role.HUB))
        for party, role in roles:
            if party.role is not role or party.trust_domain != self.yinxin_trust_domain:
                raise ValueError(f"{party} is no {role} of {self.yinxin_trust_domain}")
        if not 0 < self.yinxin_not_after - self.yinxin_not_before <= MAX_DAYS * 86_400:
            raise ValueError(f"a bundle is valid for {MAX_DAYS} days at most")
        return self

    def authorities(self) -> tuple[x509.Certificate, ...]:
        """The certificate authorities, each of the bundle's own trust domain. Raises
        IdentityError.
        """
        found = tuple(key.certificate() for key in self.keys)
        for certificate in found:
            if authority_domain(certificate) != self.yinxin_trust_domain:
                raise IdentityError("bundle: an authority is of another trust domain")
            # Or it could stand in another chain's way: TLS looks for the issuer of a certificate
            # by name and key identifier, among the authorities of all chains.
            if not issued_by(certificate, certificate) or not identifies_key(certificate):
                raise IdentityError("bundle: an authority does not prove to have its key")
        return found

    def authorities_pem(self) -> bytes:
        """The authorities, PEM, one after the other."""
        pem = serialization.Encoding.PEM
        return b"".join(one.public_bytes(pem) for one in self.authorities())

    def require_issued(self, leaf: x509.Certificate, now: int) -> None:
        """Raises Refusal(foreign_certificate) unless one of the authorities issued `leaf`, and both
        are valid at `now`.

        Where authorities of several chains are accepted, TLS says only that one of them issued it:
        that of another trust domain than the leaf's could have.
        """
        if is_authority(leaf) or not any(
            valid_at(leaf, now) and valid_at(one, now) and issued_by(leaf, one)
            for one in self.authorities()
        ):
            raise Refusal(
                Reason.FOREIGN_CERTIFICATE,
                f"certificate is of no authority of {self.yinxin_trust_domain}",
            )

    def root(self) -> TrustRoot:
        """What verifies the chain's documents."""
        return TrustRoot(
            chain=self.yinxin_chain,
            trust_domain=self.yinxin_trust_domain,
            regulator=self.yinxin_regulator,
            regulator_signing=self.yinxin_signing,
            authority=self.authorities_pem().decode("ascii"),
            licence_domain=self.yinxin_licence_domain,
            licence_authority=self.yinxin_licence_authority,
        )

    def require_valid(self, now: int) -> None:
        """Raises Refusal(not_yet_valid) or Refusal(expired)."""
        if now < self.yinxin_not_before:
            raise Refusal(Reason.NOT_YET_VALID, f"bundle of {self.yinxin_chain} is not valid yet")
        if now >= self.yinxin_not_after:
            raise Refusal(Reason.EXPIRED, f"bundle of {self.yinxin_chain} has expired")

    def fingerprint(self) -> str:
        """That of the regulator's signing key, for two people to compare."""
        return fingerprint_of(self.yinxin_signing)


def fingerprint_of(signing: bytes) -> str:
    """The SHA-256 of a regulator's signing key: hex in groups of 4."""
    digest = hashlib.sha256(signing).hexdigest()
    return " ".join(digest[i : i + 4] for i in range(0, len(digest), 4))


def same_fingerprint(first: str, second: str) -> bool:
    """Whether two texts are one fingerprint, however people spaced and wrote it."""
    one, other = ("".join(text.split()).lower().replace(":", "") for text in (first, second))
    return one == other


def read_bundle(signed: Signed, now: int, pinned: TrustBundle | None = None) -> TrustBundle:
    """A bundle, once its signature, its authorities and its time hold.

    Without `pinned` it is verified under the signing key that it names itself, which says no more
    than that one party made all of it: whoever pins it compares the fingerprint. With `pinned` it
    must follow that one. Raises SignatureInvalid, DocumentError, IdentityError; Refusal(conflict)
    for another bundle of the pinned sequence, for an older one, and for one that changes what
    never changes; Refusal(not_yet_valid), Refusal(expired).
    """
    if pinned is None:
        bundle = TrustBundle.parse(signed.payload)
        TrustBundle.open_(signed, bundle.yinxin_signing)
    else:
        bundle = TrustBundle.open_(signed, pinned.yinxin_signing)
        _check_follows(bundle, pinned)
    bundle.authorities()
    bundle.require_valid(now)
    return bundle


def check_same(bundle: TrustBundle, pinned: TrustBundle) -> None:
    """Raises Refusal(conflict) for a bundle that changes what no later one may change."""
    for name in ("chain", "trust_domain", "regulator", "hub", "signing"):
        if getattr(bundle, f"yinxin_{name}") != getattr(pinned, f"yinxin_{name}"):
            raise Refusal(Reason.CONFLICT, f"bundle names another {name} than the pinned one")


def _check_follows(bundle: TrustBundle, pinned: TrustBundle) -> None:
    check_same(bundle, pinned)
    if bundle.spiffe_sequence < pinned.spiffe_sequence:
        raise Refusal(Reason.CONFLICT, "bundle is older than the pinned one")
    if bundle.spiffe_sequence == pinned.spiffe_sequence and bundle.hash != pinned.hash:
        raise Refusal(Reason.CONFLICT, "another bundle of this sequence is pinned")


def bundle_entry(bundle: TrustBundle, now: int) -> bytes:
    """The entry of the regulator that signed it."""
    return entry(
        Kind.BUNDLE,
        now,
        document=bundle.hash,
        sequence=bundle.spiffe_sequence,
        authorities=len(bundle.keys),
        until=bundle.yinxin_not_after,
    )


def authority_keys(certificates: Sequence[bytes]) -> tuple[AuthorityKey, ...]:
    """The keys of a bundle, from certificates (PEM). Raises IdentityError, DocumentError."""
    if not 1 <= len(certificates) <= MAX_AUTHORITIES:
        raise DocumentError("authorities", f"are not 1 to {MAX_AUTHORITIES}")
    return tuple(AuthorityKey.of(pem) for pem in certificates)
