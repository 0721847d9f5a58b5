"""The next catalogue, from statistics that holders signed.

The result follows from the catalogue and the documents alone, so whoever has them can compute it
again: the hub decides which statistics count, and no figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from federation.errors import DocumentError
from federation.signed import Signed
from federation.statistics import HolderStatistics, next_catalogue, read_statistics
from node.config import HubConfig
from node.runtime import Runtime
from scoring.catalogue import Catalogue


def build_catalogue(
    hub: Runtime[HubConfig],
    connection: Connection,
    catalogue: Catalogue,
    version: str,
    documents: Sequence[Signed],
) -> tuple[Catalogue, list[HolderStatistics]]:
    """The catalogue as `version` with what these statistics say, and the statistics.

    Raises SignatureInvalid or DocumentError for statistics that are no member holder's or do not
    fit the catalogue or the epoch that they name; CatalogueError where they make no figure.
    """
    members = hub.chain.members(connection, hub.clock.now())
    statistics = [read_statistics(signed, members) for signed in documents]
    for one in statistics:
        descriptor = hub.chain.descriptor(connection, one.epoch)
        if descriptor is None or (descriptor.roster_rows, descriptor.catalogue) != (
            one.rows,
            one.catalogue,
        ):
            raise DocumentError(
                "statistics.epoch",
                f"{one.epoch}, of {one.holder}, was announced with another roster or catalogue, "
                "or not at all",
                "ask the holder for statistics of an epoch of this chain",
            )
    return next_catalogue(catalogue, version, statistics), statistics
