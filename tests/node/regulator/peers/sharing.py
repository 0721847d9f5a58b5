"""Regulators of two chains with mirrors of their logs, that share over real connections."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection

from federation.audit.engine import Audit
from federation.audit.records import AuditedQuery
from federation.certificate import CertifiedField, ModelCertificate, Participant
from federation.entries import Entry
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle
from federation.interchain.share import Share, ShareContent
from federation.membership import Member
from federation.signed import Signed
from node.regulator.audit.books import RegulatorBooks
from node.regulator.audit.checks import RecordChecks
from node.regulator.audit.documents import load_documents
from node.regulator.audit.progress import VERIFIED, mirrored_until, set_progress
from node.regulator.audit.records import query_row
from node.regulator.audit.shares import ShareFeed
from node.regulator.decisions import DecisionStore
from node.regulator.findings import KeptFinding, kept_findings
from node.regulator.membership import Regulator
from node.regulator.mirror.books import (
    MirroredLog,
    all_logs,
    keep_batch,
    load_log,
    read_on,
    save_log,
)
from node.regulator.peers.own import publish
from node.regulator.peers.pinning import pin_chain
from node.regulator.peers.service import PeerDesk, open_peers, serve_peers
from node.regulator.peers.sharing import ShareDesk
from node.regulator.peers.sharing_books import RECEIVED, ShareBooks
from node.regulator.peers.sharing_fetch import ShareFetch
from node.regulator.tables import audit_queries
from node.storage.rows import insert_new
from scoring.lattice import PARAMETER_SET
from support.two_chains import Side, ask
from tests.node.peers.places import Place

AGO = 5 * 3_600
"""Queries are so old that every grace is over."""


@dataclass
class Office:
    """One regulator, serving its peers."""

    place: Place
    regulator: Regulator
    desk: PeerDesk
    fetch: ShareFetch
    checks: RecordChecks | None = None

    @property
    def now(self) -> int:
        return self.place.clock.now()

    async def pin(self, other: Office) -> None:
        bundle = await publish(other.regulator)
        shown = TrustBundle.parse(bundle.payload).fingerprint()
        await pin_chain(self.regulator, bundle, shown)

    async def enrol(self, side: Side, model: ModelCertificate) -> None:
        """The chain's hub, by the key that it signs permits with, and a bank's model."""
        member = Member(
            chain=side.name,
            id=side.hub,
            kind="",
            title={"zh": "平台", "en": "hub"},
            signing=side.hub_key.public,
            agreement=b"",
            sealing=b"",
            named=False,
            not_before=self.place.now - 86_400,
            not_after=self.place.now + 86_400 * 30,
        )
        signed = member.sign(self.regulator.identity.signing)
        certificate = model.sign(self.regulator.identity.signing)

        def unit(connection: Connection) -> None:
            self.regulator.chain.put_member(connection, signed)
            self.regulator.chain.put_certificate(connection, certificate)

        await self.regulator.store.run(unit)

    async def mirror(self, side: Side, permits: Mapping[bytes, Signed]) -> None:
        """Mirrors what the logs of the side have more, with these permits beside their entries, and
        verifies the permits of its hub.
        """

        def unit(connection: Connection) -> None:
            for log, entries in side.logs.items():
                state = load_log(connection, str(log), 0)
                raw = [
                    Entry(kind=one.kind, time=one.time, body=one.body).encode()
                    for one in entries[state.size :]
                ]
                batch, state = read_on(state, raw, self.now)
                attached = {
                    one.subject: permits[one.subject].to_json()
                    for one in entries
                    if one.subject in permits and log.role is Role.HUB
                }
                if raw:
                    keep_batch(connection, batch, attached)
                self._checked(connection, state)
            self._verified(connection, side.queries.values())
            set_progress(connection, VERIFIED, len(side.logs.get(side.hub, ())))

        await self.regulator.store.run(unit)

    async def looked(self) -> None:
        """All logs were in order just now."""

        def unit(connection: Connection) -> None:
            for state in all_logs(connection):
                self._checked(connection, state)

        await self.regulator.store.run(unit)

    def _checked(self, connection: Connection, state: MirroredLog) -> None:
        now = self.now
        save_log(connection, dataclasses.replace(state, note=b"note", seen_at=now, checked_at=now))

    def _verified(self, connection: Connection, queries: Iterable[AuditedQuery]) -> None:
        storage = self.regulator.identity.storage
        insert_new(connection, audit_queries, [query_row(one, storage) for one in queries])

    async def audit(self, *, finish: bool = False) -> set[tuple[str, str, bytes | None]]:
        """Audits what is mirrored and was received; kind, subject and query of all findings."""
        regulator = self.regulator
        store, identity = regulator.store, regulator.identity
        if self.checks is None:
            documents = await store.read(lambda c: load_documents(c, identity.root))
            decisions = DecisionStore(regulator.config.data_dir / "models", identity.storage)
            signing = identity.root.regulator_signing
            books = RegulatorBooks(store, documents, decisions, regulator.config, signing)
            audit = Audit(self.place.hub, identity.id, regulator.config.audit, books)
            shares = ShareFeed(store, regulator.chain, identity.storage)
            self.checks = RecordChecks(store, audit, documents, cast(Any, None), shares)
        logs = await store.read(all_logs)
        sizes = {log.log: log.size for log in logs}
        until = mirrored_until(logs, self.now)
        await asyncio.to_thread(self.checks.run, sizes, until, self.now, lambda done, of: None)
        if finish:
            await asyncio.to_thread(self.checks.finish, self.now)
        return {(one.kind.value, one.subject, one.query) for one in await self.findings()}

    async def findings(self) -> list[KeptFinding]:
        return list(await self.regulator.store.read(kept_findings))


def model_of(side: Side, bank: SpiffeId) -> ModelCertificate:
    """A certificate for a bank over all holders of the side."""
    return ModelCertificate(
        model=secrets.token_bytes(16),
        name="alpha",
        bank=bank,
        chain=side.name,
        form="sealed",
        catalogue=bytes(32),
        fields=(CertifiedField(name="trade", offset=0, width=6, maximum=60),),
        coverage=CertifiedField(name="coverage", offset=36, width=4, maximum=3),
        disclosed=(),
        participants=tuple(
            Participant(
                holder=holder,
                kind="tax",
                named=False,
                signing=secrets.token_bytes(32),
                agreement=secrets.token_bytes(32),
                columns=48,
                bundle=bytes(32),
            )
            for holder in side.holders
        ),
        parameter_set=PARAMETER_SET,
        public_key=bytes(32),
        report=bytes(32),
        epochs_a_month=1,
        not_before=side.begin - 86_400,
        not_after=side.begin + 86_400 * 30,
    )


@asynccontextmanager
async def offices(*places: Place) -> AsyncIterator[list[Office]]:
    """The regulators, serving; each shares what it mirrored."""
    async with AsyncExitStack() as stack:
        found = []
        for place in places:
            regulator = await stack.enter_async_context(place.running())
            desk = open_peers(regulator)
            desk.sharing = ShareDesk(regulator, desk.trust)
            serve_peers(regulator, desk)
            for task in regulator.tasks:
                task.close()  # bundles and pins are exchanged by the test
            await regulator.servers[-1].start()
            stack.push_async_callback(regulator.servers[-1].stop, 0)
            fetch = ShareFetch(regulator, desk.trust, desk.channels)
            found.append(Office(place, regulator, desk, fetch))
        yield found


@dataclass
class World:
    """csj, where firms are enrolled, and zsj, where the bank is at home."""

    csj: Office
    zsj: Office
    at: Side
    home: Side

    async def mirror(self) -> None:
        """Both regulators mirror what the logs have."""
        permits = self.home.permits | self.at.permits
        await self.csj.mirror(self.at, permits)
        await self.zsj.mirror(self.home, self.home.permits)

    async def exchange(self) -> None:
        await self.csj.fetch.look()
        await self.zsj.fetch.look()

    async def kept(self, office: Office, direction: str, peer: str) -> list[Share]:
        books = ShareBooks(direction, office.regulator.identity.storage)
        found, number = [], 1
        while True:
            one = await office.regulator.store.read(
                lambda c: books.get(c, peer, number)  # noqa: B023  # read at once
            )
            if one is None:
                return found
            found.append(one.share)
            number += 1

    async def content(self, office: Office, peer: str) -> list[ShareContent]:
        books = ShareBooks(RECEIVED, office.regulator.identity.storage)
        shares = await self.kept(office, RECEIVED, peer)
        kept = [
            await office.regulator.store.read(lambda c, n=s.number: books.get(c, peer, n))
            for s in shares
        ]
        return [one.content for one in kept if one is not None]


@asynccontextmanager
async def world(base: Path, queries: int = 3, *, pinned: bool = True) -> AsyncIterator[World]:
    now = int(time.time())
    begin = now - AGO
    at, home = Side("csj", begin), Side("zsj", begin)
    model = model_of(at, home.bank)
    at.certificate = model.hash
    for number in range(queries):
        ask(home, at, begin + 10 * number)
    async with offices(Place(base, "csj", now), Place(base, "zsj", now)) as (csj, zsj):
        await csj.enrol(at, model)
        await zsj.enrol(home, model_of(home, at.bank))
        if pinned:
            await csj.pin(zsj)
            await zsj.pin(csj)
        yield World(csj, zsj, at, home)
