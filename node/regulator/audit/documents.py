"""The chain's documents as the audit needs them: the regulator's own copies, all of them.

A worker opens no database, so they travel to it as bytes; what it verified it keeps by their hash.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, select

from federation.canonical import unb64
from federation.entries import InclusionPromise, Kind, read_entry
from federation.epoch import Descriptor, OpenEpoch, read_epoch
from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.interchain.guest import welcome
from federation.interchain.pin import Pin
from federation.membership import Member, Members, TrustRoot
from federation.signed import Signed
from node.chain.store import (
    CERTIFICATE,
    DESCRIPTOR,
    GUEST,
    MANIFEST,
    MEMBER,
    OPENING,
    PIN,
    RECEIPT,
)
from node.chain.tables import chain_documents
from node.regulator.tables import mirror_entries
from node.storage.schema import log_entries

PIN_SECONDS: Final = 86_400
"""How long after its issue a hub may not have heard of a pin that ends trust."""


@dataclass(frozen=True)
class DocumentSet:
    """Implements `federation.audit.sources.Documents` over signed documents.

    `credentials` are (begin, member, document) in order of their begin, `certificates` those that
    the regulator's own log has, by payload hash, `withdrawals` from when on the hub had to refuse
    one of them, `epochs` descriptor, manifests and opening by number, `guests` and `pins` (begin,
    document): a guest from when it was admitted, a pin from when the hub had to act by it.
    """

    root: bytes
    credentials: tuple[tuple[int, str, bytes], ...]
    certificates: dict[bytes, bytes]
    epochs: dict[int, tuple[bytes, tuple[bytes, ...], bytes]]
    withdrawals: dict[bytes, int] = field(default_factory=dict)
    guests: tuple[tuple[int, bytes], ...] = ()
    pins: tuple[tuple[int, bytes], ...] = ()

    def members(self, time: int) -> Members:
        """The members at `time`, each by its newest credential that had begun, and the guests."""
        newest = {name: raw for begin, name, raw in self.credentials if begin <= time}
        guests = tuple(raw for begin, raw in self.guests if begin <= time)
        pins = tuple(raw for begin, raw in self.pins if begin <= time)
        key = (*newest.values(), *guests, *pins)
        if key not in self._members:
            documents = [Signed.from_json(raw) for raw in newest.values()]
            signed = map(Signed.from_json, guests), map(Signed.from_json, pins)
            self._members[key] = Members(self._root, documents, time, welcome(*signed, self._root))
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
        kept = self.root, self.credentials, self.certificates, self.epochs, self.withdrawals
        return pickle.dumps((*kept, self.guests, self.pins))

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
        guests=tuple((begin, raw) for begin, _, _, raw in kept.get(GUEST, ())),
        pins=_pins(connection, [(digest, raw) for _, _, digest, raw in kept.get(PIN, ())]),
    )


def _pins(connection: Connection, pins: list[tuple[bytes, bytes]]) -> tuple[tuple[int, bytes], ...]:
    """The pins with the time from which on the hub had to act by each: when it logged it, or
    `PIN_SECONDS` after its issue for a hub that has not.
    """
    table = mirror_entries.c
    rows = connection.execute(
        select(table.document, table.log, table.time).where(
            table.kind.in_((Kind.PINNED.value, Kind.UNPINNED.value)),
            table.document.in_([digest for digest, _ in pins]),
        )
    )
    logged: dict[bytes, int] = {}
    for digest, log, time in rows:
        if SpiffeId.parse(log).role is Role.HUB:
            logged[bytes(digest)] = min(time, logged.get(bytes(digest), time))
    found = []
    for digest, raw in pins:
        pin = Pin.parse(Signed.from_json(raw).payload)
        latest = pin.issued + PIN_SECONDS
        # A pin lets in from its issue on; that it ends trust, the hub has to have heard.
        begin = pin.issued if pin.state == "pinned" else min(logged.get(digest, latest), latest)
        found.append((begin, raw))
    return tuple(found)


def _certified(connection: Connection) -> set[bytes]:
    """Hashes of the certificates in the regulator's own log."""
    query = select(log_entries.c.entry).where(log_entries.c.kind == Kind.CERTIFIED.value)
    bodies = (read_entry(bytes(raw)).body for raw in connection.execute(query).scalars())
    return {unb64(str(body["document"]), "document") for body in bodies if "document" in body}
