"""Disputes: the list with due dates, one with its course and answer, and the form to open one."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from federation.errors import DocumentError, FederationError, IdentityError
from federation.identity import SpiffeId
from federation.membership import Member
from node.days import DAY
from node.enterprise.agent import Agent
from node.enterprise.disputing import WAITING, OwnDispute, keep_dispute, look_up, own_dispute
from node.enterprise.errors import EnterpriseError
from node.enterprise.pages.consents import OWNER, PACKAGE
from node.enterprise.pages.members import MemberBook
from node.enterprise.pages.words import DISPUTES, OPENING
from node.enterprise.tables import agent_disputes
from node.enterprise.texts import OUTCOMES, STATES, outcome_title, reason_text
from node.errors import NodeError
from node.pages.parties import shown, title_of
from node.pages.site import Site
from node.pages.tables import Column, Table, fetch, read
from node.pages.visit import Visit, day, when

TONES = {"unsent": "warn", "answered": "good", "refused": "bad", "erased": "soft"}


class DisputePages:
    """The pages over one firm's agent."""

    def __init__(self, site: Site, agent: Agent, book: MemberBook) -> None:
        self._agent = agent
        self._book = book
        site.add_section("/disputes", DISPUTES["title"], "dispute", OWNER)
        site.add("/disputes", self.disputes, duties=OWNER)
        site.add("/disputes/new", self.form, duties=OWNER)
        site.add("/disputes/new", self.open, duties=OWNER, methods=("POST",))
        site.add("/disputes/one", self.dispute, duties=OWNER)
        site.add("/disputes/one/look", self.look, duties=OWNER, methods=("POST",))
        site.add("/disputes/one/proof", self.proof, duties=OWNER)

    async def disputes(self, visit: Visit) -> Response:
        """All disputes, and when their answers are due."""
        table = _table(self._book.titles(visit.language), self._agent.clock.now())

        def look(connection: Connection) -> Any:
            return fetch(connection, table, read(table, visit), "/disputes")

        listed = await self._agent.store.read(look)
        return visit.render(PACKAGE, "disputes.html.j2", words=DISPUTES, shown=listed)

    async def dispute(self, visit: Visit) -> Response:
        """One dispute."""
        return self._one(visit, await self._find(visit.query("id")))

    async def look(self, visit: Visit) -> Response:
        """Asks the holder what became of it, or sends what is not delivered."""
        return await self._look(visit, await self._find(visit.field("id")), "done")

    async def proof(self, visit: Visit) -> Response:
        """The holder's signed word, as it came."""
        own = await self._find(visit.query("id"))
        if not own.proof:
            raise HTTPException(404)
        name = f"dispute-{own.id.hex()[:12]}-{own.state}.json"
        return Response(
            own.proof,
            media_type="application/json",
            headers={
                "content-disposition": f'attachment; filename="{name}"',
                "cache-control": "no-store",
            },
        )

    async def form(self, visit: Visit) -> Response:
        """Which holder, then what is wrong."""
        return await self._form(
            visit, visit.query("chain"), visit.query("holder"), visit.query("query")
        )

    async def open(self, visit: Visit) -> Response:
        """Signs the dispute and sends it."""
        chain, holder = visit.field("chain"), visit.field("holder")
        asked, statement = visit.field("asked"), visit.field("statement")
        about = asked if visit.field("about") == "query" else ""
        features = [one for one in visit.form.getlist("features") if isinstance(one, str)]
        try:
            party, permit = SpiffeId.parse(holder), bytes.fromhex(about)
            kept = await keep_dispute(self._agent, chain, party, features, permit, statement)
        except DocumentError as error:
            name = "statement" if error.field == "statement" else "features"
            return await self._form(
                visit, chain, holder, asked, error=name, features=features, statement=statement
            )
        except (ValueError, IdentityError, EnterpriseError) as error:
            raise HTTPException(400) from error
        return await self._look(visit, await own_dispute(self._agent, kept), "sent")

    async def _look(self, visit: Visit, own: OwnDispute, notice: str) -> Response:
        try:
            await look_up(self._agent, own.id)
        except (NodeError, FederationError) as error:
            return self._one(visit, own, problem=str(error))
        return visit.redirect(f"/disputes/one?id={own.id.hex()}", notice)

    def _one(self, visit: Visit, own: OwnDispute, problem: str = "") -> Response:
        now, titles = self._agent.clock.now(), self._book.titles(visit.language)
        features = self._book.features(visit.language)
        waiting = own.state in WAITING
        return visit.render(
            PACKAGE,
            "dispute.html.j2",
            words=DISPUTES,
            own=own,
            id=own.id.hex(),
            holder=title_of(str(own.holder), titles),
            features=[features.get(one, one) for one in own.features],
            state=visit.say(STATES[own.state]),
            tone="bad" if waiting and own.overdue(now) else TONES.get(own.state, "brand"),
            outcome=outcome_title(own.outcome, visit.language),
            reason=reason_text(own, visit.language),
            waiting=waiting,
            overdue=own.overdue(now),
            left=countdown(own.due, now, visit) if waiting and own.due else "",
            problem=visit.say(DISPUTES["failed"], problem=problem) if problem else "",
        )

    async def _form(
        self,
        visit: Visit,
        chain: str,
        holder: str,
        query: str,
        *,
        error: str = "",
        features: list[str] | None = None,
        statement: str = "",
    ) -> Response:
        found = await self._book.all()
        choices = [
            (name, str(one.id), members.title(one.id, visit.language))
            for name, members in found.items()
            if not chain or name == chain
            for one in members.holders
        ]
        chosen = _chosen(found, chain, holder)
        offered = () if chosen is None else found[chain].features_of(chosen.kind)
        return visit.render(
            PACKAGE,
            "opening.html.j2",
            status=422 if error else 200,
            words=OPENING,
            choices=choices,
            reached=bool(found),
            chain=chain,
            holder=None if chosen is None else str(chosen.id),
            title=None if chosen is None else found[chain].title(chosen.id, visit.language),
            query=query if _is_hash(query) else "",
            offered=offered,
            picked=features or [],
            statement=statement,
            error=error,
        )

    async def _find(self, text: str) -> OwnDispute:
        try:
            return await own_dispute(self._agent, bytes.fromhex(text))
        except (ValueError, EnterpriseError) as error:
            raise HTTPException(404) from error


