"""Makes `catalogue-1.json`, what is published and signed, from `catalogue-1.toml`, its source.

Run `python -m scoring.data.build_catalogue`; a test fails while the two disagree.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from scoring.catalogue import Catalogue

SOURCE = Path(__file__).with_name("catalogue-1.toml")
PUBLISHED = Path(__file__).with_name("catalogue-1.json")
FLAG_EDGES = [1]
"""A flag is a number: 0 lies below the edge, 1 above it."""


def _feature(kind: str, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    edges = FLAG_EDGES if entry.get("flag") else entry.get("edges", [])
    return {
        "kind": kind,
        "name": name,
        "title": {"zh": entry["zh"], "en": entry["en"]},
        "unit": entry["unit"],
        "type": "category" if "categories" in entry else "number",
        "public": entry.get("public", False),
        "sense": entry.get("sense"),
        "bins": {
            "specials": entry.get("specials", []),
            "edges": edges,
            "categories": entry.get("categories", []),
        },
    }


def build(source: str) -> Catalogue:
    """The catalogue that a TOML source describes."""
    tables = tomllib.loads(source)
    version, name = tables.pop("version"), tables.pop("name")
    holders = [
        {
            "kind": kind,
            "title": {"zh": table["zh"], "en": table["en"]},
            "refresh": table["refresh"],
        }
        for kind, table in tables.items()
    ]
    features = [
        _feature(kind, feature, entry)
        for kind, table in tables.items()
        for feature, entry in table["features"].items()
    ]
    return Catalogue.build(
        {"version": version, "name": name, "holders": holders, "features": features}
    )


if __name__ == "__main__":
    PUBLISHED.write_text(build(SOURCE.read_text(encoding="utf-8")).to_json() + "\n", "utf-8")
