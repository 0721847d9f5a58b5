"""Parties that break the rules, for the audit to find: a hub, a bank and one holder's insider.

The demo plays them with their real keys, because it made them, over the real network and into the
real logs. What they did is kept in this process's memory alone and compared at the end: the
regulator, another process, reads logs and nothing else.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection

from federation.audit.findings import FindingKind
from federation.consent import Consent, verify_consent
from federation.entries import Kind, entry
from federation.exchange.bank import OpenQuery, Session, begin_query
from federation.exchange.hub import Draft, PermitDesk
from federation.exchange.messages import UnlockRequest
from federation.identity import SpiffeId
from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from node.config import BankConfig, HubConfig
from node.demo.errors import DemoError
from node.demo.layout import Party
from node.demo.refusals import unchecked
from node.enterprise.enterprise import DAY, ConsentTerms, Enterprise, enrol_enterprises
from node.hub.auditkeys import sealing_keys
from node.hub.registry import HubRegistry
from node.rpc.client import Channel
from node.rpc.convert import query_to_wire, reply_from_wire, unlock_to_wire
from node.runtime import Runtime
from yinxin.v1 import common_pb2, hub_pb2

VOLUME = 51
"""Queries of one officer within an hour; 50 are allowed."""


@dataclass(frozen=True)
class Planted:
    """One violation: the query's id (hash of its permit, in hex; empty where it is of none), its
    kind, and the SPIFFE id of the party at fault.
    """

    id: str
    kind: str
    subject: str

    def value(self) -> dict[str, str]:
        """As it stands in the result document."""
        return asdict(self)


@dataclass(frozen=True)
class Plot:
    """What the dishonest parties have at hand.

    `firms` are enrolled enterprises that nobody else uses; `hub` and `bank` are the nodes' own
    parts, opened beside the running nodes; `to_hub` is the bank's channel, `to_holders` the hub's.
    """

    session: Session
    terms: ConsentTerms
    authority: SubjectAuthority
    firms: Sequence[Enterprise]
    hub: Runtime[HubConfig]
    bank: Runtime[BankConfig]
    rival: SpiffeId
    to_hub: Channel
    to_holders: dict[SpiffeId, Channel]
    now: int

    async def plant(self) -> list[Planted]:
        """Mounts every violation that is made of queries. Raises DemoError when one fails."""
        found: list[Planted] = []
        for act, firm in zip(_ACTS, self.firms[: len(_ACTS)], strict=True):
            found.append(await act(self, firm))
        for firm in self.firms[len(_ACTS) :]:
            await self.ask(self.consent(firm), "officer-6")
        found.append(_planted(None, FindingKind.VOLUME_HOUR, self.bank.identity.id))
        return found

    def consent(self, firm: Enterprise, **changes: Any) -> Consent:
        """A consent of the demo's terms, but for the changes."""
        compact = firm.consent(replace(self.terms, **changes), self.now)
        return verify_consent(compact, self.authority.certificate_pem, self.now)

    async def conspire(
        self,
        consent: Consent,
        *,
        hub_logs: bool = True,
        without: SpiffeId | None = None,
        officer: str = "officer-9",
    ) -> bytes:
        """Hub and bank together make a query that an honest hub refuses; the permit's hash.

        Without `hub_logs` the hub keeps the permit out of its log; `without` is a holder that
        answers and does not log, which is how it looks when nobody asked it.
        """
        query = begin_query(
            self.session,
            consent,
            purpose=self.terms.purpose,
            officer=officer,
            reference="A0000000000",
        )
        draft = await self._draft(query, consent)
        if hub_logs:
            await self.hub.store.run(lambda connection: self._log(connection, draft))
        logged = self.hub.logged(draft.signed, draft.entry)
        request = unlock_to_wire(UnlockRequest(logged, draft.named))
        for holder in draft.permit.audience:
            if holder != without:
                await self.to_holders[holder].unary(
                    "/yinxin.v1.Holder/Unlock", request, common_pb2.UnlockAnswer
                )
        await self.record(draft.permit.hash)
        return draft.permit.hash

    async def ask(
        self, consent: Consent, officer: str, reference: str = "A0000000000", *, record: bool = True
    ) -> bytes:
        """A query that the honest hub answers; the permit's hash. `record` is the bank's entry."""
        query = begin_query(
            self.session, consent, purpose=consent.purpose, officer=officer, reference=reference
        )
        message = query_to_wire(query.request)
        reply = reply_from_wire(
            await self.to_hub.unary("/yinxin.v1.Hub/Query", message, hub_pb2.QueryReply)
        )
        (permit,) = reply.permits
        if record:
            await self.record(permit.document.payload_hash)
        return permit.document.payload_hash

    async def record(self, permit: bytes) -> None:
        """What the bank's agent writes when it has a result."""
        raw = entry(Kind.QUERY, self.bank.clock.now(), document=permit, ctx=self.session.ctx)
        await self.bank.store.run(lambda c: self.bank.append(c, Kind.QUERY, raw))

    async def _draft(self, query: OpenQuery, consent: Consent) -> Draft:
        hub, now = self.hub, self.hub.clock.now()
        sealing = await hub.store.read(lambda c: sealing_keys(hub, c, now))
        desk = PermitDesk(hub.identity.id, await hub.members(), hub.identity.signing, sealing)
        (blinding,) = query.request.blindings
        bank = self.bank.identity.id
        return desk.draft(blinding, query.request, bank, consent, self.session.epoch, now)

    def _log(self, connection: Connection, draft: Draft) -> None:
        HubRegistry(connection, self.hub.identity.storage).attach(draft)
        self.hub.append(connection, Kind.PERMIT, draft.entry)