def countdown(due: int, now: int, visit: Visit) -> str:
    """How long until an answer is due, in days of China: the last one counts as today."""
    if now >= due:
        return visit.say(DISPUTES["overdue"])
    days = (due - 1 - now) // DAY
    return visit.say(DISPUTES["days_left"], days=days) if days else visit.say(DISPUTES["last_day"])


def _chosen(found: dict[str, Any], chain: str, holder: str) -> Member | None:
    if chain not in found or not holder:
        return None
    try:
        member: Member | None = found[chain].holder(SpiffeId.parse(holder))
    except IdentityError as error:
        raise HTTPException(400) from error
    return member


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def _table(titles: dict[str, str], now: int) -> Table:
    rows = agent_disputes.c

    def opened(row: Any, visit: Visit) -> Markup:
        link = Markup('<a href="/disputes/one?id={}">{}</a>')
        return link.format(bytes(row.id).hex(), when(row.opened_at))

    def state(row: Any, visit: Visit) -> Markup:
        late = row.state in WAITING and row.due is not None and now >= row.due
        tone = "bad" if late else TONES.get(row.state, "")
        badge = Markup('<span class="badge {}">{}</span>')
        return badge.format(tone, visit.say(STATES[row.state]))

    def due(row: Any, visit: Visit) -> Markup:
        if row.due is None:
            return Markup("–")
        left = countdown(row.due, now, visit) if row.state in WAITING else ""
        return Markup("{} <small>{}</small>").format(day(row.due - 1), left)

    def outcome(row: Any, visit: Visit) -> str:
        return outcome_title(row.outcome, visit.language) if row.outcome else "–"

    return Table(
        (
            Column("opened", DISPUTES["opened"], opened, "time", rows.opened_at),
            Column("holder", DISPUTES["holder"], lambda r, v: shown(r.holder, titles), "text",
                   rows.holder),
            Column("state", DISPUTES["state"], state, "choice", rows.state, choices=STATES),
            Column("due", DISPUTES["due"], due, "time", rows.due),
            Column("outcome", DISPUTES["outcome"], outcome, "choice", rows.outcome,
                   choices=OUTCOMES, hidden_on_phone=True),
        ),
        select(agent_disputes),
        rows.id,
        "-opened",
    )  # fmt: skip
