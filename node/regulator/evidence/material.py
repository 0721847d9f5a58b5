"""All that the regulator has about one query: entries of every log with proofs, and documents.

Everything comes from mirrored logs, what was mirrored beside them, and the regulator's own books.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from federation import signed as dsse
from federation.canonical import unb64
from federation.certificate import ModelCertificate
from federation.entries import Entry, Kind, read_entry
from federation.epoch import Manifest, Opening
from federation.errors import DocumentError, EnvelopeError, SignatureInvalid
from federation.identity import SpiffeId
from federation.interchain.guest import Guest
from federation.membership import Member
from federation.permit import Evidence, Permit
from federation.signed import Signed
from node.chain.store import DESCRIPTOR, GUEST, MANIFEST, MEMBER, OPENING, ChainStore
from node.chain.tables import chain_documents
from node.regulator.errors import RegulatorError
from node.regulator.evidence.proving import MirroredTree
from node.regulator.findings import KeptFinding, kept_findings
from node.regulator.mirror.books import MirroredLog, all_logs
from node.regulator.tables import audit_queries, mirror_attachments, mirror_entries

Opener = Callable[[bytes, bytes, int], Evidence]
"""(envelope, permit hash, time of issue) → evidence, by the audit keys: `AuditKeyRing.evidence`."""


@dataclass(frozen=True)
class ProvedEntry:
    """One entry of a log, with its tlog-proof; an empty one while no quorum cosigned it."""

    log: str
    index: int
    raw: bytes
    entry: Entry
    proof: bytes


@dataclass(frozen=True)
class Material:
    """What the folder is made of. A document that is not there is None: the verifier says so.

    `verified` is the audit's verdict, `erased` whether the evidence cannot be opened any more.
    """

    query: bytes
    verified: bool
    permit: Signed | None
    envelope: bytes | None
    evidence: Evidence | None
    certificate: Signed | None
    descriptor: Signed | None
    opening: Signed | None
    manifests: tuple[Signed, ...]
    credentials: tuple[Signed, ...]
    logs: tuple[MirroredLog, ...]
    entries: tuple[ProvedEntry, ...]
    findings: tuple[KeptFinding, ...]
    problem: str = ""
    """Why the evidence does not open; empty when it does."""
    guests: tuple[Signed, ...] = ()
    """The bank's credentials as a guest, where it is at home in another chain."""
    members: dict[str, Member] = field(default_factory=dict)
    """The newest credential of everybody, by SPIFFE id, a guest's included."""

    @property
    def granted(self) -> Permit | None:
        """The permit, as the hub wrote it."""
        return _parsed(self.permit)


def collect(connection: Connection, chain: ChainStore, query: bytes, opener: Opener) -> Material:
    """The material about the permit of that hash.

    Raises RegulatorError when no permit of that hash was audited, or the hub's entry of it is not
    under a checkpoint that a quorum cosigned yet.
    """
    audited = connection.execute(
        select(audit_queries.c.verified).where(audit_queries.c.id == query)
    ).scalar_one_or_none()
    if audited is None:
        raise RegulatorError(f"no query {query.hex()} was audited; run `yinxin regulator audit`")
    credentials = chain.documents(connection, MEMBER)
    members = [Member.parse(signed.payload) for signed in credentials]
    books = _Books(connection, chain, members)
    permit = books.document(query, Permit.payload_type())
    granted = _parsed(permit)
    guests = books.guests(granted)
    known = [*members, *(Guest.parse(one.payload).as_member() for one in guests)]
    found = books.about([query])
    envelope = books.envelope(found)
    evidence, problem = _opened(envelope, granted, opener)
    certificate = descriptor = opening = None
    manifests: tuple[Signed, ...] = ()
    if granted is not None:
        certificate = books.document(granted.certificate, ModelCertificate.payload_type())
        descriptor, opening, manifests = books.epoch(granted.epoch)
        hub, regulator = (str(one) for one in books.authorities(granted.issued))
        found += books.stated(regulator, certificate)
        found += [*books.stated(hub, descriptor), *books.stated(hub, opening)]
        for manifest in manifests:
            found += books.stated(str(Manifest.parse(manifest.payload).holder), manifest)
        found += books.context_keys(granted.ctx, granted.audience)
    findings = tuple(kept_findings(connection, query=query))
    entries = books.prove(found)
    if not any(e.entry.kind is Kind.PERMIT and e.proof for e in entries):
        raise RegulatorError(
            "the hub's entry of this query is under no cosigned checkpoint yet; try again later"
        )
    return Material(
        query=query,
        verified=audited and not any(f.state != "explained" for f in findings),
        permit=permit,
        envelope=envelope,
        evidence=evidence,
        certificate=certificate,
        descriptor=descriptor,
        opening=opening,
        manifests=manifests,
        credentials=credentials,
        logs=books.shown(entries),
        entries=entries,
        findings=findings,
        problem=problem,
        guests=guests,
        members={str(one.id): one for one in sorted(known, key=lambda m: m.not_before)},
    )


_Found = tuple[str, int, bytes]
"""Log, index and bytes of an entry."""


