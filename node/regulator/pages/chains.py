"""The network of chains: whom this one trusts, and what passes between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.responses import Response

from node.days import DAY
from node.pages.charts import Edge, Node, network
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit, when
from node.regulator.audit.shares import reconciled_chains
from node.regulator.membership import Regulator
from node.regulator.pages.texts_chains import CHAINS, STATES
from node.regulator.peers.listing import PeerView, peer_views
from node.regulator.peers.traffic import SharesOf, shares_exchanged

_HOUR: Final = 3_600


@dataclass(frozen=True)
class _Row:
    """A peer chain as it is shown; `late` is whether its shares are overdue by a day."""

    view: PeerView
    state: str
    age: str
    traffic: dict[str, int]
    given: str
    received: str
    late: bool


class Chains:
    """`/chains`."""

    def __init__(self, regulator: Regulator) -> None:
        self._regulator = regulator

    def add(self, site: Site) -> None:
        """Adds the page."""
        site.add("/chains", self.page, duties={Duty.INSPECTOR})

    async def page(self, visit: Visit) -> Response:
        """The drawing, and a card for each chain."""
        regulator = self._regulator
        now = regulator.clock.now()

        def look(connection: Connection) -> tuple[list[PeerView], Any, Any]:
            views = peer_views(regulator, connection)
            return views, reconciled_chains(connection), shares_exchanged(connection)

        views, traffic, shares = await regulator.store.read(look)
        nothing = (SharesOf(), SharesOf())
        rows = [
            _row(
                visit,
                view,
                now,
                traffic.get(view.pin.peer, {}),
                *shares.get(view.pin.peer, nothing),
            )
            for view in views
        ]
        own = regulator.identity.root.chain
        return visit.render(
            "node.regulator.pages",
            "chains.html.j2",
            words=CHAINS,
            rows=rows,
            drawing=_drawing(visit, own, rows),
            states=STATES,
            now=now,
        )


def _row(
    visit: Visit,
    view: PeerView,
    now: int,
    traffic: dict[str, int],
    given: SharesOf,
    received: SharesOf,
) -> _Row:
    covered = traffic.get("covered", 0)
    trusted = view.pin.holds(now)
    return _Row(
        view=view,
        state=view.pin.state_at(now),
        age=_age(visit, now - view.pin.issued),
        traffic=traffic,
        given=_shares(visit, given),
        received=_shares(visit, received),
        late=trusted and bool(covered) and now - covered > DAY,
    )


def _drawing(visit: Visit, own: str, rows: list[_Row]) -> Markup:
    nodes = [Node(own, own, visit.say(CHAINS["own_note"]), "brand")]
    edges = []
    for row in rows:
        peer = row.view.pin.peer
        text, tone = STATES[row.state]
        trusted = row.state == "pinned"
        tone = "warn" if trusted and (row.view.problem or row.late) else tone
        said = CHAINS["unreached"] if trusted and row.view.problem else text
        said = CHAINS["late_share"] if trusted and row.late else said
        nodes.append(Node(peer, peer, visit.say(said), tone))
        out, in_ = row.traffic.get("outward", 0), row.traffic.get("inward", 0)
        label = visit.say(CHAINS["edge"], out=f"{out:,}", in_=f"{in_:,}")
        edges.append(Edge(own, peer, label, out + in_, tone))
    return network(nodes, edges, title=visit.say(CHAINS["network"]), language=visit.language)


def _shares(visit: Visit, of: SharesOf) -> str:
    if not of.count:
        return "–"
    return visit.say(CHAINS["shares_of"], count=f"{of.count:,}", last=when(of.last))


def _age(visit: Visit, seconds: int) -> str:
    for unit, key in ((DAY, "ago_days"), (_HOUR, "ago_hours")):
        if seconds >= 2 * unit:
            return visit.say(CHAINS[key], n=seconds // unit)
    return visit.say(CHAINS["ago_minutes"], n=max(0, seconds) // 60)
