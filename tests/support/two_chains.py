"""Two chains that ask each other, as their regulators have them in their mirrors, and the shares.

Permits are signed by the hub that issued them and shares are real; consents and evidence, which no
other chain ever sees, are left out: what the audit verifies of them is tested within a chain.
"""

from __future__ import annotations

import copy
import dataclasses
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from federation.audit.engine import Audit
from federation.audit.findings import Finding
from federation.audit.interchain.cases import Peer, Reconciled
from federation.audit.interchain.shares import feed_share
from federation.audit.records import AuditedQuery, ConsentFacts, Event, event
from federation.audit.thresholds import AuditThresholds
from federation.authority import CertificateAuthority
from federation.entries import Kind, entry, read_entry
from federation.envelope import EnvelopeKey
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle, authority_keys
from federation.interchain.share import (
    NONE,
    Share,
    ShareContent,
    SharedEntry,
    SharedFinding,
    SharedLog,
    SharedPermit,
    check_follows,
    open_share,
    seal_share,
)
from federation.permit import Permit
from federation.signed import Signed, SigningKey
from support.audited import MemoryBooks
from support.chain import DAY, NOW

QUERIES = 2_000
SPACING = 5
END = NOW + QUERIES * SPACING
LATER = END + 3 * 3_600
"""By then every grace is over."""
CTX = bytes(range(32))
PER_SHARE = 150
STEP = 30

Wire = tuple[Signed, bytes]


@dataclass
class Side:
    """One chain: its parties, its logs in order of writing, and what its regulator sealed."""

    name: str
    begin: int = NOW
    certificate: bytes = bytes(32)
    """Hash of the certificate of the model that banks ask with."""
    key: SigningKey = field(default_factory=SigningKey.generate)
    hub_key: SigningKey = field(default_factory=SigningKey.generate)
    envelope: EnvelopeKey = field(default_factory=EnvelopeKey.generate)
    logs: dict[SpiffeId, list[Event]] = field(default_factory=dict)
    queries: dict[bytes, AuditedQuery] = field(default_factory=dict)
    permits: dict[bytes, Signed] = field(default_factory=dict)
    """By hash, those that other chains' hubs signed and the own hub keeps."""
    books: MemoryBooks = field(default_factory=MemoryBooks)
    bundle: TrustBundle = field(init=False)

    def __post_init__(self) -> None:
        authority = CertificateAuthority.create(self.domain, NOW - DAY)
        self.bundle = TrustBundle(
            keys=authority_keys([authority.certificate_pem]),
            spiffe_sequence=1,
            spiffe_refresh_hint=300,
            yinxin_chain=self.name,
            yinxin_trust_domain=self.domain,
            yinxin_regulator=self.regulator,
            yinxin_hub=self.hub,
            yinxin_signing=self.key.public,
            yinxin_sealing=self.envelope.public,
            yinxin_licence_domain="licence.yinxin.example",
            yinxin_licence_authority="pem",
            yinxin_hub_address="127.0.0.1:9",
            yinxin_regulator_address="127.0.0.1:9",
            yinxin_not_before=NOW - DAY,
            yinxin_not_after=NOW + 90 * DAY,
        )
        self.books.hubs.add(self.hub_key.public)
        for holder in self.holders:
            self.log(
                holder, Kind.CTX_KEY, self.begin - 4, document=secrets.token_bytes(32), ctx=CTX
            )

    def copy(self) -> Side:
        """The same chain, of which a test may change the logs."""
        other = copy.copy(self)
        other.logs = {log: list(entries) for log, entries in self.logs.items()}
        other.queries, other.permits = dict(self.queries), dict(self.permits)
        other.books = MemoryBooks(hubs=set(self.books.hubs))
        return other

    @property
    def domain(self) -> str:
        return f"{self.name}.yinxin.example"

    @property
    def hub(self) -> SpiffeId:
        return SpiffeId(self.domain, Role.HUB, "hub")

    @property
    def regulator(self) -> SpiffeId:
        return SpiffeId(self.domain, Role.REGULATOR, "pboc")

    @property
    def bank(self) -> SpiffeId:
        return SpiffeId(self.domain, Role.BANK, "harbour")

    @property
    def holders(self) -> tuple[SpiffeId, ...]:
        names = ("power", "social", "tax")
        return tuple(SpiffeId(self.domain, Role.HOLDER, name) for name in names)

    @property
    def peer(self) -> Peer:
        return Peer(self.name, self.domain, str(self.hub), str(self.regulator))

    def log(self, log: SpiffeId, kind: Kind, time: int, **body: Any) -> Event:
        """An entry at the end of a log."""
        entries = self.logs.setdefault(log, [])
        index = entries[-1].index + 1 if entries else 0
        written = event(str(log), index, read_entry(entry(kind, time, **body)))
        entries.append(written)
        return written

    def without(self, kind: Kind, permit: bytes, log: SpiffeId | None = None) -> None:
        """That log, or all of them, was written without the entry, which left its place."""
        for owner, entries in self.logs.items():
            if log in (None, owner):
                self.logs[owner] = [e for e in entries if (e.kind, e.subject) != (kind, permit)]


