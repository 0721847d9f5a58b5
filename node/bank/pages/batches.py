"""Batches: a file that is checked line by line, how far it has come, and its results."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Connection, Row, select
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from node.bank.checking import CheckedBatch, check_batch
from node.bank.items import RUNNING, Standing, standing
from node.bank.pages.desk import FAILURES, PACKAGE, Desk, identifier_of, render, shown_problem
from node.bank.pages.desk import uploaded as text_of
from node.bank.pages.listing import Line, opened
from node.bank.pages.texts import BATCH, COMMON
from node.bank.problems import problem_of
from node.bank.tables import bank_asked, bank_batch_items, bank_batches
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Shown, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, when

MOST_BYTES: Final = 64 << 20
MOST_WRONG: Final = 100
"""Lines that are wrong and listed."""
_KEY: Final = re.compile(r"[0-9a-f]{32}")
_TONES: Final = {"running": "", "done": "good", "cancelled": "soft"}
_STATES: Final = {name: BATCH[name] for name in _TONES}
_B, _I, _A = bank_batches.c, bank_batch_items.c, bank_asked.c


@dataclass(frozen=True)
class ItemLine:
    """A question of a batch that is settled."""

    row: Row[Any]
    line: Line | None
    problem: dict[str, dict[str, Any]] | None

    def said(self, name: str, language: str) -> str:
        """A member of the problem document, empty where there is none."""
        return "" if self.problem is None else str(self.problem[language].get(name, ""))


def add_batches(site: Site, desk: Desk) -> None:
    """Adds the pages of batches."""

    async def page(visit: Visit) -> Response:
        return await _list(desk, visit)

    async def begin(visit: Visit) -> Response:
        key = visit.field("key") if _KEY.fullmatch(visit.field("key")) else secrets.token_hex(16)
        try:
            checked = await check_batch(desk.bank.agent, await text_of(visit, "file"), visit.by)
            if checked.wrong:
                return await _list(desk, visit, checked=checked)
            name = f"page {visit.viewer.account.hex()} {key}"
            batch = await desk.bank.batches.begin(checked.asks, name, visit.by)
        except FAILURES as error:
            return await _list(desk, visit, error)
        await desk.runs.start(batch)
        return visit.redirect(f"/batches/{batch.id.hex()}")

    async def one(visit: Visit) -> Response:
        return await _one(desk, visit)

    async def progress(visit: Visit) -> Response:
        identifier, found = await _standing(desk, visit)
        context = _progress(desk, identifier, found, visit)
        part = visit.fragment(PACKAGE, "progress.html.j2", words={**COMMON, **BATCH}, **context)
        # Once it is over the whole page is as it stays: its table has the last results.
        headers = {} if found.state == RUNNING else {"HX-Refresh": "true"}
        return HTMLResponse(part, headers=headers)

    async def cancel(visit: Visit) -> Response:
        identifier, _ = await _standing(desk, visit)
        await desk.bank.batches.cancel(identifier)
        return visit.redirect(f"/batches/{identifier.hex()}")

    async def export(visit: Visit) -> Response:
        identifier, _ = await _standing(desk, visit)
        table = _items(identifier)
        asked = read(table, visit)
        lines = await desk.bank.agent.read(
            lambda c: _lines(desk, c, identifier, every(c, table, asked))
        )
        return to_csv(table, lines, visit, f"batch-{identifier.hex()[:12]}")

    officer = {Duty.OFFICER}
    site.add("/batches", page, duties=officer)
    site.add("/batches", begin, duties=officer, methods=("POST",), most_bytes=MOST_BYTES)
    site.add("/batches/{id}", one, duties=officer)
    site.add("/batches/{id}/progress", progress, duties=officer)
    site.add("/batches/{id}/cancel", cancel, duties=officer, methods=("POST",))
    site.add("/batches/{id}/results.csv", export, duties=officer)


async def _standing(desk: Desk, visit: Visit) -> tuple[bytes, Standing]:
    """A batch of the viewer's own. Raises HTTPException(404)."""
    identifier = identifier_of(visit)
    found = await desk.bank.agent.read(lambda c: standing(c, identifier, desk.officer(visit)))
    if found is None:
        raise HTTPException(404)
    return identifier, found


async def _list(
    desk: Desk,
    visit: Visit,
    error: Exception | None = None,
    checked: CheckedBatch | None = None,
) -> Response:
    table = _batches(desk.officer(visit))
    shown = await desk.bank.agent.read(lambda c: fetch(c, table, read(table, visit), "/batches"))
    problem = None if error is None else problem_of(error)
    wrong = [
        (number, shown_problem(problem_of(each), visit.language))
        for number, each in (checked.wrong[:MOST_WRONG] if checked else ())
    ]
    status = 422 if checked is not None else 200 if problem is None else problem.status
    return render(
        visit,
        "batches.html.j2",
        BATCH,
        status=status,
        shown=shown,
        key=secrets.token_hex(16),
        problem=None if problem is None else shown_problem(problem, visit.language),
        wrong=wrong,
        wrong_count=len(checked.wrong) if checked else 0,
        right_count=len(checked.asks) if checked else 0,
        most=MOST_WRONG,
    )


