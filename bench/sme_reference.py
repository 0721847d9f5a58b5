"""The records of the trial of `bench.sme_invoices`, computed again from the published files.

Shares no code with `bench.sme_features`, `node.holder` or `scoring`: invoices are read row by
row, features calculated in exact decimals, records laid out by `node.demo.independent`.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from node.demo.independent import Value, records_from_values

_FIRST_DAY: Final = date(2019, 2, 1)
_LAST_DAY: Final = date(2020, 1, 31)
_LAST_MONTH: Final = 2020 * 12  # January 2020, counted in months
_ZERO: Final = Decimal(0)


def reference_records(data: Path, out: Path) -> dict[str, int]:
    """Return the record word of every firm of DATA, by the credit code that OUT gives it."""
    with (out / "enterprises.csv").open(encoding="utf-8", newline="") as file:
        code_of = {row["name"]: row["uscc"] for row in csv.DictReader(file)}
    sales, purchases = _months(data)
    invoices = _invoices(data)
    values: dict[str, dict[str, dict[str, Value]]] = {}
    values["invoice"] = {
        code_of[firm]: _invoice(sales[firm]) for firm in code_of if _began(sales[firm]) is not None
    }
    values["tax"] = {
        code: _tax(sales[firm], purchases[firm], invoices[firm]) for firm, code in code_of.items()
    }
    values["trade_partners"] = {
        code: _partners(invoices[firm])
        for firm, code in code_of.items()
        if any(_in_year(i) and i["valid"] and i["total"] > 0 for i in invoices[firm])
    }
    return records_from_values(
        list(code_of.values()), values, _json(out / "catalogue.json"), _json(out / "scorecard.json")
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def _months(data: Path) -> tuple[dict[str, dict[int, Decimal]], dict[str, dict[int, Decimal]]]:
    """Return sales and purchases by firm and month; months are counted from year 0."""
    sales: dict[str, dict[int, Decimal]] = defaultdict(dict)
    purchases: dict[str, dict[int, Decimal]] = defaultdict(dict)
    with (data / "monthly.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            year, month = row["month"].split("-")
            place = int(year) * 12 + int(month) - 1
            sales[row["enterprise"]][place] = Decimal(row["sales_yuan"])
            purchases[row["enterprise"]][place] = Decimal(row["purchases_yuan"])
    return sales, purchases


def _invoices(data: Path) -> dict[str, list[dict[str, Any]]]:
    from pyarrow import parquet

    firms: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in parquet.read_table(data / "purchases.parquet").to_pylist():
        firms[row["enterprise"]].append(
            {
                "date": row["date"],
                "seller": row["seller"],
                "amount": Decimal(repr(row["amount_yuan"])),
                "tax": Decimal(repr(row["tax_yuan"])),
                "total": Decimal(repr(row["total_yuan"])),
                "valid": row["valid"] == 1,
            }
        )
    return firms


def _in_year(invoice: dict[str, Any]) -> bool:
    return bool(_FIRST_DAY <= invoice["date"] <= _LAST_DAY)


def _began(months: dict[int, Decimal]) -> int | None:
    sold = [month for month, amount in months.items() if amount > 0 and month <= _LAST_MONTH]
    return min(sold) if sold else None


def _window(months: dict[int, Decimal], back: int) -> list[Decimal]:
    """Return 12 monthly amounts, the last of them `back` months before January 2020."""
    last = _LAST_MONTH - back
    return [months.get(month, _ZERO) for month in range(last - 11, last + 1)]


def _quotient(above: Decimal, below: Decimal) -> Decimal | None:
    return above / below if below > 0 else None


def _growth(months: dict[int, Decimal]) -> Decimal | None:
    ratio = _quotient(sum(_window(months, 0), _ZERO), sum(_window(months, 12), _ZERO))
    return None if ratio is None else ratio - 1


def _variation(amounts: list[Decimal]) -> Decimal | None:
    mean = sum(amounts, _ZERO) / 12
    deviation = (sum(((a - mean) ** 2 for a in amounts), _ZERO) / 12).sqrt()
    return _quotient(deviation, mean)


def _longest(marks: Iterable[bool]) -> int:
    longest = run = 0
    for mark in marks:
        run = run + 1 if mark else 0
        longest = max(longest, run)
    return longest


def _invoice(sales: dict[int, Decimal]) -> dict[str, Value]:
    year = _window(sales, 0)
    total = sum(year, _ZERO)
    first = _began(sales)
    return {
        "sales_12m": total,
        "sales_growth": _growth(sales),
        "active_months_12m": Decimal(sum(amount > 0 for amount in year)),
        "last_quarter_share": _quotient(sum(year[-3:], _ZERO), total),
        "volatility_12m": _variation(year),
        "peak_month_share": _quotient(max(year), total),
        "longest_gap_months": Decimal(_longest(a <= 0 for a in _window(sales, 12) + year)),
        "months_known": None if first is None else Decimal(_LAST_MONTH - first),
    }


def _tax(
    sales: dict[int, Decimal], purchases: dict[int, Decimal], invoices: list[dict[str, Any]]
) -> dict[str, Value]:
    year = _window(purchases, 0)
    total = sum(year, _ZERO)
    valid = [i for i in invoices if _in_year(i) and i["valid"]]
    tax, amount = (sum((i[name] for i in valid), _ZERO) for name in ("tax", "amount"))
    both = zip(_window(sales, 12) + _window(sales, 0), _window(purchases, 12) + year, strict=True)
    return {
        "purchases_12m": total,
        "purchase_growth": _growth(purchases),
        "purchase_share": _quotient(total, sum(_window(sales, 0), _ZERO)),
        "input_tax_12m": tax,
        "input_tax_rate": _quotient(tax, amount),
        "purchase_months_12m": Decimal(sum(a > 0 for a in year)),
        "purchase_volatility": _variation(year),
        "zero_months_24m": Decimal(sum(s == 0 and p == 0 for s, p in both)),
    }


def _partners(invoices: list[dict[str, Any]]) -> dict[str, Value]:
    year = [i for i in invoices if _in_year(i)]
    valid = [i for i in year if i["valid"]]
    bought = [i for i in valid if i["total"] > 0]
    earlier = {i["seller"] for i in invoices if i["date"] < _FIRST_DAY}
    sellers: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in bought:
        sellers[invoice["seller"]] += invoice["total"]
    total = sum(sellers.values(), _ZERO)
    days = sorted({i["date"].toordinal() for i in valid})
    ends = [_FIRST_DAY.toordinal() - 1, *days, _LAST_DAY.toordinal() + 1]
    repeated = len(sellers.keys() & earlier)
    return {
        "suppliers_12m": Decimal(len(sellers)),
        "repeat_suppliers_12m": Decimal(repeated),
        "new_supplier_share": Decimal(len(sellers) - repeated) / len(sellers),
        "largest_supplier_share": max(sellers.values()) / total,
        "supplier_concentration": sum(((s / total) ** 2 for s in sellers.values()), _ZERO),
        "invoices_per_month": Decimal(len(bought)) / 12,
        "mean_invoice": total / len(bought),
        "red_letter_share": Decimal(sum(i["total"] < 0 for i in valid)) / len(valid),
        "voided_share": Decimal(len(year) - len(valid)) / len(year),
        "longest_gap_days": Decimal(max(b - a for a, b in itertools.pairwise(ends)) - 1),
        "active_days_12m": Decimal(len(days)),
    }