def ask(home: Side, abroad: Side, time: int) -> bytes:
    """An honest query of the home chain's bank in the other chain, in every log; its permit."""
    permit = Permit(
        id=secrets.token_bytes(16),
        chain=abroad.name,
        bank=home.bank,
        certificate=abroad.certificate,
        ctx=CTX,
        epoch=1,
        purpose="02",
        audience=abroad.holders,
        blinded=secrets.token_bytes(32),
        consent_tag=bytes(32),
        issued=time,
        expires=time + 3_600,
    )
    written = abroad.log(abroad.hub, Kind.PERMIT, time, document=permit.hash, bank=home.bank)
    number = len(abroad.queries)
    abroad.queries[permit.hash] = AuditedQuery(
        id=permit.hash,
        index=written.index,
        time=time,
        bank=str(home.bank),
        permit_id=permit.id,
        expires=permit.expires,
        officer=f"officer-{number}",
        reference=f"application-{number}",
        purpose="02",
        uscc=f"firm-{number}",
        consent=ConsentFacts(
            hash=secrets.token_bytes(32),
            id=secrets.token_bytes(16),
            uses=1,
            issued_at=time - 60,
            not_before=time - 60,
            expires=time + DAY,
            chains=(abroad.name,),
        ),
        model=abroad.certificate,
        ctx=CTX,
        epoch=1,
        month=202701,
        epochs_a_month=1,
        audience=tuple(map(str, abroad.holders)),
        holders=tuple(map(str, abroad.holders)),
        blinded=permit.blinded,
        verified=True,
    )
    for holder in abroad.holders:
        abroad.log(holder, Kind.UNLOCK, time, document=permit.hash, bank=home.bank, ctx=CTX)
    home.log(home.hub, Kind.ROUTED, time, document=permit.hash, bank=home.bank, chain=abroad.name)
    home.log(home.bank, Kind.QUERY, time + 1, document=permit.hash, ctx=CTX)
    home.permits[permit.hash] = permit.sign(abroad.hub_key)
    return permit.hash


# --- shares -----------------------------------------------------------------------------------


def contents(
    side: Side, other: Side, findings: Iterable[Finding] = ()
) -> Iterator[tuple[int, ShareContent]]:
    """What the side's regulator shares with the other's, in portions, and when each ends."""
    records = sorted(_records(side, other), key=lambda record: record.time)
    parts = [records[i : i + PER_SHARE] for i in range(0, len(records), PER_SHARE)] or [[]]
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        told = tuple(findings) if last else ()
        yield LATER if last else part[-1].time - 1, _content(part, told)


def _content(records: list[Any], findings: tuple[Finding, ...]) -> ShareContent:
    return ShareContent(
        salt=secrets.token_bytes(16),
        permits=tuple(r for r in records if isinstance(r, SharedPermit)),
        entries=tuple(r for r in records if isinstance(r, SharedEntry)),
        findings=tuple(
            SharedFinding(
                kind=one.kind.value,
                subject=SpiffeId.parse(one.subject),
                query=one.query or b"",
                key=one.id.hex(),
                evidence=dict(one.evidence),
                found=LATER,
            )
            for one in findings
        ),
    )


def _records(side: Side, other: Side) -> Iterator[SharedPermit | SharedEntry]:
    routed = {e.subject: e.body["chain"] for e in side.logs[side.hub] if e.kind is Kind.ROUTED}
    own = {e.subject for e in side.logs[side.hub] if e.kind is Kind.PERMIT}
    for log, entries in side.logs.items():
        for written in entries:
            match written.kind:
                case Kind.PERMIT if written.body["bank"] == str(other.bank):
                    yield _permit(side, other, written)
                case Kind.UNLOCK if written.body["bank"] == str(other.bank):
                    yield _entry(log, written)
                case Kind.ROUTED if written.body["chain"] == other.name:
                    signed = side.permits.get(written.subject)
                    yield _entry(log, written, signed.to_json() if signed else b"")
                case Kind.QUERY | Kind.FAILURE if written.subject not in own:
                    if routed.get(written.subject, other.name) == other.name:
                        yield _entry(log, written)


