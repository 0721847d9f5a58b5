"""A regulator's real database with the logs of a chain in memory mirrored into it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, insert

from federation.audit.findings import Finding
from federation.canonical import unb64
from federation.entries import Kind, entry, read_entry
from federation.identity import SpiffeId
from federation.merkle import Frontier, leaf_hash
from federation.permit import Evidence, Permit, open_for_audit
from federation.signed import Signed, SigningKey
from federation.tlog.checkpoint import (
    Checkpoint,
    cosign,
    origin_of,
    sign_checkpoint,
    witnesses_of,
)
from node.chain import ChainStore
from node.chain.store import CERTIFICATE, DESCRIPTOR, MANIFEST, OPENING
from node.clock import FixedClock
from node.identity import NodeIdentity
from node.regulator.audit.records import query_row
from node.regulator.findings import keep_findings
from node.regulator.membership import Regulator
from node.regulator.mirror.books import MirroredLog, keep_batch, read_batch, save_log
from node.regulator.tables import audit_queries
from support.audit import examined
from support.chain import HARBOUR, HUB, NOW, REGULATOR, Chain
from support.enrolled import Homes, regulating
from support.network import Network
from support.people import Firm, Model

LATER = NOW + 600
FILLER = 300
"""Entries before the first query of the hub's log, so that its tree has a full tile."""


@dataclass
class Mirrored:
    """Logs as they would be mirrored; a test changes them before `keep`."""

    chain: Chain
    network: Network
    logs: dict[SpiffeId, list[bytes]] = field(default_factory=dict)
    attached: dict[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def after(cls, chain: Chain, network: Network) -> Mirrored:
        """What every party has logged once `network` was used by harbour."""
        self = cls(chain, network)
        models = list(chain._models.values())
        self.log(REGULATOR, *(self._record(Kind.CERTIFIED, m.signed) for m in models))
        for number, (descriptor, manifests, opening) in chain.epoch_documents.items():
            self.log(HUB, self._record(Kind.DESCRIPTOR, descriptor, epoch=number))
            for manifest, holder in zip(manifests, chain.holders, strict=True):
                self.log(holder, self._record(Kind.MANIFEST, manifest, epoch=number))
            self.log(HUB, self._record(Kind.OPENING, opening, epoch=number))
        self.log(HUB, *(entry(Kind.CLOSED, NOW, epoch=n) for n in range(1, FILLER)))
        for recorded, envelope, permit in network.hub_log:
            granted = Permit.parse(permit.payload)
            self.log(HUB, recorded)
            self.attached[permit.payload_hash] = permit.to_json()
            self.attached[_named(recorded)] = envelope
            bank = entry(Kind.QUERY, NOW + 2, document=granted.hash, ctx=granted.ctx)
            self.log(granted.bank, bank)
            for holder in granted.audience:
                self.log(holder, entry(Kind.CTX_KEY, NOW, document=bytes(32), ctx=granted.ctx))
        for holder, unlocks in network.holder_logs.items():
            self.log(holder, *unlocks)
        return self

    def log(self, party: SpiffeId, *raws: bytes) -> None:
        self.logs.setdefault(party, []).extend(raws)

    def _record(self, kind: Kind, document: Signed, **body: int) -> bytes:
        return entry(kind, NOW - 3_600, document=document.payload_hash, **body)

    def key(self, party: SpiffeId) -> SigningKey:
        holders = self.chain.holders
        return holders[party].signing if party in holders else self.chain.signing[party]

    def note(self, party: SpiffeId, raws: Sequence[bytes], cosigners: int | None = None) -> bytes:
        """A checkpoint with the first of its witnesses' cosignatures, or all."""
        root = Frontier().extended(map(leaf_hash, raws)).root
        checkpoint = Checkpoint(origin_of(party), len(raws), root)
        note = sign_checkpoint(checkpoint, self.key(party))
        witnesses = list(witnesses_of(self.chain.members, party))[:cosigners]
        return note.adding([cosign(note, w, self.key(w), LATER) for w in witnesses]).encode()

    async def keep(
        self, regulator: Regulator, findings: Iterable[Finding] = (), cosigners: int | None = None
    ) -> None:
        """Writes it all into the regulator's database."""
        found = list(findings)
        judged = examined(self.network)
        queries = [one.query for one in judged]
        found += [finding for one in judged for finding in one.findings]

        def unit(connection: Connection) -> None:
            for party, raws in self.logs.items():
                tree = Frontier().extended(map(leaf_hash, raws))
                batch = read_batch(str(party), 0, raws, 0, LATER)
                keep_batch(connection, batch, self.attached)
                note = self.note(party, raws, cosigners)
                state = MirroredLog(
                    str(party),
                    note=note,
                    seen_at=LATER,
                    checked_at=LATER,
                    cosigned_size=len(raws),
                    cosigned_note=note,
                ).extended(tree, LATER)
                save_log(connection, state)
            for query in queries:
                row = query_row(query, regulator.identity.storage)
                connection.execute(insert(audit_queries).values(row))
            keep_findings(connection, found, LATER)
            self._keep_documents(connection, regulator.chain)

        await regulator.store.run(unit)

    def _keep_documents(self, connection: Connection, store: ChainStore) -> None:
        for credential in self.chain.members.credentials():
            store.put_member(connection, credential)
        for number, (descriptor, manifests, opening) in self.chain.epoch_documents.items():
            store.put(connection, DESCRIPTOR, descriptor, number)
            for manifest, holder in zip(manifests, self.chain.holders, strict=True):
                store.put(connection, MANIFEST, manifest, number, str(holder))
            store.put(connection, OPENING, opening, number)
        for model in self.chain._models.values():
            store.put(connection, CERTIFICATE, model.signed, 0, model.signed.payload_hash.hex())

    def opener(self, envelope: bytes, permit_hash: bytes, issued: int) -> Evidence:
        return open_for_audit(envelope, permit_hash, issued, self.chain.audit)


def asked(chain: Chain, model: Model, firm: Firm, **pseudonyms: str) -> Network:
    """A network after one honest query of harbour."""
    network = Network(chain)
    consent = chain.consent(firm, bank=HARBOUR)
    network.ask(network.begin(model, consent, **pseudonyms))
    return network


@contextlib.asynccontextmanager
async def supervising(base: Path, chain: Chain, now: int = LATER) -> AsyncIterator[Regulator]:
    """The regulator of a chain in memory, with a database of its own."""
    homes = Homes(base, NOW)
    async with regulating(homes, FixedClock(now)) as regulator:
        own = regulator.identity
        regulator.identity = NodeIdentity(
            id=REGULATOR,
            root=chain.root,
            member=next(iter(chain.members.of(REGULATOR.role))),
            credential=own.credential,
            signing=chain.signing[REGULATOR],
            agreement=None,
            sealing=chain.sealing[REGULATOR],
            storage=own.storage,
        )
        regulator.chain = ChainStore(regulator.store, chain.root)
        yield regulator


def _named(recorded: bytes) -> bytes:
    return unb64(str(read_entry(recorded).body["envelope"]))
