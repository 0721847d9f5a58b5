"""A small catalogue, cards and mappings for these tests."""

from __future__ import annotations

from typing import Any

from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard, ToolScale
from scoring.cards.mapping import CardMapping
from scoring.catalogue import Catalogue

HOLDER = "spiffe://csj.yinxin.example/holder"
TEXT = {"zh": "甲", "en": "a"}
CHAIN = ToolScale(score=600.0, odds=20.0, pdo=40.0)


def feature(name: str, bins: dict[str, Any], frequencies: list[float], kind: str = "tax") -> Any:
    return {
        "kind": kind,
        "name": name,
        "title": TEXT,
        "unit": "yuan",
        "type": "category" if "categories" in bins else "number",
        "public": False,
        "bins": bins,
        "frequencies": frequencies,
    }


CATALOGUE = Catalogue.build(
    {
        "version": "1",
        "name": TEXT,
        "holders": [
            {"kind": kind, "title": TEXT, "refresh": "daily"} for kind in ("tax", "water", "courts")
        ],
        "features": [
            feature("sales", {"edges": [10, 20, 40]}, [0.1, 0.2, 0.3, 0.3, 0.1]),
            feature("arrears", {"edges": [100], "specials": [0]}, [0.1, 0.5, 0.2, 0.2]),
            feature("trade", {"categories": ["food", "it"]}, [0.1, 0.4, 0.3, 0.2]),
            feature("late", {"edges": [1, 2, 5]}, [0.1, 0.4, 0.2, 0.2, 0.1], kind="water"),
        ],
    }
)


def number(name: str, *rows: tuple[Any, ...], missing: float | None = 0.0) -> Characteristic:
    """A characteristic of intervals [low, high): points."""
    attributes = [
        Attribute(label=f"{low}..{high}", points=points, intervals=(Interval(low=low, high=high),))
        for low, high, points in rows
    ]
    if missing is not None:
        attributes.append(Attribute(label="missing", points=missing, missing=True))
    return Characteristic(name=name, type="number", attributes=tuple(attributes))


def card(*characteristics: Characteristic, **more: Any) -> ToolCard:
    return ToolCard(
        name="test", tool="test", characteristics=characteristics, **{"scale": CHAIN, **more}
    )


def mapping(*characteristics: dict[str, Any], **more: Any) -> CardMapping:
    """A mapping; each characteristic may leave out holder and field."""
    return CardMapping.build(
        {
            "name": "m",
            "version": "1",
            "participants": [
                {"holder": f"{HOLDER}/{kind}", "kind": kind} for kind in ("tax", "water", "courts")
            ],
            "fields": [{"name": "money", "title": TEXT, "reason": "R02"}],
            "characteristics": [
                {"holder": f"{HOLDER}/tax", "field": "money", **made} for made in characteristics
            ],
            **more,
        }
    )
