"""The hub as an enterprise sees it: consents, who asked, and disputes on their way to holders."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from federation.canonical import canonical_json, parse_canonical
from federation.consent import HASH_BYTES
from federation.consent import ID_BYTES as CONSENT_ID_BYTES
from federation.disputes.key import Recipient, read_dispute_key, seal_dispute
from federation.entries import InclusionPromise
from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from federation.membership import TrustRoot
from federation.merkle import leaf_hash
from federation.pki import tls_key_to_pem
from federation.signed import Signed
from node.enrolment.folder import write_public
from node.enterprise.enterprise import Enterprise
from node.enterprise.errors import EnterpriseError
from node.enterprise.members import ChainMembers
from node.keys import write_secret
from node.rpc.client import Channel, ChannelLimits
from node.rpc.convert import signed_from_wire
from node.rpc.tls import TlsFiles
from yinxin.v1 import common_pb2, hub_pb2

_SERVICE = "/yinxin.v1.Consents/"
_MOST_NUMBER = 2**53
_MOST_LISTED = 256
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A purpose's code, or a field of a score record."""


@dataclass(frozen=True)
class Receipt:
    """The hub's log entry about a consent, and its promise to keep it: evidence for a dispute."""

    entry: bytes
    promise: Signed

    def to_json(self) -> bytes:
        """The receipt's file, canonical JSON."""
        promise = parse_canonical(self.promise.to_json(), 1 << 20)
        return canonical_json({"entry": self.entry.decode(), "promise": promise})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One query under one of the firm's consents, as the hub lists it; times in unix seconds.

    `permits` and `certificate` are SHA-256, `consent` is the consent's id (`jti`) of 16 bytes,
    `cancelled` when it was cancelled, 0 for never.
    """

    number: int
    bank: SpiffeId
    purpose: str
    time: int
    epoch: int
    permits: tuple[bytes, ...]
    certificate: bytes
    fields: tuple[str, ...]
    consent: bytes
    cancelled: int


class ConsentClient:
    """One enterprise's connection to the consent registry of one hub."""

    def __init__(self, hub: SpiffeId, channel: Channel) -> None:
        self._hub = hub
        self._channel = channel

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, enterprise: Enterprise, hub: SpiffeId, address: str, chain_authority: bytes
    ) -> AsyncIterator[Self]:
        """Connects to `address`, and accepts nobody there but `hub`.

        `chain_authority` is the certificate (PEM) behind the chain's TLS certificates, from its
        trust root. Raises EnterpriseError for an id that is no hub, else RemoteError.
        """
        if hub.role is not Role.HUB:
            raise EnterpriseError(f"hub-id: {hub} is no hub")
        # gRPC's channel reads files; these live as long as the connection, closed to others.
        with tempfile.TemporaryDirectory(prefix="yinxin-") as name:
            folder = Path(name)
            files = TlsFiles(folder / "tls.pem", folder / "tls.key", folder / "authority.pem")
            write_secret(files.private_key, tls_key_to_pem(enterprise.tls))
            write_public(files.certificates, enterprise.tls_certificate)
            write_public(files.authorities, chain_authority)
            # The files do not change: no need to look at them again.
            limits = ChannelLimits(reload=float("inf"))
            async with Channel(hub, address, files, limits) as channel:
                yield cls(hub, channel)

    async def register(self, consent: str) -> Receipt:
        """Registers a consent before anyone uses it, so that it can be cancelled unused."""
        request = hub_pb2.ConsentRequest(consent=consent)
        answer = await self._channel.unary(
            f"{_SERVICE}RegisterConsent", request, common_pb2.Receipt
        )
        return self._receipt(answer)

    async def cancel(self, cancellation: str) -> Receipt:
        """Cancels: once the receipt is here, the hub gives no new permit under the consent."""
        request = hub_pb2.CancellationRequest(cancellation=cancellation)
        answer = await self._channel.unary(f"{_SERVICE}CancelConsent", request, common_pb2.Receipt)
        return self._receipt(answer)

    async def asked(self, start: int = 0) -> list[Asked]:
        """Every query under the firm's own consents that the hub lists, from a number on, the
        oldest first.
        """
        found: list[Asked] = []
        end = start + 1
        while start < end:
            request = hub_pb2.ListUsesRequest(start=start)
            reply = await self._channel.unary(f"{_SERVICE}ListUses", request, hub_pb2.ListUsesReply)
            numbers = [use.number for use in reply.uses]
            going_on = start < reply.next <= reply.total or start == reply.total == reply.next
            if not going_on or not all(start <= number < reply.next for number in numbers):
                raise DocumentError("uses", "are not in order", "tell the hub's operator")
            found += [_asked(use) for use in reply.uses]
            start, end = reply.next, reply.total
        return found

    async def members(self, root: TrustRoot, now: int) -> ChainMembers:
        """Banks and holders of the chain. Raises what `ChainMembers.read` raises."""
        request = hub_pb2.GetMembersRequest()
        reply = await self._channel.unary(f"{_SERVICE}GetMembers", request, hub_pb2.ChainMembers)
        credentials = [signed_from_wire(credential) for credential in reply.members]
        return ChainMembers.read(root, credentials, reply.catalogue, now)

    async def recipient(self, holder: SpiffeId, root: TrustRoot, now: int) -> Recipient:
        """A holder's key for disputes, verified by the chain's root: not the hub's word.

        Raises what `read_dispute_key` raises.
        """
        request = common_pb2.DisputeKeyRequest(holder=str(holder))
        reply = await self._channel.unary(
            f"{_SERVICE}GetDisputeKey", request, common_pb2.DisputeKeyReply
        )
        credential, key = signed_from_wire(reply.credential), signed_from_wire(reply.key)
        return read_dispute_key(credential, key, holder, root, now)

    async def dispute(self, recipient: Recipient, compact: str) -> bytes:
        """Sends a signed dispute, new or not, to its holder; the sealed reply."""
        request = common_pb2.DisputeRequest(
            holder=str(recipient.member.id),
            key=recipient.key.hash,
            sealed=seal_dispute(compact, recipient.key),
        )
        reply = await self._channel.unary(f"{_SERVICE}Dispute", request, common_pb2.DisputeReply)
        return reply.sealed

    def _receipt(self, answer: common_pb2.Receipt) -> Receipt:
        receipt = Receipt(answer.entry, signed_from_wire(answer.promise))
        # An enterprise knows the hub by its TLS certificate, not its signing key: the signature is
        # for whoever settles a dispute, but a receipt for something else is told at once.
        promised = InclusionPromise.parse(receipt.promise.payload)
        if promised.log != self._hub or promised.leaf != leaf_hash(receipt.entry):
            raise DocumentError("receipt", "is not for this entry of this hub")
        return receipt


def _asked(use: hub_pb2.ConsentUse) -> Asked:
    """What the hub says, in the bounds of what it may say: pages and terminals show it. Raises
    DocumentError, IdentityError.
    """
    times = [use.time, *([use.cancelled] if use.cancelled else [])]
    right = (
        use.number <= _MOST_NUMBER
        and use.epoch <= _MOST_NUMBER
        and all(10**9 <= time < 10**10 for time in times)
        and all(len(permit) == HASH_BYTES for permit in use.permits)
        and len(use.certificate) == HASH_BYTES
        and len(use.consent) == CONSENT_ID_BYTES
        and _WORD.fullmatch(use.purpose) is not None
        and all(_WORD.fullmatch(name) for name in use.fields)
        and max(len(use.fields), len(use.permits)) <= _MOST_LISTED
    )
    if not right:
        raise DocumentError("uses", "hold what is no query", "tell the hub's operator")
    return Asked(
        number=use.number,
        bank=SpiffeId.parse(use.bank),
        purpose=use.purpose,
        time=use.time,
        epoch=use.epoch,
        permits=tuple(use.permits),
        certificate=use.certificate,
        fields=tuple(use.fields),
        consent=use.consent,
        cancelled=use.cancelled,
    )
