"""All audited queries as a table, and those about one enterprise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Boolean, Connection, LargeBinary, case, func, select, type_coerce
from sqlalchemy.types import TypeDecorator
from starlette.responses import Response

from federation.certificate import ModelCertificate
from node.chain.store import CERTIFICATE, ChainStore
from node.chain.tables import chain_documents
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, when
from node.regulator.asked import queries_about
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.overview import known_banks
from node.regulator.pages.names import Names, badge, link, purpose, purposes
from node.regulator.pages.texts import YES_NO
from node.regulator.pages.texts_queries import QUERIES, SOME
from node.regulator.tables import audit_findings, audit_queries
from scoring.documents import Text

PATH: Final = "/queries"
MOST_MODELS: Final = 200
"""Models that the filter offers."""
_PASSED: Final = {"yes": QUERIES["passed"], "no": QUERIES["failed"]}


class Hex(TypeDecorator[str]):
    """Bytes that an address names in hex."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> bytes | None:
        """What is no hex is nobody's hash."""
        try:
            return None if value is None else bytes.fromhex(value)
        except ValueError:
            return b""


class YesNo(TypeDecorator[str]):
    """A truth that an address names as `yes` or `no`: an index of the column serves it."""

    impl = Boolean
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> bool | None:
        """Anything but `yes` is no."""
        return None if value is None else value == "yes"


@dataclass
class Looked:
    """What cells show beside their row: filled once the rows are known."""

    models: dict[bytes, str] = field(default_factory=dict)
    findings: dict[bytes, int] = field(default_factory=dict)

    def fill(self, connection: Connection, chain: ChainStore, rows: Collection[Any]) -> None:
        """Reads names of the rows' models, and how many findings each row has."""
        for digest in {bytes(row.model) for row in rows}:
            self.models[digest] = model_name(chain.certified(connection, digest))
        table = audit_findings.c
        counted = select(table.query, func.count()).where(table.query.is_not(None))
        if len(rows) <= MOST_MODELS:
            counted = counted.where(table.query.in_([row.id for row in rows]))
        for query, count in connection.execute(counted.group_by(table.query)):
            self.findings[bytes(query)] = count


def model_name(certificate: ModelCertificate | None) -> str:
    """A model's name; a dash for one that was never certified here."""
    return "–" if certificate is None else certificate.name


class Queries:
    """`/queries`, `/queries.csv` and `/queries/firm`."""

    def __init__(self, regulator: Regulator) -> None:
        self._regulator = regulator

    def add(self, site: Site) -> None:
        """Adds the pages."""
        duties = {Duty.INSPECTOR}
        site.add(PATH, self.page, duties=duties)
        site.add(f"{PATH}.csv", self.export, duties=duties)
        site.add(f"{PATH}/firm", self.firm, duties=duties, methods=("POST",))

    async def page(self, visit: Visit) -> Response:
        """One page of the table."""
        return await self._page(visit, {})

    async def export(self, visit: Visit) -> Response:
        """All rows that match."""
        regulator = self._regulator
        names = Names.of(await regulator.members())
        looked = Looked()

        def look(connection: Connection) -> tuple[Table, Any]:
            table = self._table(connection, names, looked, export=True)
            rows = every(connection, table, read(table, visit))
            looked.fill(connection, regulator.chain, rows)
            return table, rows

        table, rows = await regulator.store.read(look)
        return to_csv(table, rows, visit, "queries")

    async def firm(self, visit: Visit) -> Response:
        """The queries about the enterprise whose code was posted: no address has it."""
        try:
            found = await queries_about(self._regulator, visit.field("uscc"), visit.by)
        except RegulatorError:
            return await self._page(visit, {"uscc": visit.say(QUERIES["bad_uscc"])}, 422)
        names = Names.of(await self._regulator.members())
        return visit.render(
            "node.regulator.pages",
            "firm.html.j2",
            words=QUERIES,
            uscc=visit.field("uscc").upper(),
            found=list(reversed(found)),
            names=names,
            purpose=lambda code: purpose(code, visit.language),
        )

    async def _page(self, visit: Visit, errors: Mapping[str, str], status: int = 200) -> Response:
        regulator = self._regulator
        names = Names.of(await regulator.members())
        looked = Looked()

        def look(connection: Connection) -> Any:
            table = self._table(connection, names, looked)
            shown = fetch(connection, table, read(table, visit), PATH)
            looked.fill(connection, regulator.chain, shown.rows)
            return shown

        shown = await regulator.store.read(look)
        return visit.render(
            "node.regulator.pages",
            "queries.html.j2",
            status=status,
            words=QUERIES,
            shown=shown,
            errors=errors,
        )

    def _table(
        self, connection: Connection, names: Names, looked: Looked, *, export: bool = False
    ) -> Table:
        banks = {bank: names.text(bank) for bank in known_banks(connection)}
        models = _models(connection, self._regulator.chain)
        return query_table(names, banks, models, looked, export=export)


