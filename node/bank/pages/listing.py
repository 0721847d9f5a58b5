"""The officer's own queries: sorted and filtered by the index, opened only where they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Connection, Row, select
from starlette.responses import Response

from node.bank.asked import AskedKind
from node.bank.pages.desk import (
    GRADE_TONES,
    PURPOSES,
    STATE_TONES,
    STATES,
    Desk,
    render,
)
from node.bank.pages.texts import LIST
from node.bank.tables import bank_asked
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Shown, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, when

_OPENED_AT_ONCE: Final = 500
_A: Final = bank_asked.c


@dataclass(frozen=True)
class Line:
    """A question, with what it came to. `score` is a text: several chains have several."""

    row: Row[Any]
    reference: str
    score: str = ""
    grade: str = ""


def add_listing(site: Site, desk: Desk) -> None:
    """Adds the list and its export."""

    async def page(visit: Visit) -> Response:
        table = _table(desk, desk.officer(visit))
        asked = read(table, visit)

        def look(connection: Connection) -> Shown:
            shown = fetch(connection, table, asked, "/queries")
            return replace(shown, rows=opened(desk, connection, shown.rows))

        shown = await desk.bank.agent.read(look)
        return render(visit, "queries.html.j2", LIST, shown=shown)

    async def export(visit: Visit) -> Response:
        table = _table(desk, desk.officer(visit))
        asked = read(table, visit)
        lines = await desk.bank.agent.read(lambda c: opened(desk, c, every(c, table, asked)))
        return to_csv(table, lines, visit, "queries")

    site.add("/queries", page, duties={Duty.OFFICER})
    site.add("/queries.csv", export, duties={Duty.OFFICER})


def opened(desk: Desk, connection: Connection, rows: Sequence[Row[Any]]) -> list[Line]:
    """The questions with their scores, which are opened for these rows only."""
    index = desk.bank.queries.ledger.index
    found: dict[bytes, Line] = {}
    for start in range(0, len(rows), _OPENED_AT_ONCE):
        part = rows[start : start + _OPENED_AT_ONCE]
        by_kind: dict[str, list[bytes]] = {AskedKind.QUERY: [], AskedKind.JOINT: []}
        for row in part:
            if row.state == "answered":
                by_kind[row.kind].append(bytes(row.id))
        results = desk.bank.queries.ledger.some(connection, by_kind[AskedKind.QUERY])
        profiles = {digest: [one.content["result"]["profile"]] for digest, one in results.items()}
        for digest, joint in desk.bank.joint.some(connection, by_kind[AskedKind.JOINT]).items():
            profiles[digest] = [record["profile"] for record in joint["records"]]
        for row in part:
            known = profiles.get(bytes(row.id), [])
            score = " / ".join(str(one["score"]) for one in known)
            grade = " / ".join(one["grade"] for one in known)
            found[bytes(row.id)] = Line(row, index.named(row), score, grade)
    return [found[bytes(row.id)] for row in rows]


def _table(desk: Desk, officer: bytes) -> Table:
    index = desk.bank.queries.ledger.index
    columns = (
        Column("time", LIST["time"], _link, kind="time", source=_A.time, raw=lambda r: r.row.time),
        Column("reference", LIST["reference"], lambda r, v: r.reference or "–",
               match=lambda text: _A.reference == index.reference(text),
               raw=lambda r: r.reference),
        Column("purpose", LIST["purpose"], _purpose, kind="choice", source=_A.purpose,
               choices=PURPOSES, raw=lambda r: r.row.purpose),
        Column("model", LIST["model"], lambda r, v: r.row.model, kind="code", source=_A.model,
               raw=lambda r: r.row.model),
        Column("chain", LIST["chain"], lambda r, v: r.row.chain, hidden_on_phone=True,
               raw=lambda r: r.row.chain),
        Column("score", LIST["score"], lambda r, v: r.score or "–", kind="number",
               raw=lambda r: r.score),
        Column("grade", LIST["grade"], _grade, raw=lambda r: r.grade),
        Column("state", LIST["state"], _state, kind="choice", source=_A.state, choices=STATES,
               raw=lambda r: r.row.state),
    )  # fmt: skip
    rows = select(bank_asked).where(_A.officer == officer, _A.part_of.is_(None))
    return Table(columns, rows, _A.id, "-time")


def _link(line: Line, visit: Visit) -> Markup:
    address = f"/queries/{bytes(line.row.id).hex()}"
    return Markup('<a href="{}">{}</a>').format(address, when(line.row.time))


def _purpose(line: Line, visit: Visit) -> str:
    known = PURPOSES.get(line.row.purpose)
    return str(line.row.purpose) if known is None else visit.say(known)


def _grade(line: Line, visit: Visit) -> Markup | str:
    if not line.grade:
        return "–"
    if line.row.kind == AskedKind.JOINT:
        return line.grade
    tone = GRADE_TONES[line.grade]
    return Markup('<span class="badge {}">{}</span>').format(tone, line.grade)


def _state(line: Line, visit: Visit) -> Markup:
    state = line.row.state
    return Markup('<span class="badge {}">{}</span>').format(
        STATE_TONES[state], visit.say(STATES[state])
    )
