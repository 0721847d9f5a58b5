"""Findings as a table, and one finding with its evidence, to decide about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Connection, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from federation.audit.findings import ID_BYTES, FindingKind
from federation.canonical import unb64
from federation.errors import DocumentError
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Shown, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, when
from node.regulator.errors import RegulatorError
from node.regulator.findings import (
    Decided,
    FindingState,
    KeptFinding,
    decide,
    decisions,
    kept_finding,
)
from node.regulator.membership import Regulator
from node.regulator.pages.names import Names, badge, hash_of, link
from node.regulator.pages.texts import SEVERITY, SEVERITY_TONES, STATE, STATE_TONES
from node.regulator.pages.texts_findings import EVIDENCE, FINDING, FINDINGS
from node.regulator.tables import audit_findings
from scoring.documents import Text

PATH: Final = "/findings"
ONE: Final = f"{PATH}/{{id}}"
MOST_NOTE: Final = 2_000
MOST_SUBJECTS: Final = 500
_DIGITS: Final = 10
_FIRST_TIME: Final = 1_000_000_000
"""Numbers from it on are times (unix seconds), as evidence has them."""
_HASHES: Final = frozenset({"model", "ctx", "permit", "document", "consent", "certificate"})
KINDS: Final = {kind.value: Text(**kind.titles) for kind in FindingKind}


class Findings:
    """`/findings`, `/findings.csv` and `/findings/{id}`."""

    def __init__(self, regulator: Regulator) -> None:
        self._regulator = regulator

    def add(self, site: Site) -> None:
        """Adds the pages."""
        duties = {Duty.INSPECTOR}
        site.add(PATH, self.page, duties=duties)
        site.add(f"{PATH}.csv", self.export, duties=duties)
        site.add(ONE, self.one, duties=duties)
        site.add(ONE, self.decide, duties=duties, methods=("POST",))

    async def page(self, visit: Visit) -> Response:
        """One page of the table."""
        names = Names.of(await self._regulator.members())

        def look(connection: Connection) -> Shown:
            table = finding_table(names, _subjects(connection, names))
            return fetch(connection, table, read(table, visit), PATH)

        shown = await self._regulator.store.read(look)
        return visit.render("node.regulator.pages", "findings.html.j2", words=FINDINGS, shown=shown)

    async def export(self, visit: Visit) -> Response:
        """All rows that match."""
        names = Names.of(await self._regulator.members())

        def look(connection: Connection) -> tuple[Table, Sequence[Any]]:
            table = finding_table(names, _subjects(connection, names))
            return table, every(connection, table, read(table, visit))

        table, rows = await self._regulator.store.read(look)
        return to_csv(table, rows, visit, "findings")

    async def one(self, visit: Visit) -> Response:
        """A finding with its evidence."""
        return await self._one(visit, {})

    async def decide(self, visit: Visit) -> Response:
        """Records the decision, as the command does."""
        id_, note = hash_of(visit, size=ID_BYTES), visit.field("note")
        errors = {}
        if visit.field("state") not in (FindingState.EXPLAINED, FindingState.CONFIRMED):
            errors["state"] = visit.say(FINDING["no_choice"])
        if not note:
            errors["note"] = visit.say(FINDING["no_note"])
        elif len(note) > MOST_NOTE:
            errors["note"] = visit.say(FINDING["long_note"])
        if errors:
            return await self._one(visit, errors, 422)
        try:
            await decide(self._regulator, id_, FindingState(visit.field("state")), note, visit.by)
        except RegulatorError as error:
            raise HTTPException(404) from error
        return visit.redirect(f"{PATH}/{id_.hex()}", "saved")

    async def _one(self, visit: Visit, errors: Mapping[str, str], status: int = 200) -> Response:
        id_ = hash_of(visit, size=ID_BYTES)

        def look(connection: Connection) -> tuple[KeptFinding, list[Decided]]:
            return kept_finding(connection, id_), decisions(connection, id_)

        try:
            found, history = await self._regulator.store.read(look)
        except RegulatorError as error:
            raise HTTPException(404) from error
        names = Names.of(await self._regulator.members())
        return visit.render(
            "node.regulator.pages",
            "finding.html.j2",
            status=status,
            words=FINDING,
            found=found,
            history=history,
            evidence=_evidence(visit, found, names),
            errors=errors,
            kinds=KINDS,
            severities=SEVERITY,
            severity_tones=SEVERITY_TONES,
            states=STATE,
            state_tones=STATE_TONES,
            names=names,
            state=visit.field("state") or found.state.value,
            note=visit.field("note") if errors else found.note,
        )


def finding_table(names: Names, subjects: Mapping[str, Text]) -> Table:
    """The table of all findings; `subjects` are whom its filter offers."""
    table, of = audit_findings.c, FINDINGS
    columns = (
        Column("first_seen", of["first_seen"],
               lambda r, v: link(f"{PATH}/{r.id.hex()}", when(r.first_seen)), kind="time",
               source=table.first_seen, raw=lambda r: r.first_seen),
        Column("kind", of["what"], _what, kind="choice",
               source=table.kind, choices=KINDS),
        Column("severity", of["severity"], _severity, kind="choice", source=table.severity,
               choices=SEVERITY, raw=lambda r: r.severity),
        Column("state", of["state"], _state, kind="choice", source=table.state, choices=STATE,
               raw=lambda r: r.state),
        Column("subject", of["subject"], lambda r, v: names.title(r.subject, v.language),
               kind="choice", source=table.subject, choices=subjects, raw=lambda r: r.subject),
        Column("query", of["query"], _query, raw=lambda r: r.query.hex() if r.query else ""),
        Column("note", of["note"], lambda r, v: r.note, hidden_on_phone=True),
    )  # fmt: skip
    shown = (
        table.id, table.first_seen, table.kind, table.severity, table.state, table.subject,
        table.query, table.note,
    )  # fmt: skip
    return Table(columns, select(*shown), table.id, "-first_seen")


def _subjects(connection: Connection, names: Names) -> dict[str, Text]:
    """Whom any finding is about; of another chain's members, too."""
    rows = connection.execute(select(audit_findings.c.subject).distinct().limit(MOST_SUBJECTS))
    return {one: names.text(one) for one in sorted(rows.scalars())}


