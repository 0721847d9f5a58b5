"""The regulator's answer to a request: a TLS certificate and a credential, in one JSON file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from federation.authority import as_time, load_certificates
from federation.canonical import canonical_json, parse_canonical
from federation.errors import DocumentError, FederationError, IdentityError
from federation.identity import dns_name, peer_identity
from federation.interchain.bundle import TrustBundle
from federation.issuance import issued_by
from federation.membership import Member, MemberRequest, TrustRoot
from federation.pki import CertificateAuthority, TlsKey, load_certificate
from federation.signed import Signed, SigningKey
from node.enrolment.errors import EnrolmentError
from node.enrolment.request import names_and_addresses

MAX_GRANT_BYTES = 64 * 1024
DAY = 86_400

_FORMAT = "yinxin-grant/1"
CLOCK_SKEW = 300


@dataclass(frozen=True)
class Grant:
    """A member's credential, and the certificate (PEM) for its TLS key.

    `bundle` is the chain's trust bundle, for one that has any: it names the authorities to trust,
    which may be others than those of the trust root.
    """

    credential: Signed
    certificate: bytes
    bundle: Signed | None = None

    def to_json(self) -> bytes:
        """The grant's file, canonical JSON."""
        value = {
            "format": _FORMAT,
            "credential": parse_canonical(self.credential.to_json(), MAX_GRANT_BYTES),
            "tls_certificate": self.certificate.decode("ascii"),
        }
        if self.bundle is not None:
            value["bundle"] = parse_canonical(self.bundle.to_json(), MAX_GRANT_BYTES)
        return canonical_json(value)

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Reads a grant; does not verify it. Raises DocumentError."""
        value = parse_canonical(raw, MAX_GRANT_BYTES)
        if not isinstance(value, dict) or value.get("format") != _FORMAT:
            raise DocumentError("grant", f"is not a {_FORMAT} file", "ask the regulator for it")
        certificate = value.get("tls_certificate")
        if set(value) - {"bundle"} != {"format", "credential", "tls_certificate"} or not (
            isinstance(certificate, str) and certificate.isascii()
        ):
            raise DocumentError(
                "grant", "must have format, credential, tls_certificate and perhaps bundle only"
            )
        credential = Signed.from_json(canonical_json(value["credential"]))
        bundle = value.get("bundle")
        known = None if bundle is None else Signed.from_json(canonical_json(bundle))
        return cls(credential, certificate.encode("ascii"), known)

    def authorities(self, root: TrustRoot) -> bytes:
        """The chain's authorities (PEM): those of the bundle, once it is the regulator's, else
        those of the trust root. Raises FederationError.
        """
        if self.bundle is None:
            return root.authority.encode("ascii")
        bundle = TrustBundle.open_(self.bundle, root.regulator_signing)
        if (bundle.yinxin_chain, bundle.yinxin_trust_domain) != (root.chain, root.trust_domain):
            raise DocumentError("grant.bundle", f"is of chain {bundle.yinxin_chain}")
        return bundle.authorities_pem()


def grant_member(
    request: MemberRequest,
    *,
    root: TrustRoot,
    authority: CertificateAuthority,
    signing: SigningKey,
    now: int,
    days: int,
    bundle: Signed | None = None,
) -> Grant:
    """What the regulator signs for a request that `read_request` returned and it agrees to.
    `bundle` is the chain's own.

    Raises IdentityError when the certificate request does not prove possession of a P-256 key,
    or the authority ends within `days`.
    """
    hosts, numbers = names_and_addresses(request.id, request.addresses)
    csr = request.tls_request.encode()
    certificate = authority.issue_tls(csr, request.id, now, days, hosts, numbers)
    member = Member(
        chain=root.chain,
        id=request.id,
        kind=request.kind,
        title=request.title,
        signing=request.signing,
        agreement=request.agreement,
        sealing=request.sealing,
        named=request.named,
        # Others' clocks may be behind the regulator's.
        not_before=now - CLOCK_SKEW,
        not_after=now + days * DAY,
    )
    return Grant(member.sign(signing), certificate, bundle)


def check_grant(
    grant: Grant, request: MemberRequest, root: TrustRoot, tls: TlsKey, now: int
) -> Member:
    """The credential in a grant, once it grants exactly `request` and is valid now.

    Raises EnrolmentError otherwise: a key, name or title that differs, another authority.
    """
    try:
        member = Member.open_(grant.credential, root.regulator_signing)
    except FederationError as error:
        raise EnrolmentError(
            f"grant: the credential is not of {root.regulator}, the regulator in trust.json "
            f"({error})"
        ) from error
    if (member.chain, member.id) != (root.chain, request.id):
        raise EnrolmentError(
            f"grant: it is for {member.id} in chain {member.chain}, and this folder is of "
            f"{request.id} in chain {root.chain}"
        )
    for field in ("signing", "agreement", "sealing", "kind", "title", "named"):
        if getattr(member, field) != getattr(request, field):
            raise EnrolmentError(
                f"grant: {field} is not that of request.json; send the regulator this request"
            )
    if not member.not_before <= now < member.not_after:
        raise EnrolmentError("grant: the credential is not valid now; check the machine's clock")
    _check_certificate(grant, request, root, tls, now)
    return member


def _check_certificate(
    grant: Grant, request: MemberRequest, root: TrustRoot, tls: TlsKey, now: int
) -> None:
    try:
        certificate = load_certificate(grant.certificate)
        if not any(issued_by(certificate, a) for a in load_certificates(grant.authorities(root))):
            raise IdentityError("certificate: none of the authorities issued it")
        extensions = certificate.extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        party = peer_identity(names.get_values_for_type(x509.UniformResourceIdentifier))
    except (FederationError, ValueError, TypeError) as error:
        raise EnrolmentError(
            "grant: the TLS certificate is not of the chain's authority"
        ) from error
    except x509.ExtensionNotFound as error:
        raise EnrolmentError("grant: the TLS certificate lacks a name or usage") from error
    if certificate.public_key() != tls.public_key():
        raise EnrolmentError("grant: the TLS certificate is for another key than keys/tls.key")
    if party != request.id:
        raise EnrolmentError(f"grant: the TLS certificate is {party}'s, not {request.id}'s")
    hosts, numbers = names_and_addresses(request.id, request.addresses)
    missing = {*hosts} - {*names.get_values_for_type(x509.DNSName)}
    missing |= {str(n) for n in {*numbers} - {*names.get_values_for_type(x509.IPAddress)}}
    if missing:
        raise EnrolmentError(
            f"grant: the TLS certificate lacks the names {', '.join(sorted(missing))}, without "
            f"which nobody reaches {dns_name(request.id)}"
        )
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= {*usages}:
        raise EnrolmentError("grant: the TLS certificate is not for servers and clients")
    if not certificate.not_valid_before_utc <= as_time(now) < certificate.not_valid_after_utc:
        raise EnrolmentError("grant: the TLS certificate is not valid now; check the clock")