def query_table(
    names: Names,
    banks: Mapping[str, Text],
    models: Mapping[str, Text],
    looked: Looked,
    *,
    export: bool = False,
) -> Table:
    """The table; `banks` and `models` are what its filters offer. An `export` has the hashes."""
    table, of = audit_queries.c, QUERIES
    found = select(audit_findings.c.query).where(audit_findings.c.query.is_not(None))
    shown = (
        table.id, table.time, table.bank, table.officer, table.purpose, table.model, table.epoch,
        table.consent.is_not(None).label("consented"), table.named, table.verified,
    )  # fmt: skip
    columns = (
        Column("time", of["time"], lambda r, v: link(f"{PATH}/{r.id.hex()}", when(r.time)),
               kind="time", source=table.time, raw=lambda r: r.time),
        Column("bank", of["bank"], lambda r, v: names.title(r.bank, v.language), kind="choice",
               source=table.bank, choices=banks),
        Column("purpose", of["purpose"], lambda r, v: purpose(r.purpose, v.language),
               kind="choice", source=table.purpose, choices=purposes()),
        Column("officer", of["officer"], lambda r, v: r.officer or "–", source=table.officer),
        Column("model", of["model"], lambda r, v: looked.models.get(r.model, "–"), kind="choice",
               source=type_coerce(table.model, Hex()), choices=models),
        Column("verified", of["verified"], _verified, kind="choice",
               source=type_coerce(table.verified, YesNo()), choices=_PASSED,
               raw=lambda r: "yes" if r.verified else "no"),
        Column("findings", of["findings"], lambda r, v: _count(r, looked), kind="choice",
               source=_said(table.id.in_(found)), choices=SOME,
               raw=lambda r: looked.findings.get(r.id, 0)),
        Column("consent", of["consent"], lambda r, v: _yes(v, r.consented), kind="choice",
               source=_said(table.consent.is_not(None)), choices=YES_NO, hidden_on_phone=True),
        Column("named", of["named"], lambda r, v: _yes(v, r.named), kind="choice",
               source=type_coerce(table.named, YesNo()), choices=YES_NO, hidden_on_phone=True),
        Column("epoch", of["epoch"], lambda r, v: r.epoch, kind="number", source=table.epoch,
               hidden_on_phone=True),
        *((Column("id", of["query"], lambda r, v: r.id.hex()),) if export else ()),
    )  # fmt: skip
    return Table(columns, select(*shown), table.id, "-time")


def _models(connection: Connection, chain: ChainStore) -> dict[str, Text]:
    """Certified models, by the certificate's hash in hex."""
    found = {}
    table = chain_documents.c
    hashes = select(table.hash).where(table.kind == CERTIFICATE).order_by(table.hash)
    for digest in connection.execute(hashes.limit(MOST_MODELS)).scalars():
        certificate = chain.certified(connection, bytes(digest))
        if certificate is not None:
            name = f"{certificate.name} ({certificate.bank.name})"
            found[bytes(digest).hex()] = Text(zh=name, en=name)
    return dict(sorted(found.items(), key=lambda one: one[1].en))


def _said(condition: Any) -> Any:
    return case((condition, "yes"), else_="no")


def _yes(visit: Visit, value: bool) -> str:
    return visit.say(YES_NO["yes" if value else "no"])


def _verified(row: Any, visit: Visit) -> Markup:
    key, tone = ("passed", "good") if row.verified else ("failed", "bad")
    return badge(visit.say(QUERIES[key]), tone)


def _count(row: Any, looked: Looked) -> object:
    count = looked.findings.get(row.id, 0)
    return badge(str(count), "warn") if count else "0"