async def _one(desk: Desk, visit: Visit) -> Response:
    identifier, found = await _standing(desk, visit)
    table, path = _items(identifier), f"/batches/{identifier.hex()}"
    asked = read(table, visit)

    def look(connection: Connection) -> Shown:
        shown = fetch(connection, table, asked, path)
        return replace(shown, rows=_lines(desk, connection, identifier, shown.rows))

    shown = await desk.bank.agent.read(look)
    context = _progress(desk, identifier, found, visit)
    return render(visit, "batch.html.j2", BATCH, shown=shown, **context)


def _progress(desk: Desk, identifier: bytes, found: Standing, visit: Visit) -> dict[str, Any]:
    left = found.seconds_left()
    eta = visit.say(BATCH["unknown"])
    if left is not None:
        unit, n = ("minutes", round(left / 60)) if left >= 100 else ("seconds", left)
        eta = visit.say(BATCH[unit], n=n)
    running = desk.runs.running(identifier)
    waiting = [
        visit.say(
            BATCH["waiting"],
            chain=one.chain or "–",
            items=one.items,
            why=one.problem.text.of(visit.language),
        )
        for one in (running.waiting.values() if running is not None else ())
    ]
    return {
        "id": identifier.hex(),
        "found": found,
        "running": found.state == RUNNING,
        "state": _STATES[found.state],
        "state_tone": _TONES[found.state],
        "remaining": found.size - found.settled,
        "eta": eta,
        "waiting": waiting,
    }


def _lines(
    desk: Desk, connection: Connection, batch: bytes, rows: Sequence[Row[Any]]
) -> list[ItemLine]:
    """Settled questions with their results; only these are opened."""
    answered = [row for row in rows if row.result is not None and row.id is not None]
    by_id = {bytes(line.row.id): line for line in opened(desk, connection, answered)}
    items = desk.bank.batches.items
    return [
        ItemLine(
            row,
            None if row.result is None else by_id.get(bytes(row.result)),
            None if row.problem is None else items.problem(batch, row.number, bytes(row.problem)),
        )
        for row in rows
    ]


def _batches(officer: bytes) -> Table:
    columns = (
        Column("created", BATCH["begun"], _link, kind="time", source=_B.created,
               raw=lambda r: r.created),
        Column("size", BATCH["size"], lambda r, v: f"{r.size:,}", kind="number", source=_B.size),
        Column("state", COMMON["state"], _state, kind="choice", source=_B.state, choices=_STATES),
    )  # fmt: skip
    rows = select(_B.id, _B.created, _B.size, _B.state).where(_B.officer == officer)
    return Table(columns, rows, _B.id, "-created")


def _items(batch: bytes) -> Table:
    columns = (
        Column("number", BATCH["number"], lambda r, v: r.row.number + 1, kind="number",
               source=_I.number, raw=lambda r: r.row.number + 1),
        Column("reference", COMMON["reference"],
               lambda r, v: r.line.reference or "–" if r.line else "–",
               raw=lambda r: r.line.reference if r.line else ""),
        Column("score", COMMON["score"], lambda r, v: r.line.score if r.line else "–",
               kind="number", raw=lambda r: r.line.score if r.line else ""),
        Column("grade", COMMON["grade"], lambda r, v: r.line.grade if r.line else "–",
               raw=lambda r: r.line.grade if r.line else ""),
        Column("problem", BATCH["problem"], _problem, raw=lambda r: r.said("title", "zh")),
        Column("query", BATCH["open_query"], _profile,
               raw=lambda r: bytes(r.row.result).hex() if r.row.result else ""),
    )  # fmt: skip
    joined = bank_batch_items.outerjoin(bank_asked, _A.id == _I.result)
    rows = (
        select(_I.number, _I.result, _I.problem, *bank_asked.columns)
        .select_from(joined)
        .where(_I.batch == batch)
    )
    return Table(columns, rows, _I.number, "number")


def _link(row: Row[Any], visit: Visit) -> Markup:
    return Markup('<a href="/batches/{}">{}</a>').format(bytes(row.id).hex(), when(row.created))


def _state(row: Row[Any], visit: Visit) -> Markup:
    said = visit.say(_STATES[row.state])
    return Markup('<span class="badge {}">{}</span>').format(_TONES[row.state], said)


def _problem(line: ItemLine, visit: Visit) -> Markup | str:
    if line.problem is None:
        return "–"
    said = line.said("title", visit.language), line.said("remedy", visit.language)
    return Markup('<span class="bad-text">{}</span> <small>{}</small>').format(*said)


def _profile(line: ItemLine, visit: Visit) -> Markup | str:
    if line.line is None:
        return "–"
    address = f"/queries/{bytes(line.row.result).hex()}"
    return Markup('<a href="{}">{}</a>').format(address, visit.say(BATCH["open_query"]))