Act = Callable[[Plot, Enterprise], Awaitable[Planted]]


def _planted(permit: bytes | None, kind: FindingKind, subject: SpiffeId) -> Planted:
    return Planted(permit.hex() if permit else "", kind.value, str(subject))


async def _forged(plot: Plot, firm: Enterprise) -> Planted:
    """The bank certifies the firm's key itself, and the hub does not mind."""
    own = SubjectAuthority.create(firm.issuer, plot.now, 365)
    (forged,) = enrol_enterprises(own, [firm.uscc], plot.now, 30)
    compact = forged.consent(plot.terms, plot.now)
    permit = await plot.conspire(verify_consent(compact, own.certificate_pem, plot.now))
    return _planted(permit, FindingKind.CONSENT_FORGED, plot.hub.identity.id)


async def _expired(plot: Plot, firm: Enterprise) -> Planted:
    terms, given = replace(plot.terms, days=2), plot.now - 3 * DAY
    permit = await plot.conspire(unchecked(terms, firm, firm.consent(terms, given), given))
    return _planted(permit, FindingKind.CONSENT_EXPIRED, plot.hub.identity.id)


async def _later(plot: Plot, firm: Enterprise) -> Planted:
    """A consent that the firm signs for the day after tomorrow."""
    given = plot.now + 2 * DAY
    permit = await plot.conspire(
        unchecked(plot.terms, firm, firm.consent(plot.terms, given), given)
    )
    return _planted(permit, FindingKind.CONSENT_AFTER_QUERY, plot.hub.identity.id)


async def _wrong_bank(plot: Plot, firm: Enterprise) -> Planted:
    permit = await plot.conspire(plot.consent(firm, bank=plot.rival))
    return _planted(permit, FindingKind.CONSENT_WRONG_BANK, plot.hub.identity.id)


async def _wrong_purpose(plot: Plot, firm: Enterprise) -> Planted:
    permit = await plot.conspire(plot.consent(firm, purpose=Purpose.GUARANTOR_CHECK))
    return _planted(permit, FindingKind.CONSENT_WRONG_PURPOSE, plot.hub.identity.id)


async def _wrong_fields(plot: Plot, firm: Enterprise) -> Planted:
    permit = await plot.conspire(plot.consent(firm, fields=plot.terms.fields[:1]))
    return _planted(permit, FindingKind.CONSENT_WRONG_FIELDS, plot.hub.identity.id)


async def _used_up(plot: Plot, firm: Enterprise) -> Planted:
    """A consent for one use, used honestly, and once more."""
    consent = plot.consent(firm)
    await plot.ask(consent, "officer-8")
    permit = await plot.conspire(consent)
    return _planted(permit, FindingKind.USES_EXCEEDED, plot.hub.identity.id)


async def _unlogged(plot: Plot, firm: Enterprise) -> Planted:
    permit = await plot.conspire(plot.consent(firm), hub_logs=False)
    return _planted(permit, FindingKind.PERMIT_UNLOGGED, plot.hub.identity.id)


async def _holder_silent(plot: Plot, firm: Enterprise) -> Planted:
    holder = plot.session.certificate.holders[-1]
    permit = await plot.conspire(plot.consent(firm), without=holder)
    return _planted(permit, FindingKind.UNLOCK_MISSING, holder)


async def _bank_silent(plot: Plot, firm: Enterprise) -> Planted:
    permit = await plot.ask(plot.consent(firm), "officer-8", record=False)
    return _planted(permit, FindingKind.BANK_ENTRY_MISSING, plot.bank.identity.id)


async def _no_loan(plot: Plot, firm: Enterprise) -> Planted:
    consent = plot.consent(firm, purpose=Purpose.POST_LOAN)
    permit = await plot.ask(consent, "officer-8", "L0000000000")
    return _planted(permit, FindingKind.NO_LIVE_LOAN, plot.bank.identity.id)


_ACTS: tuple[Act, ...] = (
    _forged,
    _expired,
    _later,
    _wrong_bank,
    _wrong_purpose,
    _wrong_fields,
    _used_up,
    _unlogged,
    _holder_silent,
    _bank_silent,
    _no_loan,
)

FIRMS = len(_ACTS) + VOLUME
"""How many enterprises the violations use up."""


async def edit_log(party: Party) -> Planted:
    """An insider changes one byte of one entry in a node's database, triggers removed first."""
    path = party.folder / "data" / f"{party.id.role.value}.sqlite"
    await asyncio.to_thread(_edit, str(path))
    return _planted(None, FindingKind.LOG_BROKEN, party.id)


def _edit(path: str) -> None:
    connection = sqlite3.connect(path, timeout=30)
    try:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'log_entries'"
        ).fetchall()
        for (name,) in names:
            connection.execute(f'DROP TRIGGER "{name}"')
        row = connection.execute(
            'SELECT "index", entry FROM log_entries LIMIT 1 OFFSET 1'
        ).fetchone()
        if row is None:
            raise DemoError(f"{path} has no entry to edit")
        index, raw = row
        place = raw.rindex(b',"v":') - 1  # the last digit of the entry's time
        edited = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        connection.execute('UPDATE log_entries SET entry = ? WHERE "index" = ?', (edited, index))
        connection.commit()
    finally:
        connection.close()