class _Books:
    """Look-ups in the regulator's database."""

    def __init__(
        self, connection: Connection, chain: ChainStore, members: Iterable[Member]
    ) -> None:
        self._connection = connection
        self._chain = chain
        self._members = tuple(members)
        self._logs = {log.log: log for log in all_logs(connection)}

    def document(self, digest: bytes, payload_type: str) -> Signed | None:
        """A signed document by the hash of its payload: mirrored, or the regulator's own."""
        attached, kept = mirror_attachments.c, chain_documents.c
        mirrored = select(attached.body).where(attached.hash == digest)
        own = select(kept.body).where(kept.hash == digest)
        unsigned = None
        for body in self._connection.execute(mirrored.union_all(own)).scalars():
            try:
                signed = Signed.from_json(bytes(body))
            except DocumentError:
                continue  # an envelope, or what somebody put in its place
            if signed.payload_type != payload_type or signed.payload_hash != digest:
                continue
            if self._is_signed(signed):
                return signed
            unsigned = unsigned or signed
        return unsigned

    def guests(self, granted: Permit | None) -> tuple[Signed, ...]:
        """The guest credentials that the bank of a permit ever had."""
        if granted is None:
            return ()
        return self._chain.documents(self._connection, GUEST, name=str(granted.bank))

    def _is_signed(self, document: Signed) -> bool:
        """Whether any member ever signed it: one with a false signature may lie beside it."""
        for member in self._members:
            try:
                dsse.verify(document, member.signing, document.payload_type)
            except SignatureInvalid:
                continue
            return True
        return False

    def envelope(self, found: Iterable[_Found]) -> bytes | None:
        """The sealed evidence that the permit's entry names."""
        table = mirror_attachments.c
        for _, _, raw in found:
            entry = _entry(raw)
            if entry is None or entry.kind is not Kind.PERMIT:
                continue
            wanted = entry_hash(entry, "envelope")
            body = self._connection.execute(
                select(table.body).where(table.hash == wanted, table.digest == wanted)
            ).scalar_one_or_none()
            if body is not None:
                return bytes(body)
        return None

    def about(self, documents: Sequence[bytes]) -> list[_Found]:
        """Entries of every log that are about one of these documents."""
        table = mirror_entries.c
        return self._rows(table.document.in_(documents))

    def stated(self, log: str, document: Signed | None) -> list[_Found]:
        """The entry of a document in the log of whoever signed it; others keep copies of it."""
        if document is None:
            return []
        table = mirror_entries.c
        return self._rows(table.log == log, table.document == document.payload_hash)

    def authorities(self, time: int) -> tuple[SpiffeId, SpiffeId]:
        """The hub at `time`, and the regulator."""
        members = self._chain.members(self._connection, time)
        return members.hub.id, members.root.regulator

    def context_keys(self, ctx: bytes, holders: Iterable[SpiffeId]) -> list[_Found]:
        """The holders' entries of their keys in a context."""
        table = mirror_entries.c
        logs = [str(holder) for holder in holders]
        return self._rows(table.log.in_(logs), table.kind == Kind.CTX_KEY.value, table.ctx == ctx)

    def _rows(self, *where: object) -> list[_Found]:
        table = mirror_entries.c
        rows = self._connection.execute(
            select(table.log, table.index, table.entry)
            .where(*where)  # type: ignore[arg-type]
            .order_by(table.log, table.index)
        )
        return [(log, index, bytes(raw)) for log, index, raw in rows]

    def epoch(self, number: int) -> tuple[Signed | None, Signed | None, tuple[Signed, ...]]:
        """Descriptor, opening and the manifests that it names."""
        descriptors = self._chain.documents(self._connection, DESCRIPTOR, number)
        openings = self._chain.documents(self._connection, OPENING, number)
        named: set[bytes] = set()
        for one in openings:
            named |= {ref.hash for ref in Opening.parse(one.payload).manifests}
        manifests = tuple(
            signed
            for signed in self._chain.documents(self._connection, MANIFEST, number)
            if signed.payload_hash in named
        )
        return next(iter(descriptors), None), next(iter(openings), None), manifests

    def prove(self, found: Iterable[_Found]) -> tuple[ProvedEntry, ...]:
        """The entries with their proofs, in order of log and index, each once."""
        trees: dict[str, MirroredTree] = {}
        proved = []
        for log, index, raw in sorted(set(found)):
            entry = _entry(raw)
            if entry is None:
                continue  # a finding of its own
            if log not in trees:
                trees[log] = MirroredTree(self._connection, self._logs[log])
            tree = trees[log]
            proof = tree.proof(index) if index < tree.size else b""
            proved.append(ProvedEntry(log, index, raw, entry, proof))
        return tuple(proved)

    def shown(self, entries: Iterable[ProvedEntry]) -> tuple[MirroredLog, ...]:
        """The logs of these entries."""
        names = {one.log for one in entries}
        return tuple(log for name, log in sorted(self._logs.items()) if name in names)


def entry_hash(entry: Entry, name: str) -> bytes:
    """A hash in an entry's body; nothing where there is none."""
    value = entry.body.get(name, "")
    return unb64(value, name) if isinstance(value, str) else b""


def _opened(
    envelope: bytes | None, granted: Permit | None, opener: Opener
) -> tuple[Evidence | None, str]:
    if envelope is None or granted is None:
        return None, "the permit or its envelope is not in the mirror"
    try:
        return opener(envelope, granted.hash, granted.issued), ""
    except (EnvelopeError, DocumentError) as error:
        return None, str(error)


def _parsed(permit: Signed | None) -> Permit | None:
    if permit is None:
        return None
    try:
        return Permit.parse(permit.payload)
    except DocumentError:
        return None


def _entry(raw: bytes) -> Entry | None:
    try:
        return read_entry(raw)
    except DocumentError:
        return None
