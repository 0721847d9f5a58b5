"""Writes the holder files of the trial on real invoices, each as that holder would keep it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import polars as pl

from bench.sme_features import NOW, Window, invoice, tax, trade_partners
from node.sample.codes import codes

EXAMPLES: Final = Path(__file__).parents[1] / "deploy/examples/sme-invoices"
KINDS: Final = ("invoice", "tax", "trade_partners")
SEED: Final = 123


def write_files(data: Path, out: Path, window: Window = NOW) -> None:
    """Write roster, holder files and mappings to `out`."""
    firms = pl.read_csv(data / "enterprises.csv")
    names = firms["enterprise"].to_list()
    code_of = dict(zip(names, codes(len(names), SEED), strict=True))
    (out / "mappings").mkdir(parents=True, exist_ok=True)
    firms.select(
        pl.col("enterprise").replace_strict(code_of).alias("uscc"),
        pl.col("enterprise").alias("name"),
        pl.lit("C").alias("sector"),
        pl.col("defaulted").alias("default"),
    ).write_csv(out / "enterprises.csv")
    for kind in KINDS:
        shutil.copy(EXAMPLES / "mappings" / f"{kind}.toml", out / "mappings")
    code = pl.col("enterprise").replace_strict(code_of)
    _invoice_rows(invoice(data, window), code).write_csv(out / "invoice.csv", null_value="—")
    _tax_rows(tax(data, window), code).write_parquet(out / "tax.parquet")
    _write_partners(trade_partners(data, window), code_of, out / "trade_partners.db", window)


def _invoice_rows(table: pl.DataFrame, code: pl.Expr) -> pl.DataFrame:
    return table.sort("enterprise").select(
        code.alias("统一社会信用代码"),
        (pl.col("sales_12m").round(2) / 10_000).round(6).alias("近12月开票金额(万元)"),
        (pl.col("sales_growth") * 100).alias("开票同比(%)"),
        pl.col("active_months_12m").alias("有票月数"),
        (pl.col("last_quarter_share") * 100).alias("近3月占比(%)"),
        pl.col("volatility_12m").alias("月度波动系数"),
        (pl.col("peak_month_share") * 100).alias("最高月占比(%)"),
        pl.col("longest_gap_months").alias("最长无票月数"),
        pl.col("first_month").alias("首票月份"),
    )


def _tax_rows(table: pl.DataFrame, code: pl.Expr) -> pl.DataFrame:
    return table.sort("enterprise").select(
        code.alias("taxpayer"),
        pl.col("purchases_12m").round(2).alias("purchases"),
        pl.col("purchase_growth").alias("purchases_yoy"),
        pl.col("purchase_share").alias("purchases_by_sales"),
        pl.col("input_tax_12m").round(2).alias("input_tax"),
        (pl.col("input_tax_rate") * 100).alias("input_tax_pct"),
        pl.col("purchase_months_12m").alias("months_with_purchases"),
        pl.col("purchase_volatility").alias("purchases_variation"),
        pl.col("zero_months_24m").alias("zero_months"),
    )


def _write_partners(
    table: pl.DataFrame, code_of: dict[str, str], path: Path, window: Window
) -> None:
    path.unlink(missing_ok=True)
    figures = table.sort("enterprise").select(
        "enterprise",
        pl.col("suppliers_12m").alias("suppliers"),
        pl.col("repeat_suppliers_12m").alias("repeat_suppliers"),
        (pl.col("new_supplier_share") * 100).alias("new_supplier_pct"),
        (pl.col("largest_supplier_share") * 100).alias("largest_supplier_pct"),
        pl.col("supplier_concentration").alias("concentration"),
        pl.col("invoices_per_month").alias("invoices_monthly"),
        (pl.col("mean_invoice") / 10_000).alias("mean_invoice_wan"),
        (pl.col("red_letter_share") * 100).alias("red_pct"),
        (pl.col("voided_share") * 100).alias("void_pct"),
        pl.col("longest_gap_days").alias("gap_days"),
        pl.col("active_days_12m").alias("active_days"),
    )
    headers = figures.columns[1:]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE firm (firm_id INTEGER PRIMARY KEY, code TEXT)")
        connection.execute(
            f"CREATE TABLE partner_month (firm_id INTEGER, month TEXT, {', '.join(headers)})"
        )
        marks = ", ".join("?" * (len(headers) + 2))
        for firm_id, (name, *row) in enumerate(figures.iter_rows(), start=1):
            connection.execute("INSERT INTO firm VALUES (?, ?)", (firm_id, code_of[name]))
            connection.execute(
                f"INSERT INTO partner_month VALUES ({marks})",  # noqa: S608 - own headers only
                (firm_id, f"{window.as_of:%Y-%m}", *row),
            )
        connection.commit()
