"""Members of a chain and the root they are trusted from.

The regulator is the chain's root of trust. Its trust root is a file that every node is given
when it is installed; a member is a credential signed by the regulator that ties a SPIFFE id to
the keys the member signs, agrees masks and receives envelopes with. TLS certificates of the
same id come from the same authority, but sign nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from federation import signed as dsse
from federation.documents import Array, Bytes, Bytes32, Document, Id, Name, Time
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.signed import Signed


class TrustRoot(Document):
    """What a node of the chain is given out of band, and trusts without a signature.

    Attributes:
        regulator_signing: Ed25519 key that signs members and model certificates.
        authority: PEM certificate of the authority behind the chain's TLS certificates.
        licence_domain: trust domain of the business-licence authority.
        licence_authority: its PEM certificate, root of enterprises' keys.
    """

    TYPE: ClassVar[str] = "trust-root"

    chain: Name
    trust_domain: str
    regulator: Id
    regulator_signing: Bytes32
    authority: str
    licence_domain: str
    licence_authority: str


class Member(Document):
    """One member's credential, signed by the regulator.

    Attributes:
        kind: for a holder, its kind in the catalogue (`tax`, `electricity` …); else empty.
        signing: Ed25519 key of the member's documents, 32 bytes.
        agreement: for a holder, its X25519 key for masks, 32 bytes; else empty.
        sealing: HPKE public key of envelopes to the member; empty for one that receives none.
        named: whether a holder must by law be told the subject of a query.
    """

    TYPE: ClassVar[str] = "member"

    chain: Name
    id: Id
    kind: str = Field(max_length=64)
    title: dict[str, str]
    signing: Bytes32
    agreement: Bytes
    sealing: Bytes
    named: bool
    not_before: Time
    not_after: Time

    @model_validator(mode="after")
    def _shape(self) -> Member:
        holder = self.id.role is Role.HOLDER
        if holder != bool(self.kind) or holder != (len(self.agreement) == 32):
            raise ValueError("a holder, and nobody else, has a kind and a 32-byte agreement key")
        return self


class MemberRequest(Document):
    """What a node sends to the regulator to become a member, signed by its own new key.

    `tls_request` is a PEM certificate request for the node's TLS key; `addresses` are the DNS
    names and IP addresses at which peers reach the node.
    """

    TYPE: ClassVar[str] = "member-request"

    id: Id
    kind: str
    title: dict[str, str]
    signing: Bytes32
    agreement: Bytes
    sealing: Bytes
    named: bool
    tls_request: str
    addresses: Annotated[tuple[str, ...], Array]


class Members:
    """The members of one chain, each verified under its trust root, and the guests among them."""

    def __init__(
        self,
        root: TrustRoot,
        credentials: Iterable[Signed],
        now: int,
        guests: Iterable[Member] = (),
    ) -> None:
        """Raises SignatureInvalid or DocumentError for a credential that does not verify, and
        Refusal(conflict) for two of one id. Whoever is not valid at `now` (unix seconds) is no
        member. `guests` are verified (`federation.interchain.guest.welcome`): banks of peer
        chains, which may ask here, and are listed nowhere among the chain's own.
        """
        self.root = root
        self._all: dict[SpiffeId, tuple[Member, Signed]] = {}
        for credential in credentials:
            member = Member.open_(credential, root.regulator_signing)
            if member.chain != root.chain or member.id.trust_domain != root.trust_domain:
                raise Refusal(Reason.WRONG_CHAIN, f"member {member.id} is of another chain")
            if member.id in self._all:
                raise Refusal(Reason.CONFLICT, f"two credentials of {member.id}")
            self._all[member.id] = (member, credential)
        self._guests = {guest.id: guest for guest in guests}
        self._now = now

    def at(self, now: int) -> Members:
        """The same members at another time, without verifying the signatures again."""
        other = copy(self)
        other._now = now
        return other

    def with_guest(self, guest: Member) -> Members:
        """The same members, and a guest that is about to be admitted."""
        other = copy(self)
        other._guests = {**self._guests, guest.id: guest}
        return other

    def credential(self, member_id: SpiffeId) -> Signed:
        """The credential of one of the chain's own. Raises Refusal(foreign_certificate)."""
        if member_id not in self._valid():
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{member_id} is no member of the chain")
        return self._all[member_id][1]

    def require(self, member_id: SpiffeId, role: Role) -> Member:
        """The member of that id and role, or the guest. Raises Refusal(foreign_certificate)."""
        member, _ = self._all.get(member_id, (self._guests.get(member_id), None))
        if member is None or member.id.role is not role or not self._is_valid(member):
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{member_id} is no {role} of the chain")
        return member

    def guest_of_key(self, key_id: str, trust_domain: str) -> Member:
        """The guest of that trust domain whose signing key has that id (`signed.key_id`).

        Raises Refusal(foreign_certificate) when there is none now.
        """
        for guest in self._guests.values():
            if guest.id.trust_domain == trust_domain and dsse.key_id(guest.signing) == key_id:
                return self.require(guest.id, Role.BANK)
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"no guest of {trust_domain} has that key")

    @property
    def hub(self) -> Member:
        """The chain's only hub. Raises Refusal(foreign_certificate) if there is not exactly one."""
        hubs = list(self.of(Role.HUB))
        if len(hubs) != 1:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"the chain has {len(hubs)} hubs, needs one")
        return hubs[0]

    def of(self, role: Role) -> Iterator[Member]:
        """The members of a role, in order of their ids."""
        valid = self._valid()
        for member_id in sorted(valid, key=str):
            if member_id.role is role:
                yield valid[member_id]

    def credentials(self) -> tuple[Signed, ...]:
        """The valid credentials, in order of their ids."""
        return tuple(self._all[member_id][1] for member_id in sorted(self._valid(), key=str))

    def _valid(self) -> dict[SpiffeId, Member]:
        return {
            member_id: member
            for member_id, (member, _) in self._all.items()
            if self._is_valid(member)
        }

    def _is_valid(self, member: Member) -> bool:
        return member.not_before <= self._now < member.not_after
