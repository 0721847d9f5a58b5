"""What the hub's operators see of epochs, log and what it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select

from federation.auditkeys import calendar_month, months_later
from federation.canonical import unb64
from federation.entries import Entry, Kind, read_entry
from federation.epoch import Descriptor
from federation.identity import SpiffeId
from node.chain.store import OPENING
from node.hub import publication
from node.hub.publication import Hub
from node.hub.tables import hub_uses
from node.log.tables import log_cosignatures
from node.storage.schema import log_entries

EpochState = Literal["announced", "open", "closed"]
_COSIGNATURES = 400
"""The newest ones that are looked at: those of many rounds, whatever the number of witnesses."""


@dataclass(frozen=True)
class EpochStatus:
    """An epoch, and the holders whose manifests have arrived."""

    descriptor: Descriptor
    state: EpochState
    holders: tuple[SpiffeId, ...]


def epoch_status(hub: Hub, connection: Connection, number: int) -> EpochStatus | None:
    """An epoch as it is now; None for one that is not announced."""
    descriptor = hub.chain.descriptor(connection, number)
    if descriptor is None:
        return None
    # Its own signature, whoever is a member since: old epochs are shown as they were.
    opened = bool(hub.chain.documents(connection, OPENING, number))
    over = hub.clock.now() >= descriptor.closes
    state: EpochState = "closed" if over else "open" if opened else "announced"
    holders = tuple(m.holder for m in publication.arrived(hub, connection, number))
    return EpochStatus(descriptor, state, holders)


@dataclass(frozen=True)
class Cosigned:
    """The newest checkpoint of the hub's log that a witness cosigned; time in unix seconds."""

    witness: str
    size: int
    time: int


def cosigned(connection: Connection) -> list[Cosigned]:
    """What each witness cosigned last, in order of their ids."""
    table = log_cosignatures.c
    rows = connection.execute(
        select(table.witness, table.size, table.time)
        .order_by(table.size.desc())
        .limit(_COSIGNATURES)
    ).all()
    found: dict[str, Cosigned] = {}
    for row in rows:
        found.setdefault(row.witness, Cosigned(row.witness, row.size, row.time))
    return [found[witness] for witness in sorted(found)]


def newest_entries(connection: Connection, kind: Kind, most: int) -> list[Entry]:
    """The newest entries of a kind in the hub's log, newest first."""
    table = log_entries.c
    rows = connection.execute(
        select(table.entry).where(table.kind == kind.value).order_by(table.index.desc()).limit(most)
    ).scalars()
    return [read_entry(bytes(raw)) for raw in rows]


def document_of(entry: Entry) -> bytes:
    """The hash of the document that an entry names. Raises DocumentError where it names none."""
    return unb64(str(entry.body.get("document", "")), "document")


@dataclass(frozen=True)
class Retention:
    """What is kept of which months (YYYYMM): uses by month, and the first month that has to be
    kept, so that those before it may be erased.
    """

    years: int
    keep_from: int
    uses: tuple[tuple[int, int], ...]

    @property
    def due(self) -> tuple[tuple[int, int], ...]:
        """The months that may be erased, with their uses."""
        return tuple((month, count) for month, count in self.uses if month < self.keep_from)


def retention(hub: Hub, connection: Connection) -> Retention:
    """What of the firms' lists of uses is kept, and for how long it must be."""
    years = hub.config.retention_years
    keep_from = months_later(calendar_month(hub.clock.now()), -12 * years)
    table = hub_uses.c
    rows = connection.execute(
        select(table.month, func.count()).group_by(table.month).order_by(table.month)
    ).all()
    return Retention(years, keep_from, tuple((int(month), int(count)) for month, count in rows))
