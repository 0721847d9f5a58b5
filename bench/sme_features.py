"""Features of the 123 anonymised firms, for three holders, from the published files.

The invoices end in February 2020, so the year before is 2019-02 to 2020-01, and the year
before that 2018-02 to 2019-01; a month earlier both begin in January. A holder gives only what
it could know: the invoice platform the firm's sales, the tax bureau its declarations and input
tax, the trade partners' platform what suppliers invoiced to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl


@dataclass(frozen=True)
class Window:
    """The year that features are about: twelve months, the last one that of `as_of`."""

    as_of: date
    """The last day of a month."""

    @property
    def start(self) -> date:
        """The year's first day."""
        return date.fromisoformat(self.year[0] + "-01")

    @property
    def year(self) -> list[str]:
        """The year's months, YYYY-MM."""
        return self._months(0)

    @property
    def before(self) -> list[str]:
        """The months of the year before."""
        return self._months(12)

    def _months(self, back: int) -> list[str]:
        last = self.as_of.year * 12 + self.as_of.month - 1 - back
        return [f"{m // 12}-{m % 12 + 1:02d}" for m in range(last - 11, last + 1)]


NOW: Final = Window(date(2020, 1, 31))
MONTH_BEFORE: Final = Window(date(2019, 12, 31))


def monthly_table(folder: Path, window: Window = NOW) -> pl.DataFrame:
    """Return enterprise, month, sales, purchases for every firm and the 24 months, gaps as 0."""
    firms = pl.read_csv(folder / "enterprises.csv").select("enterprise")
    months = pl.DataFrame({"month": window.before + window.year})
    known = pl.read_csv(folder / "monthly.csv").rename(
        {"sales_yuan": "sales", "purchases_yuan": "purchases"}
    )
    return (
        firms.join(months, how="cross")
        .join(known, on=["enterprise", "month"], how="left")
        .with_columns(pl.col("sales", "purchases").fill_null(0.0))
        .sort("enterprise", "month")
    )


def invoice(folder: Path, window: Window = NOW) -> pl.DataFrame:
    """The invoice platform: what the firm sold."""
    table = monthly_table(folder, window)
    first = (
        pl.read_csv(folder / "monthly.csv")
        .filter(pl.col("sales_yuan") > 0)
        .group_by("enterprise")
        .agg(pl.col("month").min().alias("first"))
    )
    gaps = _longest_runs(table.with_columns((pl.col("sales") <= 0).alias("idle")))
    return (
        _year(table, "sales", window)
        .join(gaps, on="enterprise")
        .join(first, on="enterprise")
        .filter(pl.col("first") <= window.year[-1])
        .select(
            "enterprise",
            "sales_12m",
            "sales_growth",
            pl.col("sales_months_12m").alias("active_months_12m"),
            "last_quarter_share",
            pl.col("sales_volatility").alias("volatility_12m"),
            "peak_month_share",
            "longest_gap_months",
            (pl.col("first") + "-01").alias("first_month"),
        )
    )


def tax(folder: Path, window: Window = NOW) -> pl.DataFrame:
    """The tax bureau: declared sales and purchases, input tax."""
    table = monthly_table(folder, window)
    zero = (
        table.filter((pl.col("sales") == 0) & (pl.col("purchases") == 0))
        .group_by("enterprise")
        .agg(pl.len().alias("zero_months_24m"))
    )
    inputs = (
        _invoices(folder, window)
        .filter(pl.col("valid") == 1)
        .group_by("enterprise")
        .agg(pl.col("tax_yuan").sum().alias("input_tax_12m"), pl.col("amount_yuan").sum())
    )
    sales = _year(table, "sales", window).select("enterprise", "sales_12m")
    return (
        _year(table, "purchases", window)
        .join(sales, on="enterprise")
        .join(zero, on="enterprise", how="left")
        .join(inputs, on="enterprise", how="left")
        .select(
            "enterprise",
            "purchases_12m",
            pl.col("purchases_growth").alias("purchase_growth"),
            _ratio("purchases_12m", "sales_12m").alias("purchase_share"),
            pl.col("input_tax_12m").fill_null(0.0),
            _ratio("input_tax_12m", "amount_yuan").alias("input_tax_rate"),
            pl.col("purchases_months_12m").alias("purchase_months_12m"),
            pl.col("purchases_volatility").alias("purchase_volatility"),
            pl.col("zero_months_24m").fill_null(0),
        )
    )


