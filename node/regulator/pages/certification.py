"""What is at the certification desk, and everything that was decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Connection, case, select
from starlette.responses import Response

from federation.certificate import ModelCertificate
from federation.identity import SpiffeId
from federation.signed import Signed
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, when
from node.regulator.decisions import DecisionStore
from node.regulator.membership import Regulator
from node.regulator.pages.decision import DecisionPages, state_of
from node.regulator.pages.names import Names, badge, link
from node.regulator.pages.texts_certification import CERTIFICATION, OUTCOMES, STATES
from node.regulator.tables import regulator_decisions
from node.regulator.withdrawals import delivered
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

PATH: Final = "/certification"


@dataclass
class _Looked:
    """What cells show beside their row: filled once the rows are known."""

    names: dict[bytes, str] = field(default_factory=dict)
    states: dict[bytes, str] = field(default_factory=dict)

    def fill(self, regulator: Regulator, connection: Connection, rows: Any) -> None:
        """A refused scorecard's name is sealed: it is opened for the rows that are shown."""
        store = DecisionStore(regulator.config.data_dir / "models", regulator.identity.storage)
        withdrawn = frozenset(regulator.chain.withdrawals(connection))
        told = frozenset(delivered(regulator.chain, connection))
        now = regulator.clock.now()
        for row in rows:
            if row.certificate is None:
                card = Scorecard.from_json(store.submission(connection, row.submission).scorecard)
                self.names[row.submission] = f"{card.name}@{card.version}"
                self.states[row.submission] = "refused"
                continue
            signed = Signed.from_json(bytes(row.certificate))
            certificate = ModelCertificate.parse(signed.payload)
            self.names[row.submission] = certificate.name
            self.states[row.submission] = state_of(certificate, now, withdrawn, told)


class Certification:
    """`/certification` and `/certification.csv`, and the pages on one decision."""

    def __init__(self, regulator: Regulator, waiting: Callable[[], tuple[SpiffeId, ...]]) -> None:
        self._regulator = regulator
        self._waiting = waiting

    def add(self, site: Site) -> None:
        """Adds the pages."""
        site.add(PATH, self.page, duties={Duty.INSPECTOR})
        site.add(f"{PATH}.csv", self.export, duties={Duty.INSPECTOR})
        DecisionPages(self._regulator).add(site)

    async def page(self, visit: Visit) -> Response:
        """The desk, the catalogue, and one page of the decisions."""
        regulator = self._regulator
        names = Names.of(await regulator.members())
        looked = _Looked()

        def look(connection: Connection) -> tuple[Any, Any, Any]:
            table = decision_table(names, _banks(connection, names), looked)
            shown = fetch(connection, table, read(table, visit), PATH)
            looked.fill(regulator, connection, shown.rows)
            catalogues = regulator.chain.catalogues(connection)
            _, proposed = regulator.chain.proposal(connection)
            return shown, catalogues, Catalogue.from_json(proposed) if proposed else None

        shown, catalogues, proposed = await regulator.store.read(look)
        return visit.render(
            "node.regulator.pages",
            "certification.html.j2",
            words=CERTIFICATION,
            shown=shown,
            waiting=[names.title(str(bank), visit.language) for bank in self._waiting()],
            catalogue=catalogues[-1] if catalogues else None,
            proposed=proposed,
        )

    async def export(self, visit: Visit) -> Response:
        """All rows that match."""
        regulator = self._regulator
        names = Names.of(await regulator.members())
        looked = _Looked()

        def look(connection: Connection) -> tuple[Table, Any]:
            table = decision_table(names, _banks(connection, names), looked)
            rows = every(connection, table, read(table, visit))
            looked.fill(regulator, connection, rows)
            return table, rows

        table, rows = await regulator.store.read(look)
        return to_csv(table, rows, visit, "decisions")


def decision_table(names: Names, banks: Mapping[str, Any], looked: _Looked) -> Table:
    """The table of decisions; `banks` are what its filter offers."""
    table, of = regulator_decisions.c, CERTIFICATION
    outcome = case((table.certificate.is_(None), "refused"), else_="passed")
    columns = (
        Column("decided", of["decided"],
               lambda r, v: link(f"{PATH}/{r.submission.hex()}", when(r.decided)), kind="time",
               source=table.decided, raw=lambda r: r.decided),
        Column("model", of["model"], lambda r, v: looked.names.get(r.submission, "–")),
        Column("bank", of["bank"], lambda r, v: names.title(r.bank, v.language), kind="choice",
               source=table.bank, choices=banks),
        Column("outcome", of["outcome"], lambda r, v: v.say(OUTCOMES[r.outcome]), kind="choice",
               source=outcome, choices=OUTCOMES),
        Column("state", of["state"], lambda r, v: _state(r, v, looked),
               raw=lambda r: looked.states[r.submission]),
        Column("expires", of["ends"], lambda r, v: when(r.expires), kind="time",
               source=table.expires, raw=lambda r: r.expires if r.expires else "–"),
    )  # fmt: skip
    shown = (
        table.submission, table.bank, table.decided, table.expires, table.certificate,
        outcome.label("outcome"),
    )  # fmt: skip
    return Table(columns, select(*shown), table.submission, "-decided")


def _banks(connection: Connection, names: Names) -> dict[str, Any]:
    rows = connection.execute(select(regulator_decisions.c.bank).distinct()).scalars()
    return {bank: names.text(bank) for bank in sorted(rows)}


def _state(row: Any, visit: Visit, looked: _Looked) -> Markup:
    text, tone = STATES[looked.states[row.submission]]
    return badge(visit.say(text), tone)
