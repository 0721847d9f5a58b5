"""Disputes from the firm's side: signed and kept before they leave, looked up until answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from federation.disputes.reply import DisputeReply, DisputeState, kept_reply, open_reply
from federation.disputes.statement import Dispute, read_dispute_unverified
from federation.envelope import EnvelopeKey
from federation.identity import SpiffeId
from node.enterprise.agent import Agent
from node.enterprise.errors import EnterpriseError
from node.enterprise.tables import agent_disputes

UNSENT: Final = "unsent"
WAITING: Final = (UNSENT, DisputeState.RECEIVED.value)
"""States of which more is to be heard."""
_STATEMENT: Final = b"agent/dispute/"
_SECRET: Final = b"agent/dispute-key/"
_SAID: Final = b"agent/dispute-said/"


@dataclass(frozen=True, kw_only=True)
class OwnDispute:
    """A dispute with all that is known of it; times in unix seconds, 0 for none.

    `state` is `unsent`, or what the holder said: `received`, `answered`, `refused`, `erased`.
    `reason` are an answer's words, or a refusal's code. `proof` is the holder's last signed word
    with the entry of its log, for whoever settles it; empty where it said nothing.
    """

    id: bytes
    chain: str
    holder: SpiffeId
    features: tuple[str, ...]
    query: bytes
    statement: str
    opened_at: int
    state: str
    reason: str
    received_at: int
    due: int
    answered_at: int
    outcome: str
    proof: bytes

    def overdue(self, now: int) -> bool:
        """Whether the holder did not answer in time."""
        return self.due > 0 and (self.answered_at or now) >= self.due


async def begin_dispute(
    agent: Agent,
    chain: str,
    holder: SpiffeId,
    features: Iterable[str],
    query: bytes,
    statement: str,
) -> OwnDispute:
    """Signs a dispute, keeps it and sends it. Raises what `keep_dispute` and `look_up` raise.

    A dispute that cannot be sent stays `unsent`, to be sent by `look_up`; the error passes.
    """
    kept = await keep_dispute(agent, chain, holder, features, query, statement)
    return await look_up(agent, kept)


async def keep_dispute(
    agent: Agent,
    chain: str,
    holder: SpiffeId,
    features: Iterable[str],
    query: bytes,
    statement: str,
) -> bytes:
    """Signs a dispute and keeps it, `unsent`; its hash. Raises DocumentError for what it cannot
    say, EnterpriseError for a chain that the firm does not know.
    """
    link, now, secret = agent.link(chain), agent.clock.now(), EnvelopeKey.generate()
    statement = statement.replace("\r\n", "\n").strip()
    compact = agent.enterprise().dispute(
        holder, link.chain, features, query, statement, secret.public, now
    )
    digest = read_dispute_unverified(compact).hash

    def unit(connection: Connection) -> None:
        connection.execute(
            insert(agent_disputes).values(
                id=digest,
                chain=link.chain,
                holder=str(holder),
                opened_at=now,
                sealed=agent.key.seal(compact.encode("ascii"), _STATEMENT + digest),
                secret=agent.key.seal(secret.to_bytes(), _SECRET + digest),
                state=UNSENT,
                reason="",
            )
        )

    await agent.store.run(unit)
    return digest


async def look_up(agent: Agent, dispute: bytes) -> OwnDispute:
    """Sends a dispute, or asks what became of it: the same message. An answer is final.

    Raises EnterpriseError for one that is not here, RemoteError where hub or holder cannot be
    reached, and FederationError where the reply, or the holder's key, is not the holder's.
    """
    row = await agent.store.read(lambda connection: _row(connection, dispute))
    own, compact, secret = _opened(agent, row)
    if own.state not in WAITING:
        return own
    link, now = agent.link(own.chain), agent.clock.now()
    async with link.connect(agent.enterprise()) as client:
        recipient = await client.recipient(own.holder, link.root, now)
        sealed = await client.dispute(recipient, compact.compact)
    reply, proof = open_reply(sealed, secret, compact, recipient.member, now)
    await agent.store.run(lambda connection: _keep(agent, connection, reply, proof))
    return await own_dispute(agent, dispute)


async def look_up_all(agent: Agent) -> None:
    """Looks up what waits. Raises the first error, after all were tried."""
    table = agent_disputes.c
    query = select(table.id).where(table.state.in_(WAITING)).order_by(table.opened_at).limit(100)
    found = await agent.store.read(lambda c: [bytes(r) for r in c.execute(query).scalars()])
    first: Exception | None = None
    for dispute in found:
        try:
            await look_up(agent, dispute)
        except Exception as error:
            first = first or error
    if first is not None:
        raise first


async def own_dispute(agent: Agent, dispute: bytes) -> OwnDispute:
    """One dispute. Raises EnterpriseError where there is none."""
    row = await agent.store.read(lambda connection: _row(connection, dispute))
    return _opened(agent, row)[0]


async def own_disputes(agent: Agent, most: int = 1000) -> list[OwnDispute]:
    """The newest disputes."""
    table = agent_disputes
    query = select(table).order_by(table.c.opened_at.desc(), table.c.id).limit(most)
    rows = await agent.store.read(lambda connection: connection.execute(query).all())
    return [_opened(agent, row)[0] for row in rows]


def find_own(connection: Connection, start: str) -> bytes:
    """The dispute whose hash begins so, in hexadecimal. Raises EnterpriseError."""
    found = [
        bytes(digest)
        for digest in connection.execute(select(agent_disputes.c.id)).scalars()
        if bytes(digest).hex().startswith(start.lower())
    ]
    if len(found) != 1:
        which = "several disputes begin" if found else "no dispute begins"
        raise EnterpriseError(
            f"dispute: {which} with {start!r}; see: yinxin enterprise dispute list"
        )
    return found[0]


def _keep(agent: Agent, connection: Connection, reply: DisputeReply, proof: bytes) -> None:
    said = agent.key.seal(proof, _SAID + reply.dispute)
    values: dict[str, Any] = {"state": reply.state.value, "reason": ""}
    if reply.state is DisputeState.REFUSED:
        values |= {"reason": reply.reason, "answer": said}
    else:
        values |= {"received_at": reply.received, "due": reply.due}
        if reply.state is DisputeState.RECEIVED:
            values |= {"receipt": said}
        else:
            values |= {"answered_at": reply.answered, "outcome": reply.outcome, "answer": said}
    table = agent_disputes
    connection.execute(
        update(table)
        # What another look heard meanwhile is not taken back.
        .where(table.c.id == reply.dispute, table.c.state.in_(WAITING))
        .values(**values)
    )


def _row(connection: Connection, dispute: bytes) -> Any:
    query = select(agent_disputes).where(agent_disputes.c.id == dispute)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise EnterpriseError("dispute: there is none of that hash here")
    return row


def _opened(agent: Agent, row: Any) -> tuple[OwnDispute, Dispute, EnvelopeKey]:
    digest = bytes(row.id)
    compact = agent.key.open(bytes(row.sealed), _STATEMENT + digest).decode("ascii")
    secret = EnvelopeKey.from_bytes(agent.key.open(bytes(row.secret), _SECRET + digest))
    dispute = read_dispute_unverified(compact)
    said = row.answer or row.receipt
    proof = b"" if said is None else agent.key.open(bytes(said), _SAID + digest)
    reason = row.reason
    if row.state == DisputeState.ANSWERED:
        reason = kept_reply(proof).reason
    own = OwnDispute(
        id=digest,
        chain=row.chain,
        holder=dispute.holder,
        features=dispute.features,
        query=dispute.query,
        statement=dispute.statement,
        opened_at=row.opened_at,
        state=row.state,
        reason=reason,
        received_at=row.received_at or 0,
        due=row.due or 0,
        answered_at=row.answered_at or 0,
        outcome=row.outcome or "",
        proof=proof,
    )
    return own, dispute, secret
