"""The records of a sample, computed a second time from the holders' original files.

What a blinded query must equal is normally computed by `scoring.reference` from bins that
`node.holder.ingest` and `scoring.columns` made; a fault there would make both sides wrong
alike. So this module shares no code with them: it reads the original files with the
standard library and pyarrow, knows their headers and units itself, calculates in exact
decimals, finds bins and lays out records from the plain JSON of catalogue and scorecard.
It imports nothing of this project, and nothing of it may be imported there.

A row counts only if its credit code is valid and comes for the first time, and every cell
is either missing or possible; otherwise the holder does not know the firm by that row.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

Value = Decimal | str | None
Values = Mapping[str, Mapping[str, Mapping[str, Value]]]
"""Holder kind → credit code → feature → value in the catalogue's unit, None for missing."""

_LETTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


class _ImpossibleError(Exception):
    """A cell that no firm can have."""


def reference_records(
    sample_dir: Path, catalogue_json_path: Path, scorecard_json_path: Path
) -> dict[str, int]:
    """Return the record word of every firm of the sample, by credit code.

    The files are trusted to be what `node.sample.generate` wrote; whatever else raises.
    """
    catalogue = _json(catalogue_json_path)
    scorecard = _json(scorecard_json_path)
    dates = _json(sample_dir / "sample.json")["as_of"]
    kinds = {participant["kind"] for participant in scorecard["participants"]}
    values = {kind: _holder(sample_dir, kind, date.fromisoformat(dates[kind])) for kind in kinds}
    with (sample_dir / "enterprises.csv").open(encoding="utf-8", newline="") as file:
        roster = [row["uscc"] for row in csv.DictReader(file)]
    return records_from_values(roster, values, catalogue, scorecard)


def records_from_values(
    roster: list[str], values: Values, catalogue: Mapping[str, Any], scorecard: Mapping[str, Any]
) -> dict[str, int]:
    """Return the record word of every firm of `roster` from values and plain JSON documents.

    Numbers in the documents may be Decimal or float. A kind's firms that are not in
    `values[kind]` are unknown to its holders.
    """
    features = {(f["kind"], f["name"]): f for f in catalogue["features"]}
    kind_of = {p["holder"]: p["kind"] for p in scorecard["participants"]}
    offsets: dict[str, int] = {}
    position = 0
    for field in scorecard["fields"]:
        offsets[field["name"]] = position
        most = sum(max(e["points"]) for e in scorecard["points"] if e["field"] == field["name"])
        position += len(f"{most:b}")
    words = dict.fromkeys(roster, 0)
    for holder, kind in kind_of.items():
        entries = [e for e in scorecard["points"] if e["holder"] == holder]
        binners = [_binner(features[kind, e["feature"]]["bins"]) for e in entries]
        for code in roster:
            firm = values[kind].get(code)
            word = 0 if firm is None else 1 << position
            for entry, find in zip(entries, binners, strict=True):
                value = None if firm is None else firm.get(entry["feature"])
                word += entry["points"][find(value)] << offsets[entry["field"]]
            words[code] += word
    return words


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def _binner(bins: Mapping[str, Any]) -> Callable[[Value], int]:
    """Return what finds a value's bin: missing, specials, then intervals or categories."""
    categories = bins.get("categories") or ()
    if categories:
        places = {category: i for i, category in enumerate(categories, start=1)}
        return lambda v: 0 if v is None else places.get(str(v), len(places) + 1)
    specials = [Decimal(str(special)) for special in bins.get("specials") or ()]
    edges = [Decimal(str(edge)) for edge in bins["edges"]]

    def find(value: Value) -> int:
        if value is None:
            return 0
        if value in specials:
            return 1 + specials.index(Decimal(value))
        return 1 + len(specials) + bisect_right(edges, Decimal(value))

    return find


def _holder(folder: Path, kind: str, as_of: date) -> dict[str, dict[str, Value]]:
    key, readers = _HEADERS[kind]
    firms: dict[str, dict[str, Value]] = {}
    seen: set[str] = set()
    for row in _ROWS[kind](folder, as_of):
        code = row[key]
        if not _valid(code) or code in seen:
            continue
        seen.add(code)
        try:
            firms[code] = {f: read(row[header], as_of) for f, (header, read) in readers.items()}
        except _ImpossibleError:
            continue
    return firms


