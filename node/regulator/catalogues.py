"""The catalogue that a scorecard is of, by its version."""

from __future__ import annotations

from sqlalchemy import Connection, select

from federation.errors import Reason, Refusal
from node.chain import ChainSync
from node.chain.store import CATALOGUE
from node.chain.tables import chain_documents
from node.regulator.membership import Regulator
from scoring.catalogue import Catalogue


async def find_catalogue(regulator: Regulator, sync: ChainSync | None, version: str) -> Catalogue:
    """The chain's catalogue of that version; `sync` brings the copy of the chain up to date where
    it is not known yet. Raises Refusal(wrong_context).
    """
    found = await regulator.store.read(lambda c: _find(regulator, c, version))
    if found is None and sync is not None:
        await sync.sync()
        found = await regulator.store.read(lambda c: _find(regulator, c, version))
    if found is None:
        raise Refusal(Reason.WRONG_CONTEXT, f"no one catalogue of version {version} is known")
    return found


def _find(regulator: Regulator, connection: Connection, version: str) -> Catalogue | None:
    chain, table = regulator.chain, chain_documents.c
    rows = connection.execute(
        select(table.hash).where(table.kind == CATALOGUE).order_by(table.number)
    ).scalars()
    known = {digest: chain.catalogue(connection, digest) for digest in map(bytes, rows)}
    fitting = [d for d, catalogue in known.items() if catalogue.version == version]
    if len(fitting) > 1:
        # Published again under the same version: the newest epoch says which one holds.
        numbers = chain.epoch_numbers(connection)
        newest = chain.descriptor(connection, numbers[-1]) if numbers else None
        fitting = [d for d in fitting if newest and d == newest.catalogue]
    return known[fitting[0]] if fitting else None
