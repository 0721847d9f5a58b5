"""The sample's catalogue and scorecard, made to fit the holders of one chain."""

from __future__ import annotations

import json
from typing import Final

from node.demo.layout import Layout
from node.sample import CATALOGUE, SCORECARD
from scoring.catalogue import Catalogue
from scoring.scorecard import AcrossRule, Scorecard

ACROSS: Final[AcrossRule] = "lowest"
"""How a bank combines the scores that one firm has in several chains."""
_KEPT: Final = {"compliance": "compliance", "staff": "compliance", "trade": "trade"}
"""Fields of the sample's scorecard, and the field that each becomes part of."""


def catalogue_of(layout: Layout) -> Catalogue:
    """The sample's catalogue as the chain publishes it: a version and holders of its own."""
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    recognition = [
        known | {"holder": str(layout.holders[known["kind"]].id)}
        for known in catalogue.pop("recognition")
        if known["kind"] in layout.holders
    ]
    if recognition:
        catalogue["recognition"] = sorted(recognition, key=lambda known: str(known["holder"]))
    return Catalogue.build(catalogue | {"version": catalogue_version(layout)})


def catalogue_version(layout: Layout) -> str:
    """Versions of different chains have nothing to do with each other."""
    return f"{layout.chain}-1"


def scorecard_of(
    layout: Layout, across: AcrossRule | None = ACROSS, version: str = "1"
) -> Scorecard:
    """The sample's scorecard without the features that no holder of the chain has.

    The field of energy goes, as nobody has enough features of it; staff becomes part of
    compliance, as it would not pass the policy by itself. `across` is the scorecard's rule for a
    firm in several chains.
    """
    card = json.loads(SCORECARD.read_text(encoding="utf-8"))
    here = {p["holder"]: p["kind"] for p in card["participants"] if p["kind"] in layout.holders}
    ids = {holder: str(layout.holders[kind].id) for holder, kind in here.items()}
    points = [p for p in card["points"] if p["holder"] in here and p["field"] in _KEPT]
    fields = [f for f in card["fields"] if f["name"] in _KEPT.values()]
    card |= {
        "version": version,
        "catalogue_version": catalogue_version(layout),
        "across": across,
        "fields": fields,
        "participants": [{"holder": ids[holder], "kind": kind} for holder, kind in here.items()],
        "points": [p | {"holder": ids[p["holder"]], "field": _KEPT[p["field"]]} for p in points],
    }
    return Scorecard.build(card)