def _valid(code: str) -> bool:
    if len(code) != 18 or set(code) - set(_LETTERS):
        return False
    total = sum(_LETTERS.index(c) * 3**i for i, c in enumerate(code[:17]))
    return bool((total + _LETTERS.index(code[17])) % 31 == 0)


def _csv(name: str, encoding: str) -> Callable[[Path, date], Iterator[dict[str, Any]]]:
    def rows(folder: Path, as_of: date) -> Iterator[dict[str, Any]]:
        with (folder / name).open(encoding=encoding, newline="") as file:
            yield from csv.DictReader(file)

    return rows


def _parquet(name: str) -> Callable[[Path, date], Iterator[dict[str, Any]]]:
    def rows(folder: Path, as_of: date) -> Iterator[dict[str, Any]]:
        from pyarrow import parquet

        yield from parquet.read_table(folder / name).to_pylist()

    return rows


def _insured(folder: Path, as_of: date) -> Iterator[dict[str, Any]]:
    with closing(sqlite3.connect(folder / "social_insurance.db")) as connection:
        connection.row_factory = sqlite3.Row
        codes = dict(connection.execute("SELECT unit_id, credit_code FROM insured_unit"))
        for row in connection.execute("SELECT * FROM insured_month ORDER BY unit_id"):
            if row["month"] == as_of.isoformat()[:7]:
                yield {"credit_code": codes[row["unit_id"]], **dict(row)}


def _decimal(cell: Any, lowest: int = 0) -> Decimal | None:
    if cell is None or cell in {"", "—", "未公示", "不详", "NULL", "-9999"}:
        return None
    try:
        value = Decimal(str(cell))
    except InvalidOperation:
        raise _ImpossibleError from None
    if value < lowest:
        raise _ImpossibleError
    return value


def _plain(cell: Any, as_of: date) -> Value:
    return _decimal(cell)


def _share(cell: Any, as_of: date) -> Value:
    value = _decimal(cell)
    return None if value is None else value / 100


def _growth(cell: Any, as_of: date) -> Value:
    value = _decimal(cell, -100)
    return None if value is None else value / 100


def _times_10000(cell: Any, as_of: date) -> Value:
    value = _decimal(cell)
    return None if value is None else value * 10_000


def _yes_or_no(cell: Any, as_of: date) -> Value:
    answers = {"是": Decimal(1), "否": Decimal(0), 1: Decimal(1), 0: Decimal(0)}
    return answers[cell] if cell in answers else _decimal(cell)


def _months(cell: Any, as_of: date) -> Value:
    if cell in {"", "未公示"}:
        return None
    year, month, day = (int(part) for part in cell.split("-"))
    complete = 12 * (as_of.year - year) + as_of.month - month
    return Decimal(complete if day <= as_of.day else complete - 1)


def _words(table: Mapping[str, str]) -> Callable[[Any, date], Value]:
    return lambda cell, as_of: table.get(cell)


_INDUSTRY: Final = _words(
    {
        "农、林、牧、渔业": "A",
        "制造业": "C",
        "建筑业": "E",
        "批发和零售业": "F",
        "交通运输、仓储和邮政业": "G",
        "住宿和餐饮业": "H",
        "信息传输、软件和信息技术服务业": "I",
        "租赁和商务服务业": "L",
        "科学研究和技术服务业": "M",
        "居民服务、修理和其他服务业": "O",
    }
)
_STATUS: Final = _words({"存续": "operating", "歇业": "suspended", "吊销": "revoked"})
_GRADE: Final = _words({"A级": "A", "B级": "B", "M级": "M", "C级": "C", "D级": "D"})

_ROWS: Final[Mapping[str, Callable[[Path, date], Iterator[dict[str, Any]]]]] = {
    "registry": _csv("registry.csv", "utf-8-sig"),
    "tax": _csv("tax.csv", "utf-8-sig"),
    "invoice": _parquet("invoice.parquet"),
    "social_insurance": _insured,
    "housing_fund": _parquet("housing_fund.parquet"),
    "electricity": _csv("electricity.csv", "utf-8-sig"),
    "water": _parquet("water.parquet"),
    "courts": _csv("courts.csv", "gb18030"),
}