def _severity(row: Any, visit: Visit) -> Markup:
    return badge(visit.say(SEVERITY[row.severity]), SEVERITY_TONES[row.severity])


def _state(row: Any, visit: Visit) -> Markup:
    return badge(visit.say(STATE[row.state]), STATE_TONES[row.state])


def _query(row: Any, visit: Visit) -> object:
    if row.query is None:
        return "–"
    return link(f"/queries/{row.query.hex()}", row.query.hex()[:_DIGITS])


def _hex(value: str) -> str:
    """A hash as pages show all hashes; what a peer's regulator wrote instead of one, as it is."""
    try:
        return unb64(value, "evidence").hex()
    except DocumentError:
        return value


def _what(row: Any, visit: Visit) -> Markup:
    return Markup('<span class="wraps">{}</span>').format(visit.say(KINDS[row.kind]))


def _evidence(visit: Visit, found: KeptFinding, names: Names) -> list[tuple[str, str]]:
    """What stands in the evidence, each with its name in words."""
    rows = []
    for key, value in found.evidence.items():
        title = visit.say(EVIDENCE[key]) if key in EVIDENCE else key
        if isinstance(value, int) and value >= _FIRST_TIME:
            shown = when(value)
        elif str(value).startswith("spiffe://"):
            shown = f"{names.title(str(value), visit.language)} ({names.short(str(value))})"
        elif key in _HASHES:
            shown = _hex(str(value))
        else:
            shown = str(value)
        rows.append((title, shown))
    return rows
