"""From a source's text cells to values in the catalogue's units, with reasons for refusals.

Arithmetic is in doubles, rounded to 12 significant digits after a change of unit: then
0.57 万元 is 5700 yuan and lies in the bin that begins there, not one unit in the last place
below it.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Final

import polars as pl

from node.holder.mapping import FeatureMapping
from node.holder.units import Categories, Factor, Flag, MonthsSince, Percent, WanYuan

_DIGITS: Final = 12


class Reason(StrEnum):
    """Why a row was rejected, as the report writes it."""

    INVALID_USCC = "invalid_uscc"
    DUPLICATE_USCC = "duplicate_uscc"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_DATE = "not_a_date"
    UNKNOWN_TEXT = "unknown_text"
    OUT_OF_RANGE = "out_of_range"


def convert(
    cells: pl.Series, item: FeatureMapping, as_of: date
) -> tuple[pl.Series, dict[Reason, pl.Series]]:
    """Convert one column: (values, and for each reason the rows it rejects as booleans).

    Values are Float64, or String for categories; null where the cell is missing or rejected.
    """
    known = _known(cells, item)
    if isinstance(item.convert, Categories):
        table, rest = item.convert.values, item.convert.rest
        values = known.replace_strict(table, default=rest, return_dtype=pl.String)
        return values, {Reason.UNKNOWN_TEXT: known.is_not_null() & values.is_null()}
    if isinstance(item.convert, Flag):
        table_ = dict.fromkeys(item.convert.yes, 1.0) | dict.fromkeys(item.convert.no, 0.0)
        values = known.replace_strict(table_, default=None, return_dtype=pl.Float64)
        reason = Reason.UNKNOWN_TEXT
    elif isinstance(item.convert, MonthsSince):
        values = _months_since(known, item.convert.date_format, as_of)
        reason = Reason.NOT_A_DATE
    else:
        values = _numbers(known, item)
        reason = Reason.NOT_A_NUMBER
    unparsable = known.is_not_null() & values.is_null()
    if item.range is None:
        return values, {reason: unparsable}
    outside = (~values.is_between(*item.range)).fill_null(value=False)
    return values.set(outside, None), {reason: unparsable, Reason.OUT_OF_RANGE: outside}


def _known(cells: pl.Series, item: FeatureMapping) -> pl.Series:
    """Blank out missing cells: null, empty, or in `missing` (spaces around do not count)."""
    if cells.dtype != pl.String:
        return cells
    stripped = cells.str.strip_chars()
    return stripped.set(stripped.is_in(["", *item.missing]), None)


def _numbers(known: pl.Series, item: FeatureMapping) -> pl.Series:
    if known.dtype != pl.String:
        return pl.Series(known.name, [None] * len(known), dtype=pl.Float64)
    if isinstance(item.convert, Percent):
        known = known.str.strip_suffix("%")
    values = known.cast(pl.Float64, strict=False)
    values = values.set(~values.is_finite(), None)
    if isinstance(item.convert, Percent):
        return (values / 100).round_sig_figs(_DIGITS)
    if isinstance(item.convert, WanYuan):
        return (values * 10_000).round_sig_figs(_DIGITS)
    if isinstance(item.convert, Factor):
        return (values * item.convert.factor).round_sig_figs(_DIGITS)
    return values


def _months_since(known: pl.Series, date_format: str, as_of: date) -> pl.Series:
    """Count whole months: a month is complete on the same day of the next one."""
    dates = known
    if known.dtype == pl.String:
        dates = known.str.to_date(date_format, strict=False, exact=True)
    months = (as_of.year - dates.dt.year()) * 12 + (as_of.month - dates.dt.month().cast(pl.Int32))
    incomplete = (dates.dt.day() > as_of.day).cast(pl.Int32)
    return (months - incomplete).cast(pl.Float64)