_Readers = Mapping[str, tuple[str, Callable[[Any, date], Value]]]
_HEADERS: Final[Mapping[str, tuple[str, _Readers]]] = {
    "registry": (
        "统一社会信用代码",
        {
            "months_since_founding": ("成立日期", _months),
            "registered_capital": ("注册资本(万元)", _times_10000),
            "paid_in_ratio": ("实缴比例(%)", _share),
            "industry": ("行业门类", _INDUSTRY),
            "status": ("登记状态", _STATUS),
            "legal_representative_changes_24m": ("近24月法定代表人变更次数", _plain),
            "shareholder_changes_24m": ("近24月股东变更次数", _plain),
            "abnormal_list": ("列入经营异常名录", _yes_or_no),
            "serious_violation": ("列入严重违法失信名单", _yes_or_no),
            "staff": ("年报从业人数", _plain),
        },
    ),
    "tax": (
        "纳税人识别号",
        {
            "credit_grade": ("纳税信用级别", _GRADE),
            "taxable_sales_12m": ("近12月应税销售额(万元)", _times_10000),
            "tax_paid_12m": ("近12月实缴税额(万元)", _times_10000),
            "sales_growth": ("销售额同比(%)", _growth),
            "tax_growth": ("税额同比(%)", _growth),
            "payment_months": ("连续纳税月数", _plain),
            "zero_declaration_months_12m": ("近12月零申报月数", _plain),
            "arrears": ("欠税余额(万元)", _times_10000),
            "late_fees_24m": ("近24月滞纳金次数", _plain),
        },
    ),
    "invoice": (
        "seller_uscc",
        {
            "invoiced_12m": ("amount_12m", _plain),
            "invoiced_growth": ("amount_yoy_pct", _growth),
            "months_with_invoices_12m": ("months_with_invoice", _plain),
            "invoices_per_month": ("invoices_monthly", _plain),
            "red_letter_share": ("red_pct", _share),
            "voided_share": ("void_pct", _share),
            "longest_gap_days": ("max_gap_days", _plain),
            "customers_12m": ("buyers", _plain),
            "largest_customer_share": ("top1_pct", _share),
        },
    ),
    "social_insurance": (
        "credit_code",
        {
            "insured_staff": ("insured", _plain),
            "staff_growth": ("insured_yoy_pct", _growth),
            "contribution_months": ("paid_months", _plain),
            "arrears_months_12m": ("arrears_months", _plain),
            "contribution_base": ("base_yuan", _plain),
            "staff_turnover_12m": ("turnover_pct", _share),
        },
    ),
    "housing_fund": (
        "unit_uscc",
        {
            "payers": ("payers", _plain),
            "monthly_amount": ("monthly_wan", _times_10000),
            "payment_months": ("paid_months", _plain),
            "deferral": ("deferral", _yes_or_no),
            "arrears_months_12m": ("arrears_months", _plain),
        },
    ),
    "electricity": (
        "用电户信用代码",
        {
            "monthly_consumption": ("月均用电量(万千瓦时)", _times_10000),
            "consumption_growth": ("用电量同比(%)", _growth),
            "utilisation": ("负荷利用率(%)", _share),
            "late_payments_12m": ("近12月逾期缴费次数", _plain),
            "mean_days_late": ("平均逾期天数", _plain),
            "theft_or_breach": ("违约用电或窃电", _yes_or_no),
            "outage_days_12m": ("近12月停电天数", _plain),
            "peak_valley_ratio": ("峰谷比", _plain),
        },
    ),
    "water": (
        "customer_uscc",
        {
            "monthly_consumption": ("m3_monthly", _plain),
            "consumption_growth": ("m3_yoy_pct", _growth),
            "late_payments_12m": ("late_payments", _plain),
            "arrears": ("arrears_yuan", _plain),
            "cut_off": ("cut_off", _yes_or_no),
        },
    ),
    "courts": (
        "被执行人信用代码",
        {
            "cases_as_defendant_24m": ("近24月被告案件数", _plain),
            "loan_disputes_24m": ("近24月借款纠纷数", _plain),
            "under_enforcement": ("被执行金额(万元)", _times_10000),
            "dishonest_debtor": ("失信被执行人", _yes_or_no),
            "consumption_limit": ("限制高消费", _yes_or_no),
            "equity_frozen": ("股权冻结", _yes_or_no),
            "bankruptcy_filed": ("破产申请", _yes_or_no),
        },
    ),
}
