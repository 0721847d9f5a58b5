"""The desk to which the hub brings what firms sealed: verified before it is read, kept, replied to.

Who cannot prove to be a firm gets an error. Who can gets a sealed reply of one size whatever it
says: the hub does not learn whether a dispute was new, taken, refused or answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Final

import structlog
from sqlalchemy import Connection

from federation.disputes.key import SEALED_DISPUTE_BYTES, open_dispute
from federation.disputes.reply import DisputeReply, DisputeState, seal_reply, try_reply_key
from federation.disputes.statement import (
    Dispute,
    read_dispute_unverified,
    require_for,
    verify_dispute,
)
from federation.entries import Logged
from federation.errors import FederationError, Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from node.config import HolderConfig
from node.errors import NodeError, StorageUnavailable
from node.holder.disputes.keys import current_key, erase_keys, renewed_key, secret_of
from node.holder.disputes.register import erase_disputes, said_of, take
from node.holder.tables import holder_dispute_keys, holder_disputes
from node.rpc.convert import exactly
from node.runtime import Runtime

_log = structlog.get_logger(__name__)

KEEP_SECONDS: Final = 3600.0
METHOD: Final = "Dispute"


class DisputeDesk:
    """Takes disputes for one holder."""

    def __init__(self, runtime: Runtime[HolderConfig]) -> None:
        self._runtime = runtime

    @property
    def credential(self) -> Signed:
        """The regulator's word for who signed the key."""
        return self._runtime.identity.credential

    async def key(self, holder: SpiffeId) -> Signed:
        """The signed key to which firms seal. Raises Refusal for another holder's."""
        self._require_own(holder)
        runtime = self._runtime
        known = await runtime.store.read(lambda connection: current_key(runtime, connection))
        if known is not None:
            return known
        return await runtime.store.run(lambda connection: renewed_key(runtime, connection))

    async def receive(self, holder: SpiffeId, key: bytes, sealed: bytes, caller: SpiffeId) -> bytes:
        """The sealed reply to what a firm sealed to the key of that hash; `caller` brought it.

        The same dispute again has what became of it for a reply. Raises EnvelopeError, Refusal or
        DocumentError for what no certified firm signed.
        """
        self._require_own(holder)
        exactly(key, 32, "key")
        exactly(sealed, SEALED_DISPUTE_BYTES, "sealed")
        runtime = self._runtime
        statement, secret = await runtime.store.read(lambda c: secret_of(runtime, c, key))
        compact = await asyncio.to_thread(open_dispute, sealed, statement, secret)
        digest = hashlib.sha256(compact.encode("ascii")).digest()
        said = await runtime.store.read(lambda c: said_of(runtime, c, digest))
        if said is None:
            dispute = self._verified(compact)
            said = await self._take(dispute, caller)
        else:
            # These very bytes were verified when they first came; their certificate may be over.
            dispute = read_dispute_unverified(compact)
        return await asyncio.to_thread(seal_reply, said, dispute.hash, dispute.reply)

    async def keep(self) -> None:
        """Erases what is over, every hour, until cancelled."""
        while True:
            try:
                await self.tidy()
            except (NodeError, FederationError) as error:
                _log.error("disputes cannot be erased", error=str(error))
            await asyncio.sleep(KEEP_SECONDS)

    async def tidy(self) -> None:
        """Erases keys that are over, and disputes whose term of keeping is."""
        runtime = self._runtime

        def unit(connection: Connection) -> int:
            keys = erase_keys(connection, runtime.clock.now())
            return keys + erase_disputes(runtime, connection)

        if not await runtime.store.run(unit):
            return
        try:
            await runtime.store.scrub(holder_dispute_keys.name, holder_disputes.name)
        except StorageUnavailable as error:
            _log.warning("erased rows may still be in the database's files", error=str(error))

    def _verified(self, compact: str) -> Dispute:
        authority = self._runtime.identity.root.licence_authority.encode()
        dispute = verify_dispute(compact, authority, self._runtime.clock.now())
        # A key of small order is told apart only by sealing to it: before the dispute is kept.
        try_reply_key(dispute.reply)
        return dispute

    async def _take(self, dispute: Dispute, caller: SpiffeId) -> Logged | Signed:
        runtime = self._runtime
        own, chain = runtime.identity.id, runtime.identity.root.chain

        def unit(connection: Connection) -> Logged | Signed:
            known = said_of(runtime, connection, dispute.hash)
            if known is None:  # else the same message came twice at once
                require_for(dispute, own, chain, runtime.clock.now())
                take(runtime, connection, dispute)
            said = known or said_of(runtime, connection, dispute.hash)
            if said is None:
                raise NodeError("a dispute that was just kept is not there")
            return said

        try:
            return await runtime.store.run(unit)
        except Refusal as refusal:
            reference = secrets.token_hex(8)
            await runtime.refused(caller, METHOD, refusal.reason.value, reference, {})
            return DisputeReply(
                chain=chain,
                holder=own,
                dispute=dispute.hash,
                state=DisputeState.REFUSED,
                reason=refusal.reason.value,
                stated=runtime.clock.now(),
            ).sign(runtime.identity.signing)

    def _require_own(self, holder: SpiffeId) -> None:
        if holder != self._runtime.identity.id:
            raise Refusal(Reason.WRONG_AUDIENCE, f"dispute is for {holder}")
