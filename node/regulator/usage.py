"""Who used whose data in a month: counted from mirrored logs, signed by the regulator, to bill by.

A month is one of China's calendar. A permit counts in the month of its entry in the hub's log, once
however often that log has it; so does what holders and bank logged of it, whenever that was.

A row is about a bank and a provider. For a holder: `permits` are those with it in the audience,
`answered` those of which it logged an unlock, `named` those by which it was told the subject, and
`refused` the rest: refused, or not answered at all. For the hub: `permits` are those it issued,
`answered` those of which the bank logged a result, `named` as above, and `refused` the queries of
the bank that it refused.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, ClassVar, Final, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, select

from federation.auditkeys import month_start, months_later
from federation.documents import Array, Bytes32, Document, Id, Name, Part, Time
from federation.entries import Entry, Kind, read_entry
from federation.errors import DocumentError, IdentityError
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.permit import Permit
from federation.signed import Signed
from node.regulator.errors import RegulatorError
from node.regulator.mirror.books import all_logs
from node.regulator.tables import mirror_attachments, mirror_entries

PAGE: Final = 500
QUERY_METHOD: Final = "Query"
COLUMNS: Final = ("month", "bank", "provider", "permits", "answered", "named", "refused")

Count = Annotated[int, Field(ge=0)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class UsageRow(Part):
    """What one bank had of one provider (a holder, or the hub)."""

    bank: Id
    provider: Id
    permits: Count
    answered: Count
    named: Count
    refused: Count


class CountedLog(Part):
    """A mirrored log as it was when it was counted."""

    log: Id
    size: Count
    root: Bytes32


class UsageReport(Document):
    """The use of a chain in a month (`YYYY-MM`), in order of bank and provider."""

    TYPE: ClassVar[str] = "usage-report"

    chain: Name
    month: Month
    made: Time
    logs: Annotated[tuple[CountedLog, ...], Array]
    rows: Annotated[tuple[UsageRow, ...], Array]


class _Tally(NamedTuple):
    permits: Counter[tuple[str, str]]
    answered: Counter[tuple[str, str]]
    named: Counter[tuple[str, str]]
    refused: Counter[tuple[str, str]]


def usage(
    connection: Connection,
    members: Members,
    month: str,
    made: int,
    bank: SpiffeId | None = None,
    holder: SpiffeId | None = None,
    abroad: Collection[tuple[bytes, str]] = (),
) -> UsageReport:
    """Counts a month, of all or of one bank, with all providers or one holder.

    `abroad` are permits with the guest that logged a result of each, as regulators of peer chains
    shared: a guest's log is not mirrored here.

    Raises RegulatorError for a text that is no month, or one that has not begun.
    """
    begin, end = _span(month, made)
    named = frozenset(str(m.id) for m in members.of(Role.HOLDER) if m.named)
    hub = str(members.hub.id)
    tally = _Tally(Counter(), Counter(), Counter(), Counter())
    for page in _permits(connection, hub, begin, end):
        _count_page(connection, page, hub, named, tally, abroad)
    _count_refusals(connection, hub, begin, end, tally)
    pairs = sorted(tally.permits.keys() | tally.refused.keys())
    rows = [_row(tally, pair, hub) for pair in pairs]
    logs = tuple(
        CountedLog(log=SpiffeId.parse(one.log), size=one.size, root=one.root)
        for one in all_logs(connection)
    )
    chosen = tuple(
        row for row in rows if bank in (None, row.bank) and holder in (None, row.provider)
    )
    return UsageReport(chain=members.root.chain, month=month, made=made, logs=logs, rows=chosen)


def as_csv(report: UsageReport) -> bytes:
    """The rows as CSV (RFC 4180), UTF-8, a heading first."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in report.rows:
        counts = (row.permits, row.answered, row.named, row.refused)
        writer.writerow([report.month, row.bank, row.provider, *counts])
    return out.getvalue().encode()


def as_json(report: UsageReport) -> bytes:
    """The whole report as JSON, indented."""
    body = json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=2)
    return body.encode() + b"\n"


FORMATS: Final = {".csv": as_csv, ".json": as_json}
"""How a report is written, by the suffix of its file."""
SIGNATURE: Final = ".dsse"
"""What the name of a report's signature has after that of its file."""


def verify_usage(raw: bytes, signed: bytes, suffix: str, public: bytes) -> UsageReport:
    """The report in a file, once it is what the regulator signed.

    `signed` is the DSSE JSON beside it, `public` the regulator's key. Raises SignatureInvalid,
    DocumentError, or RegulatorError for a file that was changed.
    """
    report = UsageReport.open_(Signed.from_json(signed), public)
    if FORMATS[suffix](report) != raw:
        raise RegulatorError("the file is not the one that was signed; ask for it again")
    return report


