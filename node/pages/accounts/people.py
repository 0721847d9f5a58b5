"""The administrator's pages: all accounts, a new one, and one account with what it may do."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup, escape
from sqlalchemy import Connection, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.pages.accounts import records, sign_ins
from node.pages.accounts.administration import Invited
from node.pages.accounts.errors import AccountError
from node.pages.accounts.gate_parts import Parts
from node.pages.accounts.records import State
from node.pages.accounts.tables import account_signins, accounts
from node.pages.accounts.words import PEOPLE, STATES
from node.pages.duties import TITLES, Duty
from node.pages.site import Site
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, when
from scoring.documents import Text

ACCOUNTS: Final = "/accounts"
_TONES: Final = {State.ACTIVE: "good", State.INVITED: "warn", State.DISABLED: "soft"}
_COLUMN: Final = accounts.c


def _duties(row: Any, visit: Visit) -> str:
    return "、".join(visit.say(TITLES[Duty(one)]) for one in row.duties.split(",") if one)


def _codes(row: Any, visit: Visit) -> str:
    key = "codes_on" if row.totp is not None else "codes_due" if row.totp_demanded else "codes_off"
    return visit.say(PEOPLE["codes_provider" if row.external is not None else key])


def _state(row: Any, visit: Visit) -> Markup:
    said = visit.say(STATES[row.state])
    return Markup('<span class="badge {}">{}</span>').format(_TONES[State(row.state)], said)


def _link(row: Any, visit: Visit) -> Markup:
    return Markup('<a href="{}/{}">{}</a>').format(ACCOUNTS, escape(row.name), row.name)


TABLE: Final = Table(
    (
        Column("name", PEOPLE["name"], _link, kind="code", source=_COLUMN.name,
               raw=lambda row: row.name),
        Column("duties", PEOPLE["duties"], _duties),
        Column("state", PEOPLE["state"], _state, kind="choice", source=_COLUMN.state,
               choices=STATES, raw=lambda row: row.state),
        Column("codes", PEOPLE["codes"], _codes, hidden_on_phone=True),
        Column("added", PEOPLE["added"], lambda row, _: when(row.added), kind="time",
               source=_COLUMN.added, raw=lambda row: row.added, hidden_on_phone=True),
        Column("signed_in", PEOPLE["signed_in"], lambda row, _: when(row.signed_in), kind="time",
               source=_COLUMN.signed_in, raw=lambda row: row.signed_in or ""),
    ),
    select(accounts), _COLUMN.name, "name",
)  # fmt: skip

SIGN_INS: Final = Table(
    (
        Column("time", PEOPLE["time"], lambda row, _: when(row.time), kind="time",
               source=account_signins.c.time, raw=lambda row: row.time),
        Column("outcome", PEOPLE["outcome"],
               lambda row, visit: visit.say(sign_ins.outcome(row.outcome)), kind="choice",
               source=account_signins.c.outcome, choices=sign_ins.OUTCOMES),
        Column("address", PEOPLE["address"], lambda row, _: row.address, kind="code",
               source=account_signins.c.address),
    ),
    select(account_signins), account_signins.c.id, "-time",
)  # fmt: skip


class People:
    """Adds the pages to a site."""

    def __init__(self, site: Site, parts: Parts) -> None:
        self._parts, self._accounts = parts, parts.accounts
        own = {Duty.ADMINISTRATOR}
        site.add(ACCOUNTS, self._list, duties=own)
        site.add(f"{ACCOUNTS}.csv", self._export, duties=own)
        site.add(f"{ACCOUNTS}/new", self._new, duties=own)
        site.add(f"{ACCOUNTS}/new", self._add, duties=own, methods=("POST",))
        site.add(f"{ACCOUNTS}/{{name}}", self._one, duties=own)
        site.add(f"{ACCOUNTS}/{{name}}", self._change, duties=own, methods=("POST",))

    async def _list(self, visit: Visit) -> Response:
        asked = read(TABLE, visit)
        shown = await self._accounts.store.read(lambda c: fetch(c, TABLE, asked, ACCOUNTS))
        return visit.render("node.pages", "accounts.html.j2", words=PEOPLE, shown=shown)

    async def _export(self, visit: Visit) -> Response:
        asked = read(TABLE, visit)
        rows = await self._accounts.store.read(lambda c: every(c, TABLE, asked))
        return to_csv(TABLE, rows, visit, "accounts")

    async def _new(self, visit: Visit) -> Response:
        return self._new_page(visit)

    async def _add(self, visit: Visit) -> Response:
        name, chosen = visit.field("name"), self._chosen(visit)
        try:
            made = await self._accounts.add(name, chosen, visit.by, totp=visit.field("totp") == "1")
        except AccountError as error:
            return self._new_page(visit, error, name, chosen)
        return self._invited(visit, made)

    async def _one(self, visit: Visit) -> Response:
        return await self._one_page(visit)

    async def _change(self, visit: Visit) -> Response:
        name, by = self._name(visit), visit.by
        try:
            match visit.field("do"):
                case "duties":
                    await self._accounts.set_duties(name, self._chosen(visit), by)
                case "disable":
                    await self._accounts.disable(name, by)
                case "enable":
                    await self._accounts.enable(name, by)
                case "demand" | "waive" as wanted:
                    await self._accounts.demand_totp(name, by, demanded=wanted == "demand")
                case "reset":
                    return self._invited(visit, await self._accounts.reset(name, by))
                case _:
                    raise HTTPException(400)
        except AccountError as error:
            return await self._one_page(visit, error)
        return visit.redirect(f"{ACCOUNTS}/{name}", "saved")

    def _new_page(
        self,
        visit: Visit,
        error: AccountError | None = None,
        name: str = "",
        chosen: frozenset[Duty] = frozenset(),
    ) -> Response:
        return visit.render(
            "node.pages",
            "accounts_new.html.j2",
            words=PEOPLE,
            status=200 if error is None else 422,
            error=error,
            typed=name,
            chosen=chosen,
            duties=self._offered(),
        )

    async def _one_page(self, visit: Visit, error: AccountError | None = None) -> Response:
        name = self._name(visit)
        asked = read(SIGN_INS, visit)

        def look(connection: Connection) -> Any:
            account = records.by_name(connection, name)
            if account is None:
                return None
            own = select(account_signins).where(account_signins.c.account == account.id)
            table = Table(SIGN_INS.columns, own, SIGN_INS.key, SIGN_INS.sort)
            return account, fetch(connection, table, asked, f"{ACCOUNTS}/{name}")

        found = await self._accounts.store.read(look)
        if found is None:
            raise HTTPException(404)
        account, shown = found
        return visit.render(
            "node.pages",
            "accounts_one.html.j2",
            words=PEOPLE,
            status=200 if error is None else 422,
            error=error,
            account=account,
            state=STATES[account.state],
            tone=_TONES[account.state],
            duties=self._offered(),
            shown=shown,
        )

    def _invited(self, visit: Visit, made: Invited) -> Response:
        """Shows the link once: it is not kept, and the page is not cached."""
        return visit.render(
            "node.pages",
            "accounts_invited.html.j2",
            words=PEOPLE,
            invited=made.account.name,
            link=f"{self._parts.address}{made.path}",
        )

    def _offered(self) -> dict[Duty, Text]:
        return {duty: TITLES[duty] for duty in Duty if duty in self._accounts.duties}

    def _chosen(self, visit: Visit) -> frozenset[Duty]:
        given = {one for one in visit.form.getlist("duty") if isinstance(one, str)}
        return frozenset(duty for duty in self._accounts.duties if duty.value in given)

    def _name(self, visit: Visit) -> str:
        return str(visit.request.path_params["name"])
