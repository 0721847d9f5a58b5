"""What the hub publishes: members, catalogues, roster, epochs. Every change is logged.

Functions for a unit of work of the hub's own database: its server and its administrator's
commands both call them, from different processes.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from federation.entries import Kind, entry
from federation.epoch import (
    Descriptor,
    Manifest,
    Opening,
    check_manifest,
    make_opening,
    read_manifest,
)
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Member, Members
from federation.roster import split
from federation.rotation import rotation_entry
from federation.signed import Signed
from federation.uscc import Uscc
from node.chain.store import BATCH, CATALOGUE, DESCRIPTOR, MANIFEST, MEMBER, OPENING, sign_batch
from node.chain.tables import chain_documents
from node.config import HubConfig
from node.errors import NodeError
from node.hub.proposals import PROGRAM, check_unpublished, end_proposal
from node.hub.tables import hub_routes
from node.runtime import Runtime
from scoring.catalogue import Catalogue

DAY = 86_400
MOST_DAYS = 800
"""From now until an epoch closes; later is a typing error."""

Hub = Runtime[HubConfig]


class PublicationError(NodeError):
    """The hub's administrator asked for what the chain's rules do not allow."""


def add_member(hub: Hub, connection: Connection, credential: Signed, address: str) -> Member:
    """Publishes a member; `address` is where the hub reaches it, empty for a bank."""
    member = Member.open_(credential, hub.identity.root.regulator_signing)
    root, own = hub.identity.root, hub.identity.id
    if (member.chain, member.id.trust_domain) != (root.chain, root.trust_domain):
        raise PublicationError(f"{member.id} is a member of {member.chain}, not of {root.chain}")
    if member.id.role is Role.HUB and member.id != own:
        raise PublicationError(f"{member.id}: a chain has one hub, and that is {own}")
    if member.id.role is Role.HOLDER and not address:
        raise PublicationError(f"{member.id}: give the address at which the hub reaches it")
    before = _newest_credential(hub, connection, member.id)
    hub.chain.put_member(connection, credential)
    if address:
        route = hub_routes.c.member == str(member.id)
        connection.execute(delete(hub_routes).where(route))
        connection.execute(insert(hub_routes).values(member=str(member.id), address=address))
    now = hub.clock.now()
    raw = entry(Kind.MEMBER, now, document=member.hash, member=member.id)
    hub.append(connection, Kind.MEMBER, raw)
    newest = _newest_credential(hub, connection, member.id)
    if before is not None and newest is not None:
        rotated = rotation_entry(before, newest, now)
        if rotated is not None:
            hub.append(connection, Kind.KEY_ROTATED, rotated)
    return member


def routes(connection: Connection) -> dict[SpiffeId, str]:
    """Where the hub reaches its holders."""
    rows = connection.execute(select(hub_routes)).all()
    return {SpiffeId.parse(row.member): row.address for row in rows}


def publish_catalogue(
    hub: Hub, connection: Connection, catalogue: Catalogue, by: str = PROGRAM
) -> None:
    """Makes a catalogue the one that the next epochs are announced with; it ends a proposal. `by`
    is the account that says so.
    """
    published = hub.chain.catalogues(connection)
    check_unpublished(catalogue, published)
    hub.chain.put_catalogue(connection, catalogue.to_json().encode(), len(published) + 1)
    end_proposal(hub, connection)
    now = hub.clock.now()
    hub.append(
        connection,
        Kind.ADMIN,
        entry(Kind.ADMIN, now, action="catalogue", by=by, document=catalogue.digest()),
    )


def enrol(
    hub: Hub, connection: Connection, codes: Iterable[Uscc], by: str = PROGRAM
) -> tuple[int, int]:
    """Enrols enterprises that are not on the roster yet; they take part from the next epoch. `by`
    is the account that says so.

    Returns how many it enrolled, and how many there are.
    """
    now = hub.clock.now()
    roster = hub.chain.roster(connection, now)
    fresh = [code for code in codes if code not in roster]
    before = roster.size
    for part in split(roster.chain, fresh):
        batch = roster.append(part)
        signed = sign_batch(batch, hub.identity.signing)
        hub.chain.put(connection, BATCH, signed, batch.number)
        raw = entry(
            Kind.ROSTER, now, document=signed.payload_hash, batch=batch.number, rows=len(part)
        )
        hub.append(connection, Kind.ROSTER, raw)
    if fresh:
        raw = entry(Kind.ADMIN, now, action="roster-enrol", by=by, rows=len(fresh))
        hub.append(connection, Kind.ADMIN, raw)
    return roster.size - before, roster.size


def announce(hub: Hub, connection: Connection, opens: int, closes: int) -> Descriptor:
    """Announces the next epoch over the roster and the catalogue as they are now."""
    now = hub.clock.now()
    roster = hub.chain.roster(connection, now)
    catalogues = _catalogues(connection)
    if not roster.size:
        raise PublicationError("roster: enrol enterprises before an epoch is announced")
    if not catalogues:
        raise PublicationError("catalogue: publish one before an epoch is announced")
    if closes <= now:
        raise PublicationError("closes: lies in the past; give a later time")
    if closes > now + MOST_DAYS * DAY:
        raise PublicationError(f"closes: more than {MOST_DAYS} days away; give an earlier time")
    numbers = hub.chain.epoch_numbers(connection)
    descriptor = Descriptor(
        chain=hub.identity.root.chain,
        epoch=(numbers[-1] if numbers else 0) + 1,
        roster_rows=roster.size,
        roster_root=roster.root,
        catalogue=catalogues[-1][0],
        opens=opens,
        closes=closes,
    )
    _publish(hub, connection, DESCRIPTOR, descriptor, now)
    return descriptor


def receive_manifest(
    hub: Hub, connection: Connection, signed: Signed, holder: SpiffeId, members: Members
) -> bytes:
    """Keeps a holder's manifest; returns the log entry that records it.

    Raises Refusal(not_open) for an epoch that is not announced, Refusal(closed) once the epoch
    has its opening, Refusal(conflict) for a second manifest.
    """
    manifest = read_manifest(signed, holder, members)
    number = manifest.epoch
    descriptor = hub.chain.descriptor(connection, number)
    if descriptor is None:
        raise Refusal(Reason.NOT_OPEN, f"epoch {number} is not announced")
    check_manifest(manifest, descriptor)
    now = hub.clock.now()
    raw = entry(Kind.MANIFEST, now, document=manifest.hash, epoch=number, holder=holder)
    known = hub.chain.manifest(connection, number, holder) is not None
    if not known and hub.chain.documents(connection, OPENING, number):
        raise Refusal(Reason.CLOSED, f"epoch {number} has its opening already")
    hub.chain.put(connection, MANIFEST, signed, number, str(holder))
    hub.append(connection, Kind.MANIFEST, raw)
    return raw


def open_epoch(hub: Hub, connection: Connection, number: int, members: Members) -> Opening:
    """Signs the opening over the manifests that have arrived. Repeating it changes nothing."""
    descriptor = hub.chain.descriptor(connection, number)
    if descriptor is None:
        raise PublicationError(f"epoch {number} is not announced")
    if hub.chain.documents(connection, OPENING, number):
        return Opening.parse(hub.chain.documents(connection, OPENING, number)[0].payload)
    manifests = arrived(hub, connection, number)
    if not manifests:
        raise PublicationError(f"epoch {number}: no holder has sent its manifest yet")
    for manifest in manifests:
        members.require(manifest.holder, Role.HOLDER)
    opening = make_opening(descriptor, manifests)
    _publish(hub, connection, OPENING, opening, hub.clock.now())
    return opening


def arrived(hub: Hub, connection: Connection, number: int) -> list[Manifest]:
    """The manifests of an epoch that have arrived; they were verified when they did."""
    signed = hub.chain.documents(connection, MANIFEST, number)
    return [Manifest.parse(document.payload) for document in signed]


def current_catalogues(hub: Hub, connection: Connection, numbers: Iterable[int]) -> list[bytes]:
    """The catalogues of these epochs and the newest one, canonical JSON, newest last."""
    wanted = {
        descriptor.catalogue
        for number in numbers
        if (descriptor := hub.chain.descriptor(connection, number)) is not None
    }
    published = _catalogues(connection)
    return [raw for digest, raw in published if digest in wanted or raw == published[-1][1]]


def _newest_credential(hub: Hub, connection: Connection, member: SpiffeId) -> Member | None:
    """The credential that counts, of those that are kept; they were verified when they came."""
    table = chain_documents.c
    row = connection.execute(
        select(table.body)
        .where(table.kind == MEMBER, table.name == str(member))
        .order_by(table.number.desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if row is None else Member.parse(Signed.from_json(bytes(row)).payload)


def _catalogues(connection: Connection) -> list[tuple[bytes, bytes]]:
    """Digest and JSON of the published catalogues, oldest first."""
    table = chain_documents.c
    rows = connection.execute(
        select(table.hash, table.body)
        .where(table.kind == CATALOGUE, table.number > 0)
        .order_by(table.number)
    ).all()
    return [(bytes(row.hash), bytes(row.body)) for row in rows]


def _publish(
    hub: Hub, connection: Connection, kind: str, document: Descriptor | Opening, now: int
) -> None:
    signed = document.sign(hub.identity.signing)
    if not hub.chain.put(connection, kind, signed, document.epoch):
        raise DocumentError(kind, f"epoch {document.epoch} is published already")
    raw = entry(Kind(kind), now, document=document.hash, epoch=document.epoch)
    hub.append(connection, Kind(kind), raw)
