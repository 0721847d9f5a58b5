"""`generate`: a sample of firms that do not exist, as eight holders would keep them.

Written to a folder:

* `enterprises.csv`: uscc, name, sector (GB/T 4754 letter), default (0 or 1, within a year);
* a file a holder (CSV, Parquet, SQLite) in the holder's own headers and units;
* `mappings/KIND.toml` for each: the mapping files with which `ingest` reads them;
* `sample.json`, last: what was asked for, and the as-of date of each holder.

The same arguments give the same rows. The seed makes a sample repeatable; nothing here is
secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from node.files import replacing
from node.sample import drift, files
from node.sample.codes import codes, names
from node.sample.errors import SampleError
from node.sample.holders import HOLDERS
from node.sample.mappings import mapping_toml
from node.sample.population import SECTORS, population
from node.sample.presentation import TABLES

FORMAT: Final = "yinxin-sample/1"
TODAY: Final = date(2026, 6, 30)
MOST: Final = 10_000_000


@dataclass(frozen=True)
class Region:
    """One of several regions with firms in common: the firms of `rows`, numbered in the country.

    A firm has the same code, name and hidden state everywhere; what a region's holders know of it
    is drawn with the region's own `seed`.
    """

    rows: NDArray[np.int64]
    seed: int


def generate(
    enterprises: int,
    seed: int,
    out: Path,
    *,
    region: Region | None = None,
    today: date = TODAY,
    month_before: bool = False,
    months_back: float = 0.0,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Write a sample of `enterprises` firms to the folder `out`, replacing a sample there.

    `today` dates the holders' files (each lags by its own days); with `month_before` they are those
    of the same firms a month earlier, dated so; `months_back` makes them older by so many months,
    at most four, and leaves the date. With `region` only its firms are written, of the
    `enterprises` that the country has. `progress` is told each file's name. Raises SampleError for
    a size out of 1..10,000,000 or a negative seed, and where `out` cannot be written.
    """
    if not 1 <= enterprises <= MOST:
        raise SampleError(f"enterprises: {enterprises} is not possible; ask for 1 to {MOST:,}")
    if seed < 0:
        raise SampleError(f"seed: {seed} is negative; give 0 or more")
    try:
        tell = progress or (lambda _: None)
        _write(enterprises, seed, out, region, today, month_before, months_back, tell)
    except OSError as error:
        raise SampleError(
            f"out: {out}: {error.strerror or error}; choose a folder that can be written"
        ) from error


def _write(
    enterprises: int,
    seed: int,
    out: Path,
    region: Region | None,
    today: date,
    month_before: bool,
    months_back: float,
    progress: Callable[[str], None],
) -> None:
    firms = population(enterprises, seed)
    uscc = codes(enterprises, seed)
    titles = names(np.array([s.trade for s in SECTORS])[firms.sector], seed)
    if region is not None:
        firms = firms.part(region.rows, region.seed)
        uscc, titles = ([texts[row] for row in region.rows] for texts in (uscc, titles))
    (out / "mappings").mkdir(parents=True, exist_ok=True)
    (out / "sample.json").unlink(missing_ok=True)
    listing = pl.DataFrame(
        {
            "uscc": uscc,
            "name": titles,
            "sector": np.array([s.letter for s in SECTORS])[firms.sector].tolist(),
            "default": firms.default.astype(np.int8),
        }
    )
    progress("enterprises.csv")
    with replacing(out / "enterprises.csv") as path:
        listing.write_csv(path)
    dates = {}
    for table in TABLES:
        progress(files.file_name(table))
        as_of = today - timedelta(days=table.days_old)
        values, state = HOLDERS[table.kind](firms), firms
        if month_before:
            as_of = _month_earlier(as_of)
            values, state = drift.month_before(table.kind, firms)
        elif months_back:
            values, state = drift.before(table.kind, firms, months_back)
        dates[table.kind] = as_of.isoformat()
        rows = files.frame(table, values, uscc, state, as_of)
        with replacing(out / files.file_name(table)) as path:
            files.write(table, rows, path, as_of)
        with replacing(out / "mappings" / f"{table.kind}.toml") as path:
            path.write_text(mapping_toml(table, as_of), encoding="utf-8")
    about = {"format": FORMAT, "enterprises": firms.firms, "seed": seed, "as_of": dates}
    with replacing(out / "sample.json") as path:
        path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _month_earlier(day: date) -> date:
    """The same day a month before, or that month's last."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=min(day.day, last.day))
