"""The numbers of the result document, read off the nodes."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, select

from federation.entries import Kind, read_entry
from federation.permit import Permit
from federation.signed import Signed
from node.config import HubConfig, load
from node.demo import observed, setup
from node.demo.chains.model import catalogue_of
from node.demo.chains.network import Network
from node.demo.layout import Layout
from node.hub.tables import hub_permits
from node.storage import Store
from node.storage.schema import log_entries


def sizes(network: Network) -> dict[str, int]:
    """Holders, enrolments and columns of all chains together."""
    return {
        "holders": sum(len(layout.holders) for layout in network.chains.values()),
        "enterprises": sum(enrolled(layout) for layout in network.chains.values()),
        "columns": sum(_columns(layout) for layout in network.chains.values()),
    }


def _columns(layout: Layout) -> int:
    catalogue = catalogue_of(layout)
    return sum(sum(catalogue.bins_per_feature(kind)) for kind in layout.holders)


def enrolled(layout: Layout) -> int:
    """How many firms of its sample a chain enrols: all but the last one."""
    return len(setup.enterprises(layout)) - 1


async def chains(network: Network) -> dict[str, dict[str, int]]:
    """Of each chain its size, and the queries out of it and into it, as its hub's log has them."""
    found = {}
    for name, layout in network.chains.items():
        store = Store.open(load(HubConfig, layout.hub.config).database_url())
        try:
            out = await store.read(_routed)
            asked = await store.read(_banks)
        finally:
            store.close()
        found[name] = {
            "holders": len(layout.holders),
            "enterprises": enrolled(layout),
            "queries_out": out,
            "queries_in": sum(n for at, n in asked.items() if at != layout.trust_domain),
        }
    return found


def _routed(connection: Connection) -> int:
    entries = log_entries.c
    query = select(entries.entry).where(entries.kind == Kind.ROUTED)
    routed = [read_entry(bytes(raw)) for raw in connection.execute(query).scalars()]
    return len({entry.body["document"] for entry in routed})


def _banks(connection: Connection) -> Counter[str]:
    """Permits by the trust domain of the bank; no holder here has a permit of its own."""
    rows = connection.execute(select(hub_permits.c.permit)).scalars()
    permits = [Permit.parse(Signed.from_json(bytes(raw)).payload) for raw in rows]
    return Counter(permit.bank.trust_domain for permit in permits)


async def prepared_bytes(network: Network) -> int:
    """What the hubs sent to their own banks."""
    found = [await observed.traffic(p.hub.metrics, "Hub/Prepare") for p in network.chains.values()]
    return sum(one.sent for one in found)


def quantiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median and 95 % quantile, of two times at least."""
    return {
        "p50": round(statistics.median(milliseconds), 1),
        "p95": round(statistics.quantiles(milliseconds, n=20)[-1], 1),
    }
