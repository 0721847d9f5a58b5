"""Other chains: pins, the age of their directories, and the queries to and from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from starlette.responses import Response

from federation.interchain.directory import Directory
from federation.interchain.pin import Pin
from federation.signed import Signed
from node.days import DAY, day_start
from node.hub.pages.texts import CHAINS, PIN_STATES
from node.hub.publication import Hub
from node.hub.tables import hub_directories
from node.hub.usage import QUERIES, totals
from node.pages.charts import Edge, Node, network
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit

DAYS = 30
HOUR = 3600


@dataclass(frozen=True)
class PeerRow:
    """A peer chain. `directory` is the kept one, `stale` whether it is too old to be used;
    `sent` and `received` are the queries of 30 days.
    """

    pin: Pin
    state: str
    directory: Directory | None
    stale: bool
    sent: int
    received: int

    @property
    def problem(self) -> bool:
        """Whether queries to it would be refused, though its pin was not withdrawn."""
        return self.state == "expired" or (self.state == "pinned" and self.stale)


def add(site: Site, hub: Hub) -> None:
    """Adds the page."""

    async def chains(visit: Visit) -> Response:
        now = hub.clock.now()
        rows = await hub.store.read(lambda connection: peer_rows(hub, connection, now))
        return visit.render(
            "node.hub.pages",
            "chains.html.j2",
            words=CHAINS,
            rows=rows,
            states=PIN_STATES,
            chart=_network(hub, rows, visit) if rows else "",
            hours=hub.config.peers.directory_hours,
        )

    site.add_section("/chains", CHAINS["title"], "routes", {Duty.OPERATOR})
    site.add("/chains", chains, duties={Duty.OPERATOR})


def peer_rows(hub: Hub, connection: Connection, now: int) -> list[PeerRow]:
    """Every chain that was ever pinned, by name."""
    pins = hub.chain.pins(connection)
    if not pins:
        return []
    kept = _directories(connection)
    begin = day_start(now) - (DAYS - 1) * DAY
    sent, received = Counter[str](), Counter[str]()
    for one in totals(connection, begin, now + DAY):
        home = one.bank.split("/")[2]
        if one.party == QUERIES:
            received[home] += one.count
        elif "/hub/" in one.party:
            sent[one.party.split("/")[2]] += one.count
    oldest = now - round(hub.config.peers.directory_hours * HOUR)
    rows = []
    for name, pin in sorted(pins.items()):
        directory, domain = kept.get(name), pin.trust().yinxin_trust_domain
        stale = directory is None or directory.issued < oldest
        counts = (sent[domain], received[domain])
        rows.append(PeerRow(pin, pin.state_at(now), directory, stale, *counts))
    return rows


def _directories(connection: Connection) -> dict[str, Directory]:
    table = hub_directories.c
    rows = connection.execute(select(table.chain, table.directory)).all()
    # Parsed, not verified: they were when they came.
    return {
        row.chain: Directory.parse(Signed.from_json(bytes(row.directory)).payload) for row in rows
    }


def _network(hub: Hub, rows: Sequence[PeerRow], visit: Visit) -> Any:
    own = hub.identity.root.chain
    nodes = [Node(own, own, visit.say(CHAINS["own"]), "brand")]
    edges = []
    for row in rows:
        text, tone = PIN_STATES[row.state]
        peer, bad = row.pin.peer, row.problem
        nodes.append(Node(peer, peer, visit.say(text), "bad" if bad else tone))
        for start, end, count in ((own, peer, row.sent), (peer, own, row.received)):
            if count:
                edges.append(Edge(start, end, f"{count:,}", count, "brand"))
        if not row.sent and not row.received:
            edges.append(Edge(own, peer, "0", 0, "soft"))
    title = visit.say(CHAINS["network"])
    return network(nodes, edges, title=title, language=visit.language)
