"""What a node asks of the regulator, and what the regulator checks before it considers it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from federation.envelope import EnvelopePublicKey
from federation.errors import DocumentError
from federation.identity import Role, SpiffeId, dns_name
from federation.membership import MemberRequest, TrustRoot
from federation.pki import make_csr
from federation.signed import Signed
from node.enrolment.errors import EnrolmentError
from node.enrolment.keys import SEALED_TO, NodeKeys

LANGUAGES = ("zh", "en")
MAX_TITLE = 128
MAX_ADDRESSES = 16
AGREEMENT_BYTES = 32

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_HOST = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def make_request(
    party: SpiffeId,
    keys: NodeKeys,
    *,
    title: Mapping[str, str],
    kind: str = "",
    named: bool = False,
    addresses: Sequence[str] = (),
) -> Signed:
    """A request of `party`, signed with its own new key."""
    signing, agreement, sealing = keys.public
    return MemberRequest(
        id=party,
        kind=kind,
        title=dict(title),
        signing=signing,
        agreement=agreement,
        sealing=sealing,
        named=named,
        tls_request=make_csr(keys.tls).decode("ascii"),
        addresses=tuple(addresses),
    ).sign(keys.signing)


def read_request(signed: Signed, root: TrustRoot) -> MemberRequest:
    """A request that a chain could grant.

    Raises DocumentError or SignatureInvalid for one that is malformed or not signed with the key
    it names, EnrolmentError for one that asks for what no member of the chain may have.
    """
    request = MemberRequest.parse(signed.payload)
    # Its own key signs it: that proves possession, who it is is for the regulator to find out.
    MemberRequest.open_(signed, request.signing)
    party = request.id
    if party.trust_domain != root.trust_domain:
        raise EnrolmentError(f"{party} is outside {root.trust_domain}, the domain of the chain")
    if party.role is Role.ENTERPRISE:
        raise EnrolmentError(f"{party}: enterprises are certified by the licence authority")
    if party.role is Role.REGULATOR and party != root.regulator:
        raise EnrolmentError(f"{party}: the chain's regulator is {root.regulator}")
    dns_name(party)  # raises for a name that cannot serve
    _check_kind(request)
    _check_sealing(request)
    _check_title(request.title)
    names_and_addresses(party, request.addresses)
    return request


def names_and_addresses(
    party: SpiffeId, addresses: Sequence[str]
) -> tuple[tuple[str, ...], tuple[IpAddress, ...]]:
    """The DNS names and IP addresses of a member's certificate, its own DNS name first.

    Raises EnrolmentError for what is neither, and for any other name within the trust domain:
    that name is how members recognise another member.
    """
    if len(addresses) > MAX_ADDRESSES:
        raise EnrolmentError(f"addresses: {len(addresses)}, at most {MAX_ADDRESSES} are certified")
    own = dns_name(party)
    hosts, numbers = [own], []
    for address in addresses:
        try:
            numbers.append(ipaddress.ip_address(address))
            continue
        except ValueError:
            pass
        if not _HOST.fullmatch(address):
            raise EnrolmentError(
                f"addresses: {address!r} is no IP address and no host name in lower case"
            )
        if address != own and f".{address}".endswith(f".{party.trust_domain}"):
            raise EnrolmentError(
                f"addresses: {address} is within {party.trust_domain}, whose names stand for its "
                "members; ask for a name outside it"
            )
        if address not in hosts:
            hosts.append(address)
    return tuple(hosts), tuple(dict.fromkeys(numbers))


def _check_kind(request: MemberRequest) -> None:
    holder = request.id.role is Role.HOLDER
    if holder and not _KIND.fullmatch(request.kind):
        raise DocumentError("member-request.kind", "is not a kind of the catalogue, such as tax")
    if not holder and (request.kind or request.agreement or request.named):
        raise DocumentError("member-request", "has a kind or key that only a holder has")
    if holder and len(request.agreement) != AGREEMENT_BYTES:
        raise DocumentError("member-request.agreement", "is not an X25519 key of 32 bytes")


def _check_sealing(request: MemberRequest) -> None:
    needed = request.id.role in SEALED_TO or request.named
    if needed != bool(request.sealing):
        raise DocumentError(
            "member-request.sealing",
            "belongs to banks, hubs, regulators and holders that must be told the subject alone",
        )
    if request.sealing:
        EnvelopePublicKey(request.sealing)  # raises EnvelopeError


def _check_title(title: Mapping[str, str]) -> None:
    if set(title) != set(LANGUAGES):
        raise DocumentError("member-request.title", "has not exactly a zh and an en text")
    for language, text in title.items():
        # It is shown on a terminal to whoever decides about the request.
        if not 0 < len(text) <= MAX_TITLE or not text.isprintable():
            raise DocumentError(
                f"member-request.title.{language}",
                f"is empty, longer than {MAX_TITLE} characters, or not printable",
            )