def _permit(side: Side, other: Side, written: Event) -> SharedPermit:
    query = side.queries[written.subject]
    return SharedPermit(
        index=written.index,
        time=written.time,
        permit=written.subject,
        bank=other.bank,
        ctx=query.ctx,
        expires=query.expires,
        audience=tuple(map(SpiffeId.parse, query.audience)),
        participants=tuple(map(SpiffeId.parse, query.holders)),
    )


def _entry(log: SpiffeId, written: Event, document: bytes = b"") -> SharedEntry:
    return SharedEntry(
        log=log,
        index=written.index,
        kind=written.kind.value,  # type: ignore[arg-type]
        time=written.time,
        permit=written.subject,
        document=document,
    )


def make_share(
    side: Side, other: Side, content: ShareContent, last: Share | None, until: int, **changes: Any
) -> tuple[Share, Wire]:
    """A share that follows `last`, as it goes to the other chain's regulator."""
    spans = {span.log: span.stop for span in last.logs} if last else {}
    told: dict[SpiffeId, int] = {}
    places = [(entry.log, entry.index) for entry in content.entries]
    for log, index in places + [(side.hub, permit.index) for permit in content.permits]:
        told[log] = max(told.get(log, 0), index + 1)
    logs = tuple(
        SharedLog(
            log=log,
            start=spans.get(log, 0),
            stop=max(spans.get(log, 0), told.get(log, 0)),
            size=100_000,
            root=bytes(32),
        )
        for log in sorted(side.logs, key=str)
    )
    fields: dict[str, Any] = {
        "chain": side.name,
        "audience": other.name,
        "regulator": side.regulator,
        "number": last.number + 1 if last else 1,
        "previous": last.hash if last else NONE,
        "issued": LATER,
        "begin": last.until if last else 0,
        "until": until,
        "hub_signing": side.hub_key.public,
        "logs": logs,
        "content": content.hash,
    }
    share = Share.model_validate(fields | changes)
    return share, (share.sign(side.key), seal_share(share, content, other.envelope.public))


def shares(side: Side, other: Side, findings: Iterable[Finding] = ()) -> list[Wire]:
    """Everything that the side's regulator shares with the other's."""
    last, wires = None, []
    for until, content in contents(side, other, findings):
        last, wire = make_share(side, other, content, last, until)
        wires.append(wire)
    return wires


def received(side: Side, other: Side, wires: Iterable[Wire]) -> list[tuple[Share, ShareContent]]:
    """What the other chain's regulator opens of them, each as the one after the last."""
    last, opened = None, []
    for signed, sealed in wires:
        share, content = open_share(
            signed, sealed, side.bundle, other.name, other.domain, other.envelope, LATER
        )
        check_follows(share, last)
        opened.append((share, content))
        last = share
    return opened


# --- auditing ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Audited:
    """What one regulator found, and how far it is with the other chain."""

    findings: list[Finding]
    reconciled: Reconciled

    def of(self) -> set[tuple[str, str, bytes | None]]:
        """Kind, subject and permit of each finding."""
        return {(one.kind.value, one.subject, one.query) for one in self.findings}


def audited(
    side: Side,
    other: Side,
    opened: Iterable[tuple[Share, ShareContent]],
    now: int = LATER,
    *,
    trusted: bool = True,
    finish: bool = False,
) -> Audited:
    """Audits one chain up to `now` with the shares that the other's regulator gave."""
    audit = Audit(side.hub, side.regulator, AuditThresholds(), side.books)
    audit.interchain.pinned([dataclasses.replace(other.peer, trusted=trusted)])
    side.books.kept.update((p, (signed.to_json(),)) for p, signed in side.permits.items())
    found: list[Finding] = []
    feed: list[tuple[int, int, int, Callable[[], Iterable[Finding]]]] = []
    for number, written in enumerate(e for entries in side.logs.values() for e in entries):
        query = side.queries.get(written.subject) if written.kind is Kind.PERMIT else None
        if query is not None:
            feed.append((written.time, 1, number, lambda q=query: audit.query(q)))  # type: ignore[misc]
        else:
            feed.append((written.time, 0, number, lambda e=written: audit.event(e)))  # type: ignore[misc]
    for number, (share, content) in enumerate(opened):
        feed.append(
            (
                min(share.until, now),
                2,
                number,
                lambda s=share, c=content: feed_share(audit.interchain, s, c),  # type: ignore[misc]
            )
        )
    advanced = 0
    for time, _, _, take in sorted(feed, key=lambda item: item[:3]):
        if time > now:
            break
        if time >= advanced + STEP:
            advanced = time
            found += audit.advance(time)
        found += take()
    found += audit.advance(now)
    if finish:
        found += audit.finish(now)
    unique = list({finding.id: finding for finding in found}.values())
    return Audited(unique, audit.interchain.reconciled()[other.name])
