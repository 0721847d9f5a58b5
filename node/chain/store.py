"""The chain's documents as one node has verified and kept them.

Writes go through `put`, inside the caller's unit of work: a document whose number is taken by
another is refused there, so that two that arrive at once cannot both be kept. Reads verify
signatures again on the way out of the database; what was verified is cached by its hash.
"""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import Final

from sqlalchemy import Connection, and_, delete, or_, select

from federation import signed as dsse
from federation.certificate import ModelCertificate, open_certificate
from federation.epoch import Descriptor, Manifest, OpenEpoch, Opening, read_epoch
from federation.errors import FederationError, Reason, Refusal
from federation.identity import SpiffeId
from federation.interchain.guest import Guest, open_guest, welcome
from federation.interchain.pin import Pin, check_pin, open_pin
from federation.membership import Member, Members, TrustRoot
from federation.roster import Roster, RosterBatch
from federation.signed import Signed
from federation.withdrawal import ModelWithdrawal, open_withdrawal
from node.chain.documents import ChainDocuments
from node.storage.engine import is_writing
from node.storage.store import Store
from scoring.catalogue import Catalogue

ROSTER_TYPE: Final = "application/vnd.yinxin.roster-batch.v1+json"
PIN: Final = "chain-pin"
GUEST: Final = "guest"
TRUST_BUNDLE: Final = "trust-bundle"
PROPOSAL: Final = "catalogue-proposal"
MEMBER, BATCH, CATALOGUE, DESCRIPTOR, MANIFEST, OPENING, CERTIFICATE, WITHDRAWAL, RECEIPT = (
    "member",
    "roster-batch",
    "catalogue",
    "epoch-descriptor",
    "manifest",
    "epoch-opening",
    "model-certificate",
    "model-withdrawal",
    "withdrawal-receipt",
)


