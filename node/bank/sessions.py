"""Sessions: a model in an open epoch, with the key that each holder logged for it.

A holder states one key under a ctx. The first statement that verifies is kept, so that a holder
which later used another key, to tag a bank, is found out by the DLEQ proof.
"""

from __future__ import annotations

from datetime import date

import structlog
from sqlalchemy import Connection

from federation.answers import read_key
from federation.certificate import ModelCertificate
from federation.entries import Logged
from federation.epoch import OpenEpoch
from federation.errors import FederationError
from federation.exchange.bank import AnswerRejected, Session
from federation.identity import SpiffeId
from node.bank.agent import Agent, reason_of
from node.bank.chains import ChainView
from node.bank.errors import BankError
from node.bank.records import Model
from node.bank.texts import Code
from node.rpc.convert import logged_from_wire
from yinxin.v1 import common_pb2, hub_pb2

GET_KEYS = "/yinxin.v1.Hub/GetKeys"

_log = structlog.get_logger(__name__)


class Sessions:
    """Opens sessions, and keeps those that are open."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._open: dict[tuple[bytes, int], Session] = {}

    async def epochs(self, model: Model) -> list[OpenEpoch]:
        """The epochs that answer queries under a model now, the newest first, at least one.

        Raises BankError when there is none, naming a holder whose data is too old if that is why.
        """
        view = await self._agent.chains.view(model.chain)
        certificate = await self._valid(model)
        found, late = await self._look(view, certificate)
        if not found:
            await view.sync()
            found, late = await self._look(view, certificate)
        if not found:
            if late is not None:
                raise BankError(Code.DATA_TOO_OLD, "model", holder=str(late), chain=view.name)
            raise BankError(Code.NO_OPEN_EPOCH, "epoch", chain=view.name)
        return found

    async def session(self, model: Model, epoch: OpenEpoch) -> Session:
        """The session of a model and epoch; keys are fetched once.

        Raises AnswerRejected naming the holder whose statement does not verify, RemoteError.
        """
        agent = self._agent
        certificate = await self._valid(model)
        # A number has one opening, so it stands for the epoch.
        place = model.hash, epoch.number
        if place in self._open:
            return self._open[place]
        ctx = certificate.context(epoch)
        kept = await agent.read(lambda c: agent.records.statements(c, ctx))
        if set(kept) != {str(h) for h in certificate.holders}:
            fetched = await self._fetch(model, certificate, epoch)
            self._read(certificate, epoch, fetched)

            def unit(connection: Connection) -> dict[str, Logged]:
                for holder, logged in fetched.items():
                    agent.records.put_statement(connection, ctx, holder, logged)
                return agent.records.statements(connection, ctx)

            # Another process of this node may have kept statements first: those count.
            kept = await agent.write(unit)
        statements = {h: kept[str(h)] for h in certificate.holders}
        keys = self._read(certificate, epoch, statements)
        self._open[place] = Session(certificate, epoch, keys)
        return self._open[place]

    async def _valid(self, model: Model) -> ModelCertificate:
        certificate = await self._agent.certificate(model.hash)
        if not certificate.not_before <= self._agent.now() < certificate.not_after:
            raise BankError(Code.MODEL_EXPIRED, "model")
        return certificate

    async def _look(
        self, view: ChainView, certificate: ModelCertificate
    ) -> tuple[list[OpenEpoch], SpiffeId | None]:
        chain, now = view.chain, self._agent.now()

        def look(connection: Connection) -> tuple[list[OpenEpoch], SpiffeId | None]:
            found: list[OpenEpoch] = []
            late: SpiffeId | None = None
            for number in reversed(chain.epoch_numbers(connection)):
                descriptor = chain.descriptor(connection, number)
                if descriptor is None or descriptor.catalogue != certificate.catalogue:
                    continue
                if not descriptor.opens <= now < descriptor.closes:
                    continue
                try:
                    epoch = chain.epoch(connection, number, now)
                except FederationError as error:
                    # Somebody in it has other keys since: this one is not asked, the others are.
                    _log.warning("epoch not usable", epoch=number, error=reason_of(error))
                    continue
                if epoch is None:
                    continue
                missing = [h for h in certificate.holders if h not in epoch.manifests]
                if missing:
                    late = missing[0]
                else:
                    found.append(epoch)
            return found, late

        return await view.read(look)

    async def _fetch(
        self, model: Model, certificate: ModelCertificate, epoch: OpenEpoch
    ) -> dict[SpiffeId, Logged]:
        view = await self._agent.chains.view(model.chain)
        request = hub_pb2.HubKeyRequest(
            request=common_pb2.KeyRequest(certificate_hash=certificate.hash, epoch=epoch.number),
            chain=view.scope,
        )
        deadline = self._agent.config.deadlines.prepare
        reply = await view.hub.unary(GET_KEYS, request, hub_pb2.HubKeyReply, deadline)
        if len(reply.statements) != len(certificate.holders):
            raise AnswerRejected(view.party, "key statements are not one a participant")
        return {
            holder: logged_from_wire(statement)
            for holder, statement in zip(certificate.holders, reply.statements, strict=True)
        }

    def _read(
        self,
        certificate: ModelCertificate,
        epoch: OpenEpoch,
        statements: dict[SpiffeId, Logged],
    ) -> dict[SpiffeId, bytes]:
        keys = {}
        for holder, logged in statements.items():
            try:
                statement = read_key(logged, holder, certificate, epoch, self._agent.now())
            except FederationError as error:
                raise AnswerRejected(holder, reason_of(error)) from error
            keys[holder] = statement.public_key
            check_date(holder, epoch)
        return keys


def check_date(holder: SpiffeId, epoch: OpenEpoch) -> None:
    """Raises AnswerRejected for a manifest whose day does not exist: the profile names it."""
    try:
        date.fromisoformat(epoch.manifests[holder].as_of)
    except ValueError as error:
        raise AnswerRejected(holder, "its manifest's as_of is no date") from error
