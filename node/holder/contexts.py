"""Contexts: one model in one epoch, the holder's key for it, and the statement of that key.

A key is stated, signed and logged, before anything under it is answered, and it stays the stated
one: where the root on disk gives another key than the log has, the node refuses to go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy import Connection, insert, select

from federation.certificate import ModelCertificate
from federation.entries import Kind, Logged
from federation.epoch import Manifest, OpenEpoch
from federation.errors import FederationError, Reason, Refusal
from federation.exchange.holder import UnlockDesk
from federation.identity import SpiffeId
from federation.signed import Signed
from node.chain import ChainSync
from node.config import HolderConfig
from node.errors import NodeError
from node.holder.banks import is_stopped
from node.holder.closing import is_closed, refuse_closed
from node.holder.errors import HolderError, RootMissing
from node.holder.tables import holder_contexts, holder_models
from node.holder.vault import EpochSecrets, EpochVault
from node.log.attachments import attach_document
from node.runtime import Runtime
from scoring.oprf import KeyPair
from scoring.words import ROWS

_log = structlog.get_logger(__name__)

Verified = TypeVar("Verified")


@dataclass(frozen=True)
class Context:
    """A certified model in an open epoch, as this holder takes part in it."""

    holder: SpiffeId
    ctx: bytes
    certificate: ModelCertificate
    epoch: OpenEpoch

    @property
    def number(self) -> int:
        """The epoch's number."""
        return self.epoch.number

    @property
    def manifest(self) -> Manifest:
        """This holder's manifest in the epoch."""
        return self.epoch.manifests[self.holder]

    @property
    def rows(self) -> int:
        """Rows of the roster that take part."""
        return self.epoch.descriptor.roster_rows

    @property
    def buckets(self) -> int:
        """How many buckets they fill or begin."""
        return -(-self.rows // ROWS)


class Contexts:
    """Finds contexts, and their keys."""

    def __init__(
        self, runtime: Runtime[HolderConfig], vault: EpochVault, sync: ChainSync | None
    ) -> None:
        """`sync` catches up with the hub when a request names what is not known here yet."""
        self._runtime = runtime
        self._vault = vault
        self._chainsync = sync

    async def desk(self) -> UnlockDesk:
        """The rules of the protocol with the chain's members of now."""
        identity = self._runtime.identity
        members = await self._runtime.members()
        policy = self._runtime.config.tlog.permit_policy
        return UnlockDesk(identity.id, members, identity.signing, identity.sealing, policy)

    async def find(
        self, certificate: bytes, epoch: int
    ) -> tuple[ModelCertificate | None, OpenEpoch | None]:
        """The certificate and the open epoch that a request names, as far as they are known."""
        found = await self._runtime.store.read(lambda c: self._find(c, certificate, epoch))
        if found[1] is None and await self.catch_up():
            found = await self._runtime.store.read(lambda c: self._find(c, certificate, epoch))
        return found

    async def catch_up(self) -> bool:
        """One pull from the hub; false when it cannot be had now."""
        if self._chainsync is None:
            return False
        try:
            await self._chainsync.sync()
        except (NodeError, FederationError) as error:
            _log.warning("chain not up to date", error=str(error))
            return False
        return True

    async def verified(self, verify: Callable[[Connection], Verified]) -> Verified:
        """What `verify` makes of a document.

        Where it refuses, once more after a pull from the hub: the bank, the catalogue or the
        roster that the document names may be new to this node.
        """
        try:
            return await self._runtime.store.read(verify)
        except Refusal:
            if not await self.catch_up():
                raise
        return await self._runtime.store.read(verify)

    async def resolve(self, certificate: bytes, epoch: int) -> Context:
        """The context of a request. Raises Refusal for one that is not served, or not now."""
        context = self.bind(*await self.find(certificate, epoch))

        def check(connection: Connection) -> None:
            refuse_closed(connection, context.number)
            bank = context.certificate.bank
            if is_stopped(connection, bank):
                raise Refusal(Reason.BANK_STOPPED, f"{bank} is stopped")

        await self._runtime.store.read(check)
        return context

    def bind(self, certificate: ModelCertificate | None, epoch: OpenEpoch | None) -> Context:
        """The context of what `find` found. Raises Refusal unless both are there and valid now.

        Does not look whether the epoch was closed early: whoever makes something in it does.
        """
        if certificate is None:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "no such certificate is installed")
        if epoch is None:
            raise Refusal(Reason.NOT_OPEN, "no such epoch is open")
        own, now = self._runtime.identity.id, self._runtime.clock.now()
        certificate.require_valid(now)
        participant, member = certificate.participant(own), self._runtime.identity.member
        if (participant.signing, participant.agreement) != (member.signing, member.agreement):
            # Masks of other keys would not cancel, and the bank would accuse every participant.
            raise Refusal(Reason.FOREIGN_CERTIFICATE, "this node runs with other keys; restart it")
        epoch.require_open(now)
        return Context(own, certificate.context(epoch), certificate, epoch)

    async def open_contexts(self) -> list[Context]:
        """Every installed model in every open epoch: what is worth computing ahead."""
        return await self._runtime.store.read(self._open_contexts)

    async def statement(self, context: Context) -> Logged:
        """The signed, logged statement of the context's key, made when first asked for."""
        row = await self._stated(context)
        document, raw, _ = row or await self._state(context)
        return self._runtime.logged(document, raw)

    async def keys(self, context: Context) -> KeyPair:
        """The context's key pair, once it is the stated one.

        Raises Refusal(closed) when the epoch ended, HolderError when its root was lost.
        """
        row = await self._stated(context)
        _, _, public_key = row or await self._state(context)
        pair = (await self.secrets(context)).keys(context.ctx)
        if pair.public != public_key:
            raise HolderError(
                f"epoch {context.number}: the root on disk is not the one whose key was stated; "
                "restore it, or close the epoch"
            )
        return pair

    async def secrets(self, context: Context, *, create: bool = False) -> EpochSecrets:
        """The epoch's secrets. Raises Refusal(closed), HolderError when the root was lost."""
        try:
            return await asyncio.to_thread(self._vault.secrets, context.number, create=create)
        except RootMissing:
            await self.refuse_closed(context)
            raise

    async def refuse_closed(self, context: Context) -> None:
        """Raises Refusal(closed) when the epoch is over at this holder."""
        await self._runtime.store.read(lambda c: refuse_closed(c, context.number))

    def _find(
        self, connection: Connection, certificate: bytes, epoch: int
    ) -> tuple[ModelCertificate | None, OpenEpoch | None]:
        chain, now = self._runtime.chain, self._runtime.clock.now()
        return (
            chain.certificate(connection, certificate, now),
            chain.epoch(connection, epoch, now),
        )

    def _open_contexts(self, connection: Connection) -> list[Context]:
        chain, now = self._runtime.chain, self._runtime.clock.now()
        installed = connection.execute(select(holder_models.c.certificate)).scalars().all()
        found = []
        for number in chain.epoch_numbers(connection):
            descriptor = chain.descriptor(connection, number)
            if descriptor is None or now >= descriptor.closes or is_closed(connection, number):
                continue
            try:
                epoch = chain.epoch(connection, number, now)
            except FederationError as error:
                # Somebody in it has other keys since: this one is not served, the others are.
                _log.warning("epoch not served", epoch=number, error=str(error))
                continue
            if epoch is None:
                continue
            for digest in installed:
                try:
                    certificate = chain.certificate(connection, bytes(digest), now)
                    if certificate is not None and not is_stopped(connection, certificate.bank):
                        found.append(self.bind(certificate, epoch))
                except Refusal:
                    # Not of this catalogue, not valid now, not of the members of now, or a
                    # participant is late: not served.
                    continue
        return found

    async def _stated(self, context: Context) -> tuple[Signed, bytes, bytes] | None:
        return await self._runtime.store.read(lambda connection: _stated(connection, context.ctx))

    async def _state(self, context: Context) -> tuple[Signed, bytes, bytes]:
        """States the key. The epoch's first statement is what makes its root.

        With a statement in the log and no root on disk, a new root would be another key.
        """
        runtime, now = self._runtime, self._runtime.clock.now()

        def first(connection: Connection) -> bool:
            refuse_closed(connection, context.number)
            table = holder_contexts.c
            query = select(table.ctx).where(table.epoch == context.number).limit(1)
            return connection.execute(query).scalar_one_or_none() is None

        create = await runtime.store.read(first)
        public_key = (await self.secrets(context, create=create)).keys(context.ctx).public
        desk = await self.desk()
        signed, raw = desk.state_key(context.ctx, public_key, context.epoch, now)

        def unit(connection: Connection) -> tuple[Signed, bytes, bytes]:
            refuse_closed(connection, context.number)
            kept = _stated(connection, context.ctx)
            if kept is not None:
                return kept
            connection.execute(
                insert(holder_contexts).values(
                    ctx=context.ctx,
                    epoch=context.number,
                    certificate=context.certificate.hash,
                    public_key=public_key,
                    statement=signed.to_json(),
                    entry=raw,
                    stated_at=now,
                )
            )
            attach_document(connection, signed)
            runtime.append(connection, Kind.CTX_KEY, raw)
            return signed, raw, public_key

        return await runtime.store.run(unit)


def _stated(connection: Connection, ctx: bytes) -> tuple[Signed, bytes, bytes] | None:
    row = connection.execute(
        select(holder_contexts).where(holder_contexts.c.ctx == ctx)
    ).one_or_none()
    if row is None:
        return None
    return Signed.from_json(bytes(row.statement)), bytes(row.entry), bytes(row.public_key)
