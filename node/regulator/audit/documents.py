"""The chain's documents as the audit needs them: the regulator's own copies, all of them.

A worker opens no database, so they travel to it as bytes; what it verified it keeps by their hash.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection, select

from federation.canonical import unb64
from federation.entries import InclusionPromise, Kind, read_entry
from federation.epoch import Descriptor, OpenEpoch, read_epoch
from federation.errors import FederationError
from federation.identity import Role
from federation.membership import Member, Members, TrustRoot
from federation.signed import Signed
from node.chain.store import CERTIFICATE, DESCRIPTOR, MANIFEST, MEMBER, OPENING, RECEIPT
from node.chain.tables import chain_documents
from node.storage.schema import log_entries


@dataclass(frozen=True)
class DocumentSet:
    """Implements `federation.audit.sources.Documents` over signed documents.

    `credentials` are (begin, member, document) in order of their begin, `certificates` those that
    the regulator's own log has, by payload hash, `withdrawals` from when on the hub had to refuse
    one of them, `epochs` descriptor, manifests and opening by number.
    """

    root: bytes
    credentials: tuple[tuple[int, str, bytes], ...]
    certificates: dict[bytes, bytes]
    epochs: dict[int, tuple[bytes, tuple[bytes, ...], bytes]]
    withdrawals: dict[bytes, int] = field(default_factory=dict)

    def members(self, time: int) -> Members:
        """The members at `time`, each by its newest credential that had begun."""
        newest = {name: raw for begin, name, raw in self.credentials if begin <= time}
        key = tuple(newest.values())
        if key not in self._members:
            documents = [Signed.from_json(raw) for raw in key]
            self._members[key] = Members(self._root, documents, time)
        return self._members[key].at(time)

    @cached_property
    def hub(self) -> str:
        """SPIFFE id of the chain's hub, whenever it was a member; nothing before it is one."""
        members = (Member.parse(Signed.from_json(raw).payload) for _, _, raw in self.credentials)
        return next((str(one.id) for one in members if one.id.role is Role.HUB), "")

    def certificate(self, digest: bytes) -> Signed | None:
        """The certificate of that payload hash, not verified."""
        raw = self.certificates.get(digest)
        return None if raw is None else Signed.from_json(raw)

    def withdrawn(self, digest: bytes) -> int | None:
        """When the hub promised to have logged the withdrawal of a certificate, by its clock."""
        return self.withdrawals.get(digest)

    def epoch(self, number: int) -> OpenEpoch | None:
        """The epoch of that number, verified with the keys of its beginning; None if not open."""
        if number not in self.epochs:
            return None
        if number not in self._epochs:
            self._epochs[number] = self._read(*self.epochs[number])
        return self._epochs[number]

    def _read(self, described: bytes, stated: tuple[bytes, ...], opened: bytes) -> OpenEpoch:
        descriptor, opening = Signed.from_json(described), Signed.from_json(opened)
        manifests = [Signed.from_json(raw) for raw in stated]
        began = Descriptor.parse(descriptor.payload).opens
        failure: FederationError | None = None
        # Documents are signed around the beginning; a member may have had other keys just before.
        for time in (began, max(begin for begin, _, _ in self.credentials)):
            try:
                return read_epoch(descriptor, manifests, opening, self.members(time))
            except FederationError as error:
                failure = error
        raise failure or AssertionError

    @cached_property
    def _root(self) -> TrustRoot:
        return TrustRoot.parse(self.root)

    @cached_property
    def _members(self) -> dict[tuple[bytes, ...], Members]:
        return {}

    @cached_property
    def _epochs(self) -> dict[int, OpenEpoch]:
        return {}

    def encode(self) -> bytes:
        """As it goes to a worker of the same program."""
        parts = self.root, self.credentials, self.certificates, self.epochs, self.withdrawals
        return pickle.dumps(parts)

    @classmethod
    def decode(cls, raw: bytes) -> DocumentSet:
        """What `encode` wrote, by this program."""
        return cls(*pickle.loads(raw))  # noqa: S301  # from our own parent process


def load_documents(connection: Connection, root: TrustRoot) -> DocumentSet:
    """All that the regulator has now."""
    kept: dict[str, list[tuple[int, str, bytes, bytes]]] = {}
    rows = connection.execute(
        select(chain_documents).order_by(chain_documents.c.number, chain_documents.c.name)
    )
    for row in rows:
        kept.setdefault(row.kind, []).append(
            (row.number, row.name, bytes(row.hash), bytes(row.body))
        )
    logged = _certified(connection)
    certificates = {d: raw for _, _, d, raw in kept.get(CERTIFICATE, ()) if d in logged}
    manifests: dict[int, list[bytes]] = {}
    for number, _, _, raw in kept.get(MANIFEST, ()):
        manifests.setdefault(number, []).append(raw)
    descriptors = {number: raw for number, _, _, raw in kept.get(DESCRIPTOR, ())}
    return DocumentSet(
        root=root.payload(),
        credentials=tuple((n, name, raw) for n, name, _, raw in kept.get(MEMBER, ())),
        certificates=certificates,
        epochs={
            number: (descriptors[number], tuple(manifests.get(number, ())), raw)
            for number, _, _, raw in kept.get(OPENING, ())
            if number in descriptors
        },
        withdrawals={
            bytes.fromhex(name): InclusionPromise.parse(Signed.from_json(raw).payload).issued
            for _, name, _, raw in kept.get(RECEIPT, ())
        },
    )


def _certified(connection: Connection) -> set[bytes]:
    """Hashes of the certificates in the regulator's own log."""
    query = select(log_entries.c.entry).where(log_entries.c.kind == Kind.CERTIFIED.value)
    bodies = (read_entry(bytes(raw)).body for raw in connection.execute(query).scalars())
    return {unb64(str(body["document"]), "document") for body in bodies if "document" in body}
