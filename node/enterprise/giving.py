"""Consents from the firm's side: signed, kept, registered at the hubs, cancelled; nothing lost.

A consent is kept before it leaves. Registering and cancelling are of one hub each; what could not
be reached is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, func, insert, select, update

from federation.consent import Consent, read_unverified
from federation.errors import FederationError
from node.enterprise.agent import Agent
from node.enterprise.enterprise import ConsentTerms
from node.enterprise.errors import EnterpriseError
from node.enterprise.tables import agent_consents, agent_receipts, agent_uses
from node.errors import NodeError

Action = Literal["registered", "cancelled"]
_AAD: Final = b"agent/consent/"


@dataclass(frozen=True, kw_only=True)
class GivenConsent:
    """A consent that the firm gave. `registered` and `cancelled` are the chains whose hubs gave a
    receipt; `cancelled_at` when the firm first asked for it, unix seconds, 0 for never. `used` are
    the queries under it that are known here, by chain.
    """

    consent: Consent
    registered: tuple[str, ...]
    cancelled: tuple[str, ...]
    cancelled_at: int
    used: dict[str, int]

    def state(self, now: int) -> str:
        """`cancelled`, `cancelling` (a hub has not answered yet), `ended`, `used` or `holds`."""
        if self.cancelled_at:
            reached = set(self.cancelled) >= set(self.consent.chains)
            return "cancelled" if reached else "cancelling"
        if now >= self.consent.expires:
            return "ended"
        chains = self.consent.chains
        spent = all(self.used.get(chain, 0) >= self.consent.uses for chain in chains)
        return "used" if spent else "holds"


@dataclass(frozen=True)
class Unreached:
    """A hub that gave no receipt, and why."""

    chain: str
    problem: str


async def give_consent(agent: Agent, terms: ConsentTerms) -> tuple[GivenConsent, list[Unreached]]:
    """Signs a consent, keeps it and registers it at the hubs of its chains that are known here.

    Raises DocumentError for terms that are impossible.
    """
    compact = agent.enterprise().consent(terms, agent.clock.now())
    kept = await keep_consent(agent, compact)
    return await _tell(agent, kept, "registered")


async def keep_consent(agent: Agent, compact: str) -> bytes:
    """Keeps a consent of the firm's own, wherever it was signed; its id. Again is harmless."""
    consent = read_unverified(compact)
    if consent.uscc != agent.enterprise().uscc:
        raise EnterpriseError("consent: is another enterprise's")

    def unit(connection: Connection) -> None:
        table = agent_consents
        query = select(func.count()).where(table.c.id == consent.id)
        if connection.execute(query).scalar_one():
            return
        connection.execute(
            insert(table).values(
                id=consent.id,
                bank=str(consent.bank),
                purpose=consent.purpose.value,
                chains=",".join(consent.chains),
                uses=consent.uses,
                issued_at=consent.issued_at,
                expires=consent.expires,
                sealed=agent.key.seal(compact.encode("ascii"), _AAD + consent.id),
                registered="",
                cancelled="",
            )
        )

    await agent.store.run(unit)
    return consent.id


async def cancel_consent(agent: Agent, consent: bytes) -> tuple[GivenConsent, list[Unreached]]:
    """Cancels a consent at every hub of its chains; again reaches those that were not reached."""
    now = agent.clock.now()

    def unit(connection: Connection) -> None:
        table = agent_consents
        connection.execute(
            update(table)
            .where(table.c.id == consent, table.c.cancelled_at.is_(None))
            .values(cancelled_at=now)
        )

    await given_consent(agent, consent)
    await agent.store.run(unit)
    return await _tell(agent, consent, "cancelled")


async def register_consent(agent: Agent, consent: bytes) -> tuple[GivenConsent, list[Unreached]]:
    """Registers a consent at the hubs that have not given a receipt yet."""
    return await _tell(agent, consent, "registered")


