"""Thousands of honest queries of a chain in memory, with the logs of everybody who took part.

Permits, consents and evidence are real; what holders and banks log beside them is written as
their nodes write it. A test takes a copy, plants what it is about, and audits the whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from federation.audit.cancellations import Cancelled
from federation.audit.engine import Audit
from federation.audit.findings import Finding
from federation.audit.records import AuditedQuery, ConsentFacts, Event, event
from federation.audit.sources import PermitRecord
from federation.audit.thresholds import AuditThresholds
from federation.audit.verify import QueryVerifier
from federation.consent import Consent
from federation.entries import Kind, entry, read_entry
from federation.exchange.bank import begin_query
from federation.identity import SpiffeId
from federation.permit import Evidence, Permit, consent_tag, seal_to_regulator
from federation.signed import SigningKey
from support.audit import ChainDocuments
from support.chain import CHAIN, DAY, HARBOUR, HUB, NOW, REGULATOR, Chain
from support.network import Network
from support.people import Model

QUERIES = 2_000
SPACING = 5
"""Seconds between queries: all of them lie in one afternoon in China."""
END = NOW + QUERIES * SPACING
STEP = 30


@dataclass
class MemoryBooks:
    """What holders keep of permits, and the points of models."""

    signed: set[bytes] = field(default_factory=set)
    scorecards: dict[bytes, Mapping[str, int]] = field(default_factory=dict)
    costs: dict[bytes, dict[str, int]] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()
    hubs: set[bytes] = field(default_factory=set)
    kept: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)

    def hub_signed(self, permit: bytes) -> bool:
        return permit in self.signed

    def hub_keys(self) -> frozenset[bytes]:
        return frozenset(self.hubs)

    def permits(self, permit: bytes) -> tuple[bytes, ...]:
        return tuple(self.kept.get(permit, ()))

    def points(self, certificate: bytes) -> Mapping[str, int] | None:
        return self.scorecards.get(certificate)

    def counting_cost(self, certificate: bytes, holder: str) -> int | None:
        costs = self.costs.get(certificate)
        return None if costs is None else costs.get(holder, 0)

    def group(self, bank: str) -> str:
        return next((group[0] for group in self.groups if bank in group), bank)


@dataclass
class Logs:
    """What the regulator mirrored and verified."""

    queries: list[AuditedQuery] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    cancelled: list[Cancelled] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    books: MemoryBooks = field(default_factory=MemoryBooks)

    def copy(self) -> Logs:
        return Logs(
            list(self.queries),
            list(self.events),
            list(self.cancelled),
            list(self.findings),
            MemoryBooks(
                set(self.books.signed),
                dict(self.books.scorecards),
                dict(self.books.costs),
                self.books.groups,
            ),
        )

    # --- planting -----------------------------------------------------------------------------

    def log(self, log: SpiffeId, kind: Kind, time: int, **body: Any) -> Event:
        """An entry at the end of somebody's log."""
        written = event(str(log), len(self.events), read_entry(entry(kind, time, **body)))
        self.events.append(written)
        return written

    def served(self, query: AuditedQuery, time: int | None = None) -> None:
        """What honest holders and an honest bank log for a query."""
        at = query.time if time is None else time
        for holder in query.audience:
            party = SpiffeId.parse(holder)
            self.log(party, Kind.UNLOCK, at, document=query.id, bank=query.bank, ctx=query.ctx)
        bank = SpiffeId.parse(query.bank)
        self.log(bank, Kind.QUERY, at, document=query.id, ctx=query.ctx)

    def ask(self, like: AuditedQuery, time: int, **changes: Any) -> AuditedQuery:
        """An honest query of its own consent, element and reference, in every log.

        Outside the epoch it is of one whose keys are no part of the tale.
        """
        consent = ConsentFacts(
            hash=secrets.token_bytes(32),
            id=secrets.token_bytes(16),
            uses=3,
            issued_at=time - 60,
            not_before=time - 60,
            expires=time + DAY,
            chains=(CHAIN,),
        )
        fields: dict[str, Any] = {
            "id": secrets.token_bytes(32),
            "index": 1_000_000 + len(self.queries),
            "time": time,
            "expires": time + 3_600,
            "permit_id": secrets.token_bytes(16),
            "blinded": secrets.token_bytes(32),
            "officer": f"officer-{len(self.queries)}",
            "reference": f"application-{len(self.queries)}",
            "uscc": f"firm-{len(self.queries)}",
            "consent": consent,
            "ctx": like.ctx if NOW <= time < NOW + DAY else b"",
        }
        query = dataclasses.replace(like, **(fields | changes))
        if query.purpose == "02" and "reference" not in changes:
            self.log(
                SpiffeId.parse(query.bank),
                Kind.APPLICATION_OPENED,
                time,
                reference=query.reference,
                officer=query.officer,
            )
        self.queries.append(query)
        self.served(query)
        return query

    # --- auditing -----------------------------------------------------------------------------

    def audit(self, *, now: int = END, thresholds: AuditThresholds | None = None) -> list[Finding]:
        """Every finding, each once, the logs having ended at `now`."""
        audit = Audit(HUB, REGULATOR, thresholds or AuditThresholds(), self.books)
        found = list(self.findings)
        feed: list[tuple[int, int, int, Callable[[], Iterable[Finding] | None]]] = []
        for number, record in enumerate(self.events):
            feed.append((record.time, 0, number, lambda r=record: audit.event(r)))  # type: ignore[misc]
        for number, ended in enumerate(self.cancelled):
            feed.append((ended.time, 0, number, lambda e=ended: audit.cancelled(e)))  # type: ignore[misc]
        for number, query in enumerate(self.queries):
            feed.append((query.time, 1, number, lambda q=query: audit.query(q)))  # type: ignore[misc]
        feed.sort(key=lambda item: item[:3])
        advanced = 0
        for time, _, _, take in feed:
            if time >= advanced + STEP:
                advanced = time
                found += audit.advance(time)
            found += take() or ()
        found += audit.finish(now)
        return list({finding.id: finding for finding in found}.values())