class ChainStore(ChainDocuments):
    """One node's copy of a chain's public documents: its own chain's, or those of a peer chain."""

    def __init__(self, store: Store, root: TrustRoot, *, peer: bool = False) -> None:
        """`peer` for a chain that is not the node's own: its documents are kept apart."""
        super().__init__(root.chain, peer=peer)
        self.root = root
        self._store = store
        self._lock = Lock()
        self._roster = Roster(root.chain)
        self._catalogues: dict[bytes, Catalogue] = {}
        self._epochs: dict[bytes, OpenEpoch] = {}
        self._certificates: dict[bytes, ModelCertificate] = {}
        self._pins: dict[bytes, Pin] = {}
        self._members: tuple[tuple[bytes, ...], Members] | None = None

    # Writing: always within a unit of work.

    def put_member(self, connection: Connection, credential: Signed) -> bool:
        """Keeps a credential, in place of an older one of the same member.

        A member that is enrolled again has a new credential; its number is when it begins, so
        that the newest is the one that counts.
        """
        member = Member.open_(credential, self.root.regulator_signing)
        return self.put(connection, MEMBER, credential, member.not_before, str(member.id))

    def put_pin(self, connection: Connection, signed: Signed) -> Pin | None:
        """Keeps a pin of this chain's regulator and returns it; None when it was there.

        Raises as `open_pin` and `check_pin`, and Refusal(conflict) for another pin of its number,
        and for one whose number does not follow the newest kept one's or begin with 1.
        """
        pin = open_pin(signed, self.root)
        pins = self.pins(connection)
        check_pin(pin, self.root, pins)
        newest = pins.get(pin.peer)
        last = 0 if newest is None else newest.number
        if pin.number > last + 1:
            raise Refusal(Reason.CONFLICT, f"pin {last + 1} of {pin.peer} is missing")
        return pin if self.put(connection, PIN, signed, pin.number, pin.peer) else None

    def put_guest(self, connection: Connection, signed: Signed) -> Guest | None:
        """Keeps a guest credential and returns it; None when it was there. As `put_member`."""
        guest = open_guest(signed, self.root)
        kept = self.put(connection, GUEST, signed, guest.not_before, str(guest.id))
        return guest if kept else None

    def put_catalogue(self, connection: Connection, raw: bytes, number: int = 0) -> bool:
        """Keeps a catalogue (its canonical JSON) under its digest; the hub numbers its own."""
        digest = hashlib.sha256(raw).digest()
        return self._put(connection, CATALOGUE, number, digest.hex(), digest, raw)

    def put_proposal(self, connection: Connection, number: int, raw: bytes) -> bool:
        """Keeps the proposed catalogue of a number (its canonical JSON), or that none stands now.

        Only the newest stays: each is long, and a hub can propose without end. Raises
        Refusal(conflict) when another has the number.
        """
        table = self._table.c
        connection.execute(
            delete(self._table).where(*self._own, table.kind == PROPOSAL, table.number < number)
        )
        return self._put(connection, PROPOSAL, number, "", hashlib.sha256(raw).digest(), raw)

    # Reading: blocking and short; `Store.read` runs it in a reader's thread where it matters.

    def members(self, connection: Connection, now: int) -> Members:
        """The chain's members, each by its newest credential that has begun."""
        newest: dict[str, Signed] = {}
        others: dict[str, list[Signed]] = {GUEST: [], PIN: []}
        table = self._table.c
        begun = (table.kind.in_((MEMBER, GUEST)), table.number <= now)
        rows = connection.execute(
            select(table.kind, table.name, table.hash, table.body)
            .where(*self._own, or_(and_(*begun), table.kind == PIN))
            .order_by(table.number)
        ).all()
        key = tuple(bytes(row.hash) for row in rows)
        if self._members is not None and self._members[0] == key:
            return self._members[1].at(now)
        for row in rows:
            signed = Signed.from_json(bytes(row.body))
            if row.kind == MEMBER:
                newest[row.name] = signed
            else:
                others[row.kind].append(signed)
        guests = welcome(others[GUEST], others[PIN], self.root)
        members = Members(self.root, newest.values(), now, guests)
        self._members = (key, members)
        return members

    def pins(self, connection: Connection) -> dict[str, Pin]:
        """The newest pin of each peer chain, by its name; withdrawn and expired ones too."""
        table = self._table.c
        rows = connection.execute(
            select(table.name, table.number, table.hash)
            .where(*self._own, table.kind == PIN)
            .order_by(table.number)
        )
        found = {}
        for name, row in {row.name: row for row in rows}.items():
            digest = bytes(row.hash)
            if digest not in self._pins:
                (signed,) = self.documents(connection, PIN, row.number, name)
                self._pins[digest] = open_pin(signed, self.root)
            found[name] = self._pins[digest]
        return found

    def roster(self, connection: Connection, now: int, *, own: bool = False) -> Roster:
        """The roster with every batch that is kept: one object that grows, for all to read.

        Whoever wants to add to it asks for its `own`; a unit of work always gets that, because
        what it sees may still be rolled back.
        """
        with self._lock:
            roster = self._roster.copy() if own or is_writing(connection) else self._roster
            table = self._table.c
            rows = connection.execute(
                select(table.body)
                .where(*self._own, table.kind == BATCH, table.number >= roster.next_number)
                .order_by(table.number)
            ).scalars()
            hub = None
            for row in rows:
                hub = hub or self.members(connection, now).hub
                roster.apply(read_batch(Signed.from_json(bytes(row)), hub))
            return roster

    def catalogue(self, connection: Connection, digest: bytes) -> Catalogue:
        """The catalogue of that digest. Raises Refusal(wrong_context) when it is not kept."""
        if digest not in self._catalogues:
            table = self._table.c
            raw = connection.execute(
                select(table.body).where(*self._own, table.kind == CATALOGUE, table.hash == digest)
            ).scalar_one_or_none()
            if raw is None:
                raise Refusal(Reason.WRONG_CONTEXT, "catalogue is not known here")
            self._catalogues[digest] = Catalogue.from_json(bytes(raw))
        return self._catalogues[digest]

    def catalogues(self, connection: Connection) -> tuple[Catalogue, ...]:
        """Every catalogue that is kept, in the order in which the hub numbers them."""
        table = self._table.c
        rows = connection.execute(
            select(table.body).where(*self._own, table.kind == CATALOGUE).order_by(table.number)
        ).scalars()
        return tuple(Catalogue.from_json(bytes(row)) for row in rows)

    def proposal(self, connection: Connection) -> tuple[int, bytes]:
        """Number and canonical JSON of the catalogue that is proposed now: empty when none is, and
        number 0 when none ever was.
        """
        table = self._table.c
        row = connection.execute(
            select(table.number, table.body)
            .where(*self._own, table.kind == PROPOSAL)
            .order_by(table.number.desc())
            .limit(1)
        ).one_or_none()
        return (0, b"") if row is None else (row.number, bytes(row.body))

    def epoch(self, connection: Connection, number: int, now: int) -> OpenEpoch | None:
        """An epoch that has an opening, verified; None when it has none here."""
        openings = self.documents(connection, OPENING, number)
        if not openings:
            return None
        digest = openings[0].payload_hash
        if digest not in self._epochs:
            opened = self._verified_epoch(connection, number, openings[0], now)
            rows = self.roster(connection, now).size_at(opened.descriptor.roster_root)
            if rows != opened.descriptor.roster_rows:
                raise Refusal(Reason.CONFLICT, f"epoch {number} is over another roster")
            self._epochs[digest] = opened
        return self._epochs[digest]

    def _verified_epoch(
        self, connection: Connection, number: int, opening: Signed, now: int
    ) -> OpenEpoch:
        """The documents of an epoch, verified with the keys of now, or else of its beginning.

        They were verified when they arrived; a member that was given other keys since has not
        unsigned them. What it may still do is a matter of its certificate (`certificate`).
        """
        (descriptor,) = self.documents(connection, DESCRIPTOR, number)
        named = {m.hash for m in Opening.parse(opening.payload).manifests}
        manifests = [
            m for m in self.documents(connection, MANIFEST, number) if m.payload_hash in named
        ]
        try:
            return read_epoch(descriptor, manifests, opening, self.members(connection, now))
        except FederationError:
            began = min(now, Descriptor.parse(descriptor.payload).opens)
            return read_epoch(descriptor, manifests, opening, self.members(connection, began))

    def epoch_numbers(self, connection: Connection) -> tuple[int, ...]:
        """Numbers of the epochs that are announced, oldest first."""
        table = self._table.c
        rows = connection.execute(
            select(table.number).where(*self._own, table.kind == DESCRIPTOR).order_by(table.number)
        )
        return tuple(rows.scalars())

    def descriptor(self, connection: Connection, number: int) -> Descriptor | None:
        """The descriptor of an epoch that is announced, else None."""
        found = self.documents(connection, DESCRIPTOR, number)
        # Verified when it was put; the epoch's use verifies it again with its opening.
        return Descriptor.parse(found[0].payload) if found else None

    def manifest(self, connection: Connection, number: int, holder: SpiffeId) -> Manifest | None:
        """A holder's manifest for an epoch, else None."""
        for signed in self.documents(connection, MANIFEST, number):
            manifest = Manifest.parse(signed.payload)
            if manifest.holder == holder:
                return manifest
        return None

    def certificate(
        self, connection: Connection, digest: bytes, now: int
    ) -> ModelCertificate | None:
        """The certificate with that payload hash, verified, else None.

        Raises Refusal(withdrawn_model) once it is withdrawn, and Refusal(foreign_certificate) when
        bank or participants are no longer the members that it names: that a signature was verified
        once says nothing of who is a member now.
        """
        certificate = self.certified(connection, digest)
        if certificate is not None:
            self.refuse_withdrawn(connection, digest)
            certificate.require_members(self.members(connection, now))
        return certificate

    def certified(self, connection: Connection, digest: bytes) -> ModelCertificate | None:
        """What the regulator signed under that payload hash, whoever is a member now: to show it,
        never to act on it. None when it is not kept.
        """
        if digest not in self._certificates:
            table = self._table.c
            raw = connection.execute(
                select(table.body).where(
                    *self._own, table.kind == CERTIFICATE, table.hash == digest
                )
            ).scalar_one_or_none()
            if raw is None:
                return None
            self._certificates[digest] = open_certificate(Signed.from_json(bytes(raw)), self.root)
        return self._certificates[digest]

    def withdrawals(self, connection: Connection) -> dict[bytes, Signed]:
        """The kept withdrawals by the certificate that each is of; verified when they were put."""
        return self._by_certificate(connection, WITHDRAWAL)

    def receipts(self, connection: Connection) -> dict[bytes, Signed]:
        """The hub's promises to have logged withdrawals, by certificate: kept by the regulator."""
        return self._by_certificate(connection, RECEIPT)

    def withdrawal(self, connection: Connection, certificate: bytes) -> ModelWithdrawal | None:
        """The withdrawal of the certificate with that payload hash, else None."""
        table = self._table.c
        raw = connection.execute(
            select(table.body).where(
                *self._own,
                table.kind == WITHDRAWAL,
                table.number == 0,
                table.name == certificate.hex(),
            )
        ).scalar_one_or_none()
        return None if raw is None else open_withdrawal(Signed.from_json(bytes(raw)), self.root)

    def refuse_withdrawn(self, connection: Connection, certificate: bytes) -> None:
        """Raises Refusal(withdrawn_model) when the certificate of that hash is withdrawn."""
        if self.withdrawal(connection, certificate) is not None:
            raise Refusal(Reason.WITHDRAWN_MODEL, "the regulator withdrew the model")

    def put_withdrawal(self, connection: Connection, signed: Signed) -> ModelWithdrawal | None:
        """Keeps a withdrawal and returns it; None when one of the same certificate is kept: two
        say the same, and the first one stays. Raises as `open_withdrawal`.
        """
        withdrawal = open_withdrawal(signed, self.root)
        if self.withdrawal(connection, withdrawal.certificate) is not None:
            return None
        self.put(connection, WITHDRAWAL, signed, 0, withdrawal.certificate.hex())
        return withdrawal

    def put_certificate(self, connection: Connection, signed: Signed) -> bool:
        """Keeps a verified certificate under its hash."""
        return self.put(connection, CERTIFICATE, signed, 0, signed.payload_hash.hex())


def read_batch(signed: Signed, hub: Member) -> RosterBatch:
    """A roster batch, once it is the hub's. Raises SignatureInvalid, DocumentError."""
    return RosterBatch.from_json(dsse.verify(signed, hub.signing, ROSTER_TYPE))


def sign_batch(batch: RosterBatch, key: dsse.SigningKey) -> Signed:
    """A roster batch signed by the hub."""
    return dsse.sign(ROSTER_TYPE, batch.to_json(), key)
