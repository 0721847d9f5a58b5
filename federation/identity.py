"""Who a party is: SPIFFE ids of the form `spiffe://<trust domain>/<role>/<name>`.

Parsing follows the SPIFFE ID specification (sections 2.1 to 2.4) and then narrows it to the two
path segments of this protocol. Nothing is normalised: an id that would need it is refused, so
that two spellings of one party do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from federation.errors import IdentityError

MAX_ID_BYTES = 2048
MAX_TRUST_DOMAIN_BYTES = 255
SCHEME = "spiffe://"

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
MAX_DNS_NAME = 253
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Role(StrEnum):
    """The roles of section 1 of the protocol."""

    HUB = "hub"
    HOLDER = "holder"
    BANK = "bank"
    REGULATOR = "regulator"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, order=True)
class SpiffeId:
    """One party. `str()` is the id on the wire and in documents."""

    trust_domain: str
    role: Role
    name: str

    def __post_init__(self) -> None:
        if not _TRUST_DOMAIN.fullmatch(self.trust_domain):
            raise IdentityError(
                f"trust domain {self.trust_domain!r}: use lower-case letters, digits, '.', '-', '_'"
            )
        if len(self.trust_domain) > MAX_TRUST_DOMAIN_BYTES:
            raise IdentityError(f"trust domain is longer than {MAX_TRUST_DOMAIN_BYTES} bytes")
        if not isinstance(self.role, Role):
            raise IdentityError(f"role {self.role!r} is not one of {', '.join(Role)}")
        if not _SEGMENT.fullmatch(self.name) or self.name in {".", ".."}:
            raise IdentityError(
                f"name {self.name!r}: use letters, digits, '.', '-' and '_', and not '.' or '..'"
            )
        if len(str(self)) > MAX_ID_BYTES:
            raise IdentityError(f"SPIFFE id is longer than {MAX_ID_BYTES} bytes")

    @classmethod
    def parse(cls, text: str) -> SpiffeId:
        """Reads an id. Raises IdentityError with what is wrong.

        Port, user info, query, fragment, percent-encoding, upper-case domain, empty or dot
        segments and trailing slashes are all refused by the allowed characters.
        """
        if len(text) > MAX_ID_BYTES:
            raise IdentityError(f"SPIFFE id is longer than {MAX_ID_BYTES} bytes")
        if not text.startswith(SCHEME):
            raise IdentityError(f"SPIFFE id {text!r} does not start with {SCHEME}")
        parts = text.removeprefix(SCHEME).split("/")
        if len(parts) != 3:
            raise IdentityError(f"SPIFFE id {text!r} is not of the form {SCHEME}domain/role/name")
        domain, role, name = parts
        try:
            known = Role(role)
        except ValueError as error:
            raise IdentityError(
                f"SPIFFE id {text!r}: role {role!r} is not one of {', '.join(Role)}"
            ) from error
        return cls(domain, known, name)

    def __str__(self) -> str:
        return f"{SCHEME}{self.trust_domain}/{self.role}/{self.name}"


def peer_identity(uris: Sequence[str]) -> SpiffeId:
    """The identity in a peer certificate's URI names (X509-SVID section 5.2).

    Raises IdentityError unless there is exactly one URI name and it is a SPIFFE id: gRPC itself
    accepts a certificate with two.
    """
    if len(uris) != 1:
        raise IdentityError(f"certificate has {len(uris)} URI names, exactly one is required")
    return SpiffeId.parse(uris[0])


def dns_name(party: SpiffeId) -> str:
    """The host name that stands for `party` in its certificate: `<name>.<role>.<trust domain>`.

    TLS libraries compare host names, not URIs, so this is what a client demands of a server. It
    proves the identity because of a rule for authorities: this name is issued together with this
    one SPIFFE id and with no other. Within a trust domain no two ids share a name, since the
    label before the domain is the role.

    Raises IdentityError when name or domain is not spelled as a host name (RFC 1123 section 2.1,
    lower case: host names are compared without case): such a party can call but not serve.
    """
    name = f"{party.name}.{party.role}.{party.trust_domain}"
    if len(name) > MAX_DNS_NAME or not all(map(_DNS_LABEL.fullmatch, name.split("."))):
        raise IdentityError(
            f"{party} cannot serve: name and trust domain must consist of lower-case letters, "
            f"digits and inner '-', in labels of at most 63 characters, together {MAX_DNS_NAME}"
        )
    return name