async def keep_receipt(
    agent: Agent, consent: bytes, chain: str, action: Action, receipt: bytes
) -> None:
    """Keeps a hub's receipt for a consent that is kept here."""
    await agent.store.run(
        lambda connection: _record(connection, consent, chain, action, receipt, agent.clock.now())
    )


async def given_consent(agent: Agent, consent: bytes) -> GivenConsent:
    """One consent. Raises EnterpriseError where there is none."""
    found = await agent.store.read(lambda connection: given(agent, connection, [consent]))
    if not found:
        raise EnterpriseError("consent: there is none of that id here")
    return found[0]


def given(agent: Agent, connection: Connection, ids: Iterable[bytes]) -> list[GivenConsent]:
    """The consents of these ids, in this order; what is not here is left out."""
    wanted = list(ids)
    table, uses = agent_consents, agent_uses.c
    rows = {
        bytes(row.id): row
        for row in connection.execute(select(table).where(table.c.id.in_(wanted)))
    }
    used: dict[bytes, dict[str, int]] = {}
    counts = (
        select(uses.consent, uses.chain, func.count().label("count"))
        .where(uses.consent.in_(wanted))
        .group_by(uses.consent, uses.chain)
    )
    for row in connection.execute(counts):
        used.setdefault(bytes(row.consent), {})[row.chain] = row._mapping["count"]
    return [_given(agent, rows[one], used.get(one, {})) for one in wanted if one in rows]


async def receipts_of(agent: Agent, consent: bytes) -> dict[tuple[str, str], bytes]:
    """The hubs' receipts for a consent, by chain and action."""
    query = select(agent_receipts).where(agent_receipts.c.consent == consent)
    rows = await agent.store.read(lambda connection: connection.execute(query).all())
    return {(row.chain, row.action): bytes(row.receipt) for row in rows}


async def _tell(
    agent: Agent, consent: bytes, action: Action
) -> tuple[GivenConsent, list[Unreached]]:
    own = await given_consent(agent, consent)
    links, unreached = agent.links(), []
    done = own.registered if action == "registered" else own.cancelled
    for chain in own.consent.chains:
        if chain in done:
            continue
        if chain not in links:
            unreached.append(Unreached(chain, "unknown"))
            continue
        try:
            enterprise, compact = agent.enterprise(), own.consent.compact
            async with links[chain].connect(enterprise) as client:
                if action == "registered":
                    receipt = await client.register(compact)
                else:
                    cancellation = enterprise.cancellation(compact, agent.clock.now())
                    receipt = await client.cancel(cancellation)
        except (NodeError, FederationError) as error:
            unreached.append(Unreached(chain, str(error)))
            continue
        await keep_receipt(agent, consent, chain, action, receipt.to_json())
    return await given_consent(agent, consent), unreached


def _record(
    connection: Connection, consent: bytes, chain: str, action: Action, receipt: bytes, now: int
) -> None:
    table = agent_consents
    row = connection.execute(select(table).where(table.c.id == consent)).one()
    chains = _chains(getattr(row, action))
    if chain in chains:
        return
    values: dict[str, Any] = {action: ",".join(sorted({*chains, chain}))}
    if action == "cancelled" and row.cancelled_at is None:
        values["cancelled_at"] = now
    connection.execute(update(table).where(table.c.id == consent).values(**values))
    connection.execute(
        insert(agent_receipts).values(consent=consent, chain=chain, action=action, receipt=receipt)
    )


def _given(agent: Agent, row: Any, used: dict[str, int]) -> GivenConsent:
    compact = agent.key.open(bytes(row.sealed), _AAD + bytes(row.id)).decode("ascii")
    return GivenConsent(
        consent=read_unverified(compact),
        registered=_chains(row.registered),
        cancelled=_chains(row.cancelled),
        cancelled_at=row.cancelled_at or 0,
        used=used,
    )


def _chains(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)