def _span(month: str, now: int) -> tuple[int, int]:
    year, _, number = month.partition("-")
    try:
        count = int(year) * 100 + int(number)
        if f"{count // 100:04d}-{count % 100:02d}" != month:
            raise ValueError("another spelling")
        begin, end = month_start(count), month_start(months_later(count, 1))
    except ValueError as error:
        raise RegulatorError(f"{month!r} is no month; write it as 2027-01") from error
    if begin > now:
        raise RegulatorError(f"{month} has not begun")
    return begin, end


class _Counted(NamedTuple):
    place: int
    document: bytes
    bank: str


def _permits(
    connection: Connection, hub: str, begin: int, end: int
) -> Iterator[Sequence[_Counted]]:
    """The hub's permit entries of the month, a page at a time."""
    table = mirror_entries.c
    after = -1
    while True:
        rows = connection.execute(
            select(table.index, table.document, table.entry)
            .where(
                table.log == hub,
                table.index > after,
                table.kind == Kind.PERMIT.value,
                table.time >= begin,
                table.time < end,
                table.document.is_not(None),
            )
            .order_by(table.index)
            .limit(PAGE)
        ).all()
        if not rows:
            return
        yield [
            _Counted(index, bytes(document), str(read_entry(bytes(raw)).body.get("bank", "")))
            for index, document, raw in rows
        ]
        after = rows[-1][0]


def _count_page(
    connection: Connection,
    page: Sequence[_Counted],
    hub: str,
    named: frozenset[str],
    tally: _Tally,
    abroad: Collection[tuple[bytes, str]],
) -> None:
    documents = [one.document for one in page]
    logged, first = _counterparts(connection, documents, hub)
    granted = _granted(connection, documents)
    for one in page:
        permit = granted.get(one.document)
        if permit is None or first[one.document] != one.place or not _is_bank(one.bank):
            continue  # a finding of the audit, and nothing to bill
        told = len(permit.audience) == 1 and str(permit.audience[0]) in named
        for provider in (hub, *map(str, permit.audience)):
            pair = one.bank, provider
            answerer = one.bank if provider == hub else provider
            kind = Kind.QUERY if provider == hub else Kind.UNLOCK
            tally.permits[pair] += 1
            shared = kind is Kind.QUERY and (one.document, one.bank) in abroad
            tally.answered[pair] += shared or (kind.value, answerer) in logged[one.document]
            tally.named[pair] += told


def _counterparts(
    connection: Connection, documents: Sequence[bytes], hub: str
) -> tuple[dict[bytes, set[tuple[str, str]]], dict[bytes, int]]:
    """(kind, log) of every entry about these permits, and where the hub's log first has each."""
    table = mirror_entries.c
    logged: dict[bytes, set[tuple[str, str]]] = defaultdict(set)
    first: dict[bytes, int] = {}
    rows = connection.execute(
        select(table.document, table.log, table.index, table.kind).where(
            table.document.in_(documents)
        )
    )
    for document, log, index, kind in rows:
        name = bytes(document)
        logged[name].add((kind, log))
        if log == hub and kind == Kind.PERMIT.value:
            first[name] = min(index, first.get(name, index))
    return logged, first


def _granted(connection: Connection, documents: Sequence[bytes]) -> dict[bytes, Permit]:
    """The permits themselves; their hashes are in the hub's log, so nobody can change one."""
    table = mirror_attachments.c
    found = {}
    rows = connection.execute(select(table.hash, table.body).where(table.hash.in_(documents)))
    for digest, body in rows:
        try:
            signed = Signed.from_json(bytes(body))
            if signed.payload_hash == bytes(digest):
                found[bytes(digest)] = Permit.parse(signed.payload)
        except DocumentError:
            continue
    return found


def _count_refusals(connection: Connection, hub: str, begin: int, end: int, tally: _Tally) -> None:
    table = mirror_entries.c
    rows = connection.execute(
        select(table.entry)
        .where(
            table.log == hub,
            table.kind == Kind.REFUSAL.value,
            table.time >= begin,
            table.time < end,
        )
        .execution_options(yield_per=PAGE)
    ).scalars()
    for raw in rows:
        refused: Entry = read_entry(bytes(raw))
        caller = str(refused.body.get("caller", ""))
        if refused.body.get("method") == QUERY_METHOD and _is_bank(caller):
            tally.refused[caller, hub] += 1


def _row(tally: _Tally, pair: tuple[str, str], hub: str) -> UsageRow:
    bank, provider = pair
    permits, answered = tally.permits[pair], tally.answered[pair]
    return UsageRow(
        bank=SpiffeId.parse(bank),
        provider=SpiffeId.parse(provider),
        permits=permits,
        answered=answered,
        named=tally.named[pair],
        refused=tally.refused[pair] if provider == hub else permits - answered,
    )


def _is_bank(member: str) -> bool:
    try:
        return SpiffeId.parse(member).role is Role.BANK
    except IdentityError:
        return False
