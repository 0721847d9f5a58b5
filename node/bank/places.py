"""Where the answer to a query is opened: model, epoch, the subject's bucket and its row in it."""

from __future__ import annotations

from dataclasses import dataclass

from federation.consent import Consent
from federation.epoch import OpenEpoch
from federation.errors import Refusal
from federation.exchange.bank import OpenQuery, Session
from federation.roster import bucket as bucket_of
from federation.roster import coefficient
from federation.uscc import Uscc
from node.bank.agent import Agent
from node.bank.errors import BankError
from node.bank.preparation import Preparation
from node.bank.records import Bucket, Model
from node.bank.sessions import Sessions
from node.bank.texts import Code


@dataclass(frozen=True)
class Place:
    """`number` is the bucket's, `row` the subject's coefficient in it."""

    model: Model
    session: Session
    bucket: Bucket
    number: int
    row: int

    @property
    def word(self) -> int:
        """The subject's padded word."""
        return int(self.bucket.words[self.row])


class Places:
    """Finds places, and prepares a bucket where that is needed and allowed."""

    def __init__(self, agent: Agent, sessions: Sessions, preparation: Preparation) -> None:
        self._agent = agent
        self._sessions = sessions
        self._preparation = preparation

    async def of_consent(self, model: Model, consent: Consent) -> Place:
        """The newest open epoch in which the subject's bucket is ready; else it is made ready in
        the newest that has the subject.
        """
        epochs = await self._sessions.epochs(model)
        place = await self._row(model, consent, epochs[0])
        number, row = bucket_of(place), coefficient(place)
        held = [e for e in epochs if place < e.descriptor.roster_rows]
        for epoch in held:
            session = await self._preparation.session(model, epoch)
            found = await self._preparation.kept(session.ctx, number)
            if found is not None:
                return Place(model, session, found, number, row)
        bucket = await self._preparation.bucket(model, held[0], number)
        session = await self._preparation.session(model, held[0])
        return Place(model, session, bucket, number, row)

    async def of_query(self, query: OpenQuery) -> Place | None:
        """Where an interrupted query goes on, or None when its epoch is over."""
        agent, now = self._agent, self._agent.now()
        digest, number = query.request.certificate_hash, query.request.epoch
        model = await agent.model_of(digest)
        view = await agent.chains.view(model.chain)
        epoch = await agent.read(lambda c: view.chain.epoch(c, number, now))
        if epoch is None or now >= epoch.descriptor.closes:
            return None
        roster = await agent.read(lambda c: view.chain.roster(c, now))
        row = roster.row(subject(query))
        bucket = await self._preparation.bucket(model, epoch, bucket_of(row))
        session = await self._preparation.session(model, epoch)
        return Place(model, session, bucket, bucket_of(row), coefficient(row))

    async def _row(self, model: Model, consent: Consent, newest: OpenEpoch) -> int:
        """The subject's row in the model's chain. Raises BankError for one that is in no epoch."""
        view, now = await self._agent.chains.view(model.chain), self._agent.now()
        roster = await view.read(lambda c: view.chain.roster(c, now))
        try:
            row = roster.row(consent.uscc)
        except Refusal as error:
            raise BankError(Code.ENTERPRISE_UNKNOWN, "consent.sub", chain=view.name) from error
        if row >= newest.descriptor.roster_rows:
            raise BankError(Code.ENTERPRISE_LATER, "consent.sub", chain=view.name)
        return row


def subject(query: OpenQuery) -> Uscc:
    """The enterprise that a query is about."""
    return Uscc.parse(query.code.decode("ascii"))
