"""The example of real invoices, on invented ones of the same form (the data are not shipped)."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench.sme_files import EXAMPLES, KINDS, write_files
from bench.sme_reference import reference_records
from node.holder.ingest import align, ingest
from node.holder.mapping import load_mapping
from scoring.catalogue import Catalogue
from scoring.reference import record_words
from scoring.scorecard import Scorecard

FIRMS = 40


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("out")
    invent(data)
    write_files(data, out)
    (out / "catalogue.json").write_bytes((EXAMPLES / "catalogue.json").read_bytes())
    return data, out


def invent(folder: Path) -> None:
    """Write files of the published form, with firms that bought or sold nothing among them."""
    rng = np.random.default_rng(4)
    names = [f"E{i}" for i in range(1, FIRMS + 1)]
    pl.DataFrame(
        {"enterprise": names, "rating": "A", "defaulted": rng.integers(0, 2, FIRMS)}
    ).write_csv(folder / "enterprises.csv")
    months = [f"{y}-{m:02d}" for y in range(2017, 2021) for m in range(1, 13)][:38]
    monthly, invoices = [], []
    for i, name in enumerate(names):
        for month in months[int(rng.integers(0, 30)) :]:
            amounts = np.round(rng.lognormal(10, 2, 2) * (rng.random(2) < 0.8), 2).tolist()
            monthly.append((name, month, 0.0 if i == 0 else amounts[0], amounts[1]))
        for _ in range(0 if i == 1 else int(rng.integers(1, 60))):
            day = date(2018, 6, 1) + timedelta(days=int(rng.integers(0, 610)))
            amount = round(float(rng.lognormal(7, 2)) * (-1 if rng.random() < 0.1 else 1), 2)
            tax = round(0.13 * amount, 2)
            valid = int(rng.random() < 0.9)
            seller = f"A{rng.integers(0, 15):05d}"
            invoices.append((name, day, seller, amount, tax, round(amount + tax, 2), valid))
    columns = ["enterprise", "month", "sales_yuan", "purchases_yuan"]
    pl.DataFrame(monthly, schema=columns, orient="row").write_csv(folder / "monthly.csv")
    columns = ["enterprise", "date", "seller", "amount_yuan", "tax_yuan", "total_yuan", "valid"]
    pl.DataFrame(invoices, schema=columns, orient="row").with_columns(
        pl.col("valid").cast(pl.Int8)
    ).write_parquet(folder / "purchases.parquet")


@pytest.mark.parametrize("kind", KINDS)
def test_mapping_examples_fit_the_example_catalogue(kind: str) -> None:
    catalogue = Catalogue.from_json((EXAMPLES / "catalogue.json").read_bytes())
    mapping = load_mapping(EXAMPLES / "mappings" / f"{kind}.toml", catalogue)
    assert set(mapping.features) == {feature.name for feature in catalogue.features_of(kind)}


def test_every_bin_equals_the_reference_from_the_original_files(
    folders: tuple[Path, Path],
) -> None:
    data, out = folders
    catalogue = Catalogue.from_json((out / "catalogue.json").read_bytes())
    roster = pl.read_csv(out / "enterprises.csv")["uscc"].to_list()
    holders = {kind: f"spiffe://csj.yinxin.example/holder/{kind}" for kind in KINDS}
    bins, known = {}, {}
    for kind, holder in holders.items():
        mapping = load_mapping(out / "mappings" / f"{kind}.toml", catalogue)
        table, report = ingest(mapping, catalogue, out / "rejected.csv")
        assert report.rejected == 0
        bins[holder], known[holder] = align(roster, table, catalogue)
    assert not known[holders["invoice"]].all()
    assert not known[holders["trade_partners"]].all()
    for first in range(0, len(catalogue.features), 9):
        chosen = catalogue.features[first : first + 9]
        text = json.dumps(
            {
                "format": "yinxin-scorecard/1",
                "name": "bins",
                "version": "1",
                "catalogue_version": catalogue.version,
                "participants": [{"holder": h, "kind": k} for k, h in holders.items()],
                "fields": [
                    {"name": f"f{i}", "title": {"zh": "", "en": ""}, "reason": "R01", "step": 1}
                    for i in range(len(chosen))
                ],
                "points": [
                    {
                        "holder": holders[feature.kind],
                        "feature": feature.name,
                        "field": f"f{i}",
                        "points": list(range(feature.bin_count)),
                    }
                    for i, feature in enumerate(chosen)
                ],
                "scale": {"offset": 0},
            }
        )
        (out / "scorecard.json").write_text(text)
        words = record_words(Scorecard.from_json(text), catalogue, bins, known)
        ours = dict(zip(roster, words.tolist(), strict=True))
        assert ours == reference_records(data, out)