def trade_partners(folder: Path, window: Window = NOW) -> pl.DataFrame:
    """The trade partners' platform: suppliers' invoices; firms without one are unknown."""
    year = _invoices(folder, window)
    valid = year.filter(pl.col("valid") == 1)
    bought = valid.filter(pl.col("total_yuan") > 0)
    earlier = pl.read_parquet(folder / "purchases.parquet").filter(pl.col("date") < window.start)
    old = earlier.select("enterprise", "seller", pl.lit(value=True).alias("old")).unique()
    by_seller = (
        bought.group_by("enterprise", "seller")
        .agg(pl.col("total_yuan").sum())
        .with_columns(
            (pl.col("total_yuan") / pl.col("total_yuan").sum().over("enterprise")).alias("share")
        )
        .join(old, on=["enterprise", "seller"], how="left")
        .group_by("enterprise")
        .agg(
            pl.len().alias("suppliers_12m"),
            pl.col("old").count().alias("repeat_suppliers_12m"),
            pl.col("old").is_null().mean().alias("new_supplier_share"),
            pl.col("share").max().alias("largest_supplier_share"),
            (pl.col("share") ** 2).sum().alias("supplier_concentration"),
        )
    )
    counts = year.group_by("enterprise").agg(
        (pl.col("valid") == 0).mean().alias("voided_share"),
    )
    reds = valid.group_by("enterprise").agg(
        (pl.col("total_yuan") < 0).mean().alias("red_letter_share")
    )
    bills = bought.group_by("enterprise").agg(
        (pl.len() / 12).alias("invoices_per_month"),
        pl.col("total_yuan").mean().alias("mean_invoice"),
    )
    ends = pl.DataFrame(
        {"date": [window.start - timedelta(days=1), window.as_of + timedelta(days=1)]}
    )
    days = valid.select("enterprise", "date").unique()
    gaps = (
        pl.concat([days, days.select("enterprise").unique().join(ends, how="cross")])
        .sort("enterprise", "date")
        .group_by("enterprise")
        .agg((pl.col("date").diff().dt.total_days().max() - 1).alias("longest_gap_days"))
    )
    active = days.group_by("enterprise").agg(pl.len().alias("active_days_12m"))
    result = by_seller
    for part in (bills, reds, counts, gaps, active):
        result = result.join(part, on="enterprise")
    return result


def _ratio(above: str, below: str) -> pl.Expr:
    return pl.when(pl.col(below) > 0).then(pl.col(above) / pl.col(below))


def _invoices(folder: Path, window: Window) -> pl.DataFrame:
    return pl.read_parquet(folder / "purchases.parquet").filter(
        pl.col("date").is_between(window.start, window.as_of)
    )


def _year(table: pl.DataFrame, column: str, window: Window) -> pl.DataFrame:
    """Return sums, growth, months, last quarter, volatility and peak of a monthly column."""
    last = pl.col("month").is_in(window.year)
    value = pl.col(column)
    return (
        table.group_by("enterprise", maintain_order=True)
        .agg(
            value.filter(last).sum().alias(f"{column}_12m"),
            value.filter(~last).sum().alias("before"),
            (value.filter(last) > 0).sum().alias(f"{column}_months_12m"),
            value.filter(pl.col("month").is_in(window.year[9:])).sum().alias("quarter"),
            value.filter(last).std(ddof=0).alias("deviation"),
            value.filter(last).max().alias("peak"),
        )
        .with_columns((pl.col(f"{column}_12m") / 12).alias("mean"))
        .with_columns(
            (_ratio(f"{column}_12m", "before") - 1).alias(f"{column}_growth"),
            _ratio("quarter", f"{column}_12m").alias("last_quarter_share"),
            _ratio("deviation", "mean").alias(f"{column}_volatility"),
            _ratio("peak", f"{column}_12m").alias("peak_month_share"),
        )
    )


def _longest_runs(table: pl.DataFrame) -> pl.DataFrame:
    runs = table.with_columns(pl.col("idle").rle_id().over("enterprise").alias("run"))
    lengths = runs.group_by("enterprise", "run").agg(pl.col("idle").sum().alias("length"))
    return lengths.group_by("enterprise").agg(pl.col("length").max().alias("longest_gap_months"))
