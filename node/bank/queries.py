"""Queries: from a consent to a profile, or to an error that names the party.

The order is fixed: own checks; the subject's bucket; the elements, durable; the hub; every
signature, proof and context; the record's own checks; result and log entry in one unit of work;
and only then the answer to the caller.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from sqlalchemy import Connection

from federation.entries import Kind, entry
from federation.errors import FederationError
from federation.exchange.bank import AnswerRejected, OpenQuery, begin_query, open_record
from federation.exchange.messages import QueryReply
from federation.permit import PERMIT_SECONDS
from node.bank.agent import Agent
from node.bank.asking import Ask, check_consent, check_pseudonym, purpose_of, read_consent
from node.bank.chains import ChainView
from node.bank.documents import logged_value, signed_value
from node.bank.errors import BankError, Rejected
from node.bank.failures import NO_PERMIT, Failures
from node.bank.installation import Installation
from node.bank.ledger import QueryLedger, QueryRow, State, open_query_from, open_query_value
from node.bank.places import Place, Places
from node.bank.results import Answer, result_of
from node.bank.targets import Targets
from node.bank.texts import Code
from node.rpc.convert import reply_from_wire
from node.rpc.errors import RemoteError, RemoteRefusal
from scoring.record import Record
from yinxin.v1 import hub_pb2


class Queries:
    """Asks, and keeps what was answered."""

    def __init__(
        self,
        agent: Agent,
        places: Places,
        installation: Installation,
        failures: Failures,
    ) -> None:
        self.targets = Targets(agent)
        self._agent = agent
        self._places = places
        self._installation = installation
        self._failures = failures
        self.ledger = QueryLedger(agent.runtime.identity.storage)
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def ask(
        self,
        ask: Ask,
        key: str | None = None,
        *,
        anew: bool = True,
        part_of: bytes | None = None,
    ) -> Answer:
        """The answer to a question.

        With a `key` the same question gets the same answer for ever, and another question is
        refused; questions at once under one key run once. Without one a question is new, except
        that one which was interrupted is continued; not `anew` is for who waits for long: it takes
        no new elements, and so no second use of the consent, where the old ones are of no use any
        more. `part_of` is the id of the question to several chains that it belongs to. Raises
        BankError, Rejected (final: the regulator is told), RemoteError naming the party; after the
        latter, ask again.
        """
        body = self.ledger.tag("body", ask.to_json())
        tag = self.tag(key) if key is not None else self.ledger.tag("auto", body)
        lock = self._locks.setdefault(tag, asyncio.Lock())
        async with lock:
            row = await self._agent.read(lambda c: self.ledger.by_key(c, tag))
            if row is not None and row.body != body:
                raise BankError(Code.KEY_REUSED, "Idempotency-Key")
            if row is None or row.state is State.OPEN:
                row, place = await self._open(ask, tag, body, row, part_of, anew=anew)
                if row.body != body:
                    raise BankError(Code.KEY_REUSED, "Idempotency-Key")
                if row.state is State.OPEN:
                    return await self._send(row, place, release=key is None)
            return _final(row)

    async def resume(self, identifier: bytes) -> Answer:
        """The answer to a kept question, which is sent again, with its own elements, if it has
        none: that costs no second use of the consent.

        Raises BankError for one whose epoch or consent is over; otherwise as `ask`.
        """
        row = await self.row(identifier)
        if row.state is not State.OPEN:
            return _final(row)
        query = open_query_from(row.content["open"])
        place = await self._places.of_query(query)
        if place is None:
            raise BankError(Code.QUERY_UNSETTLED, "query")
        view = await self._agent.chains.view(place.model.chain)
        read_consent(query.request.consent, view.root, self._agent.now())
        auto = self.ledger.tag("auto", row.body)
        without_key = await self._agent.read(lambda c: self.ledger.by_key(c, auto))
        release = without_key is not None and without_key.id == row.id
        return await self._send(row, place, release=release)

    def tag(self, key: str) -> bytes:
        """Under what the query of a key is kept."""
        return self.ledger.tag("key", key.encode())

    async def answer(self, identifier: bytes) -> Answer:
        """A kept answer. Raises BankError for one that is unknown or not there yet, Rejected."""
        return _final(await self.row(identifier))

    async def row(self, identifier: bytes) -> QueryRow:
        """A query as it is kept. Raises BankError(query_unknown)."""
        row = await self._agent.read(lambda c: self.ledger.by_id(c, identifier))
        if row is None:
            raise BankError(Code.QUERY_UNKNOWN, "query")
        return row

    async def _open(
        self,
        ask: Ask,
        tag: bytes,
        body: bytes,
        row: QueryRow | None,
        part_of: bytes | None,
        *,
        anew: bool,
    ) -> tuple[QueryRow, Place]:
        """The durable open query, continued where it can be, and where its answer is opened."""
        agent, now = self._agent, self._agent.now()
        if row is not None and (now < row.created + PERMIT_SECONDS or not anew):
            query = open_query_from(row.content["open"])
            place = await self._places.of_query(query)
            if place is not None:
                view = await agent.chains.view(place.model.chain)
                read_consent(query.request.consent, view.root, now)
                return row, place
            if not anew:
                raise BankError(Code.QUERY_UNSETTLED, "query")
        purpose = purpose_of(ask.purpose)
        check_pseudonym(ask.officer, "officer")
        check_pseudonym(ask.reference, "reference")
        try:
            target = await self.targets.of(ask)
        except BankError:
            # What is wrong with the consent itself comes first.
            read_consent(ask.consent, agent.root, now)
            raise
        view, model = target.view, target.model
        consent = read_consent(ask.consent, view.root, now)
        certificate = await view.certificate(model.hash)
        check_consent(consent, purpose, certificate, agent.id, view.name)
        await self._installation.require(model, certificate)
        place = await self._places.of_consent(model, consent)
        query = begin_query(
            place.session, consent, purpose=purpose, officer=ask.officer, reference=ask.reference
        )
        content = {"open": open_query_value(query)}
        asked = self.ledger.asked(query, view.name, model.name, part_of)

        def unit(connection: Connection) -> QueryRow:
            if row is not None:
                return self.ledger.renew(connection, row, content, now, asked)
            return self.ledger.begin(connection, tag, body, content, now, asked)

        kept = await agent.write(unit)
        if kept.state is State.OPEN and kept.content != content:
            # Another process of this node was first: its elements count, and where they are opened.
            there = await self._places.of_query(open_query_from(kept.content["open"]))
            if there is None:
                raise BankError(Code.NO_OPEN_EPOCH, "epoch", chain=view.name)
            return kept, there
        return kept, place

    async def _send(self, row: QueryRow, place: Place, *, release: bool) -> Answer:
        """Sends an open query and makes it final. Raises Rejected, RemoteError."""
        agent = self._agent
        view = await agent.chains.view(place.model.chain)
        query = open_query_from(row.content["open"])
        try:
            message = await view.send(query.request)
        except RemoteError as error:
            refused = isinstance(error, RemoteRefusal)
            agent.runtime.metrics.query("refused" if refused else "failed", view.scope)
            raise
        reply: QueryReply | None = None
        try:
            reply = _reply(message, view)
            record = open_record(
                query,
                reply,
                place.session,
                await view.members(),
                place.model.scorecard.layout(),
                place.word,
                agent.now(),
            )
        except AnswerRejected as error:
            raise await self._reject(row, query, reply, place, error, release) from error
        return await self._keep(row, query, reply, place, record, view, release)

    async def _reject(
        self,
        row: QueryRow,
        query: OpenQuery,
        reply: QueryReply | None,
        place: Place,
        error: AnswerRejected,
        release: bool,
    ) -> Rejected:
        content = {"party": str(error.party), "problem": str(error)}
        permits = reply.permits if reply is not None else ()

        def close(connection: Connection) -> None:
            self.ledger.finish(connection, row.id, State.REJECTED, content, release=release)

        return await self._failures.rejected(
            "query",
            place.session.certificate.chain,
            query.request.ctx,
            error,
            place.session.certificate.holders,
            permit=permits[0].document.payload_hash if permits else NO_PERMIT,
            also=close,
        )

    async def _keep(
        self,
        row: QueryRow,
        query: OpenQuery,
        reply: QueryReply,
        place: Place,
        record: Record,
        view: ChainView,
        release: bool,
    ) -> Answer:
        agent, now = self._agent, self._agent.now()
        result = result_of(row, query, place, record, now)
        content = {
            "result": result,
            "evidence": {
                "permits": [logged_value(permit) for permit in reply.permits],
                "answers": [signed_value(answer) for answer in reply.answers],
                "tables": [signed_value(answer) for answer in place.bucket.answers],
                "bucket": place.number,
                "open": row.content["open"],
                "word": place.word,
                "time": now,
            },
        }
        entries = [
            entry(Kind.QUERY, now, document=p.document.payload_hash, ctx=query.request.ctx)
            for p in reply.permits
        ]

        def unit(connection: Connection) -> QueryRow | None:
            if self.ledger.finish(connection, row.id, State.ANSWERED, content, release=release):
                for raw in entries:
                    agent.runtime.append(connection, Kind.QUERY, raw)
            return self.ledger.by_id(connection, row.id)

        kept = await agent.write(unit)
        if kept is None:
            raise BankError(Code.QUERY_UNKNOWN, "query")
        agent.runtime.metrics.query("granted", view.scope)
        return _final(kept)


def _reply(message: hub_pb2.QueryReply, view: ChainView) -> QueryReply:
    try:
        return reply_from_wire(message)
    except FederationError as error:
        raise AnswerRejected(view.party, str(error)) from error


def _final(row: QueryRow) -> Answer:
    match row.state:
        case State.ANSWERED:
            return Answer(row.id, row.content["result"])
        case State.REJECTED:
            raise Rejected("query", row.content["party"], row.content["problem"])
    raise BankError(Code.QUERY_OPEN, "query")
