"""Consents that were given: the list, and one with its uses, receipts and cancellation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.enterprise.agent import Agent
from node.enterprise.errors import EnterpriseError
from node.enterprise.giving import (
    GivenConsent,
    Unreached,
    cancel_consent,
    given,
    given_consent,
    register_consent,
)
from node.enterprise.pages.members import MemberBook
from node.enterprise.pages.words import CONSENT_STATES, CONSENT_TONES, CONSENTS, PURPOSES
from node.enterprise.tables import agent_consents, agent_uses
from node.pages.duties import Duty
from node.pages.parties import shown, title_of
from node.pages.site import Site
from node.pages.tables import Column, Table, fetch, read
from node.pages.visit import Visit, day, when
from scoring.documents import Text

PACKAGE = "node.enterprise.pages"
OWNER = {Duty.OWNER}
USES = 50
"""The newest queries that a consent's page lists."""


class ConsentPages:
    """The pages over one firm's agent."""

    def __init__(self, site: Site, agent: Agent, book: MemberBook) -> None:
        self._agent = agent
        self._book = book
        site.add_section("/consents", CONSENTS["title"], "consents", OWNER)
        site.add("/consents", self.consents, duties=OWNER)
        site.add("/consents/one", self.consent, duties=OWNER)
        site.add("/consents/one/file", self.file, duties=OWNER)
        site.add("/consents/one/cancel", self.cancel, duties=OWNER, methods=("POST",))
        site.add("/consents/one/register", self.register, duties=OWNER, methods=("POST",))

    async def consents(self, visit: Visit) -> Response:
        """Every consent that was given."""
        agent, titles = self._agent, self._book.titles(visit.language)
        known: dict[bytes, GivenConsent] = {}
        table = _table(titles, known, agent.clock.now())

        def look(connection: Connection) -> Any:
            listed = fetch(connection, table, read(table, visit), "/consents")
            ids = [bytes(row.id) for row in listed.rows]
            known.update((one.consent.id, one) for one in given(agent, connection, ids))
            return listed

        listed = await agent.store.read(look)
        return visit.render(PACKAGE, "consents.html.j2", words=CONSENTS, shown=listed)

    async def consent(self, visit: Visit) -> Response:
        """One consent."""
        return await self._one(visit, visit.query("id"))

    async def file(self, visit: Visit) -> Response:
        """The consent as the bank needs it."""
        own = await self._find(visit.query("id"))
        name = f"consent-{own.consent.id.hex()[:12]}.jws"
        return Response(
            own.consent.compact,
            media_type="application/jose",
            headers={
                "content-disposition": f'attachment; filename="{name}"',
                "cache-control": "no-store",
            },
        )

    async def cancel(self, visit: Visit) -> Response:
        """Cancels it at every hub."""
        own = await self._find(visit.field("id"))
        if visit.field("sure") != "yes" and not own.cancelled_at:
            return await self._one(visit, own.consent.id.hex(), error="sure")
        _, unreached = await cancel_consent(self._agent, own.consent.id)
        if unreached:
            return await self._one(visit, own.consent.id.hex(), unreached=unreached)
        return visit.redirect(f"/consents/one?id={own.consent.id.hex()}", "done")

    async def register(self, visit: Visit) -> Response:
        """Registers it where there is no receipt yet."""
        own = await self._find(visit.field("id"))
        _, unreached = await register_consent(self._agent, own.consent.id)
        if unreached:
            return await self._one(visit, own.consent.id.hex(), unreached=unreached)
        return visit.redirect(f"/consents/one?id={own.consent.id.hex()}", "done")

    async def _one(
        self, visit: Visit, text: str, *, error: str = "", unreached: Sequence[Unreached] = ()
    ) -> Response:
        own = await self._find(text)
        now, titles = self._agent.clock.now(), self._book.titles(visit.language)
        state = own.state(now)
        table = agent_uses
        query = (
            select(table)
            .where(table.c.consent == own.consent.id)
            .order_by(table.c.time.desc(), table.c.chain, table.c.number)
            .limit(USES)
        )
        uses = await self._agent.store.read(lambda connection: connection.execute(query).all())
        return visit.render(
            PACKAGE,
            "consent.html.j2",
            status=422 if error else 200,
            words=CONSENTS,
            own=own,
            id=own.consent.id.hex(),
            bank=title_of(str(own.consent.bank), titles),
            named=[title_of(str(holder), titles) for holder in own.consent.named],
            purpose=visit.say(PURPOSES[own.consent.purpose.value]),
            state=state,
            state_title=visit.say(CONSENT_STATES[state]),
            tone=CONSENT_TONES.get(state, "soft"),
            missing=[one for one in own.consent.chains if one not in own.registered],
            problems=problems_of(visit, unreached),
            used=max(own.used.values(), default=0),
            uses=uses,
            error=error,
        )

    async def _find(self, text: str) -> GivenConsent:
        try:
            return await given_consent(self._agent, bytes.fromhex(text))
        except (ValueError, EnterpriseError) as error:
            raise HTTPException(404) from error


def problems_of(visit: Visit, unreached: Sequence[Unreached]) -> list[str]:
    """What to say of hubs that gave no receipt."""
    return [
        visit.say(
            CONSENTS["unreached"],
            chain=one.chain,
            problem=visit.say(CONSENTS["unknown_chain"])
            if one.problem == "unknown"
            else one.problem,
        )
        for one in unreached
    ]


def _table(titles: dict[str, str], known: dict[bytes, GivenConsent], now: int) -> Table:
    rows = agent_consents.c

    def given_at(row: Any, visit: Visit) -> Markup:
        link = Markup('<a href="/consents/one?id={}">{}</a>')
        return link.format(bytes(row.id).hex(), when(row.issued_at))

    def used(row: Any, visit: Visit) -> str:
        own = known[bytes(row.id)]
        return f"{max(own.used.values(), default=0)} / {row.uses}"

    def state(row: Any, visit: Visit) -> Markup:
        name = known[bytes(row.id)].state(now)
        tone, title = CONSENT_TONES.get(name, "soft"), visit.say(CONSENT_STATES[name])
        return Markup('<span class="badge {}">{}</span>').format(tone, title)

    choices = {code: Text(zh=f"{code} {t.zh}", en=f"{code} {t.en}") for code, t in PURPOSES.items()}
    return Table(
        (
            Column("given", CONSENTS["given"], given_at, "time", rows.issued_at),
            Column("bank", CONSENTS["bank"], lambda r, v: shown(r.bank, titles), "text", rows.bank),
            Column("purpose", CONSENTS["purpose"], lambda r, v: v.say(PURPOSES[r.purpose]),
                   "choice", rows.purpose, choices=choices),
            Column("chains", CONSENTS["chains"], lambda r, v: r.chains.replace(",", ", "),
                   hidden_on_phone=True),
            Column("uses", CONSENTS["uses"], used, "number"),
            Column("until", CONSENTS["until"], lambda r, v: day(r.expires), "time", rows.expires),
            Column("state", CONSENTS["state"], state),
        ),
        select(agent_consents),
        rows.id,
        "-given",
    )  # fmt: skip