@dataclass
class World:
    """A chain, its verifier, and the logs of its honest queries."""

    chain: Chain
    documents: ChainDocuments
    verifier: QueryVerifier
    logs: Logs

    def copy(self) -> World:
        return dataclasses.replace(self, logs=self.logs.copy())

    @property
    def like(self) -> AuditedQuery:
        """A query of three unnamed holders, for others to be made like it."""
        return self.logs.queries[0]

    def examine(self, record: PermitRecord, *, served: bool = True) -> AuditedQuery:
        """Verifies a permit of the hub's log and adds it to the logs."""
        examined = self.verifier.examine(record)
        self.logs.queries.append(examined.query)
        self.logs.findings += examined.findings
        if served:
            self.logs.served(examined.query)
        return examined.query


def honest_world(chain: Chain) -> World:
    """The chain's documents, and `QUERIES` honest queries; one in twenty has a named holder."""
    documents = ChainDocuments(chain)
    world = World(chain, documents, QueryVerifier(documents, chain.audit), Logs())
    logs, network = world.logs, Network(chain)
    _log_documents(chain, logs)
    for number in range(QUERIES):
        time = NOW + number * SPACING
        model = chain.with_court if number % 20 == 1 else chain.alpha
        consent = chain.consent(chain.firms[number % len(chain.firms)])
        officer, reference = f"o-{number}", f"a-{number}"
        asked = network.begin(model, consent, officer=officer, reference=reference)
        already = len(network.hub_log)
        network.permits(asked.request, HARBOUR, time)
        logs.log(HARBOUR, Kind.APPLICATION_OPENED, time, reference=reference, officer=officer)
        for index in range(already, len(network.hub_log)):
            raw, envelope, document = network.hub_log[index]
            world.examine(PermitRecord(index, raw, document, envelope))
    return world


def _log_documents(chain: Chain, logs: Logs) -> None:
    models = (chain.alpha, chain.with_court)
    for number, epoch in chain.epochs.items():
        logs.log(HUB, Kind.DESCRIPTOR, NOW - 9, document=epoch.descriptor.hash, epoch=number)
        for holder, manifest in epoch.manifests.items():
            logs.log(holder, Kind.MANIFEST, NOW - 8, document=manifest.hash, epoch=number)
            named = {"document": manifest.hash, "epoch": number, "holder": holder}
            logs.log(HUB, Kind.MANIFEST, NOW - 8, **named)
        logs.log(HUB, Kind.OPENING, NOW - 7, document=epoch.opening.hash, epoch=number)
    for model in models:
        certificate = model.certificate
        logs.log(REGULATOR, Kind.CERTIFIED, NOW - 6, document=certificate.hash, bank=HARBOUR)
        logs.log(HARBOUR, Kind.CERTIFIED, NOW - 5, document=certificate.hash)
        ctx = certificate.context(chain.epochs[1])
        for holder in certificate.holders:
            logs.log(holder, Kind.INSTALLED, NOW - 5, document=certificate.hash, bank=HARBOUR)
            document = secrets.token_bytes(32)
            logs.log(holder, Kind.CTX_KEY, NOW - 4, document=document, ctx=ctx)


def permit_record(
    chain: Chain,
    consent: Consent,
    *,
    model: Model | None = None,
    time: int = NOW + 60,
    key: SigningKey | None = None,
    permit: Mapping[str, Any] | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> PermitRecord:
    """What a hub logs that signs whatever it likes: `permit` and `evidence` are its changes."""
    used = model or chain.alpha
    asked = begin_query(
        chain.session(used), consent, purpose="02", officer="o-planted", reference="a-planted"
    )
    (blinding, *_) = asked.request.blindings
    tag_key = secrets.token_bytes(32)
    fields: dict[str, Any] = {
        "id": secrets.token_bytes(16),
        "chain": CHAIN,
        "bank": HARBOUR,
        "certificate": used.certificate.hash,
        "ctx": asked.request.ctx,
        "epoch": 1,
        "purpose": "02",
        "audience": blinding.audience,
        "blinded": blinding.blinded,
        "consent_tag": consent_tag(tag_key, consent.hash),
        "issued": time,
        "expires": time + 3_600,
    }
    issued = Permit.model_validate(fields | dict(permit or {}))
    shown: dict[str, Any] = {
        "permit": issued.hash,
        "consent": consent.compact,
        "uscc": consent.uscc,
        "proof": blinding.proof,
        "tag_key": tag_key,
        "officer": "o-planted",
        "reference": "a-planted",
    }
    why = Evidence.model_validate(shown | dict(evidence or {}))
    envelope = seal_to_regulator(why, chain.audit.sealing.of(consent.uscc, time))
    raw = permit_entry(issued, envelope)
    return PermitRecord(900_000, raw, issued.sign(key or chain.signing[HUB]), envelope)


def permit_entry(permit: Permit, envelope: bytes) -> bytes:
    """The hub's entry of a permit."""
    return entry(
        Kind.PERMIT,
        permit.issued,
        document=permit.hash,
        bank=permit.bank,
        ctx=permit.ctx,
        envelope=hashlib.sha256(envelope).digest(),
    )
