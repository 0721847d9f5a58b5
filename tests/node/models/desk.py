"""A card over the small catalogue, and firms drawn from it that default by the card."""

from __future__ import annotations

import numpy as np

from federation.identity import SpiffeId
from node.models.population import draw
from scoring.cards.real import RealCard
from scoring.catalogue import Catalogue
from scoring.integer import Sample
from support.small import DOMAIN, KINDS, small_catalogue, small_scorecard

HOLDERS = f"spiffe://{DOMAIN}/holder"
WHOLE = small_scorecard("desk", [(SpiffeId.parse(f"{HOLDERS}/{kind}"), kind) for kind in KINDS])
PARTICIPANTS = WHOLE.participants


def catalogue() -> Catalogue:
    return small_catalogue()


def card(seed: int = 1) -> RealCard:
    """The small scorecard's points, each moved by up to a third of a level."""
    random = np.random.default_rng(seed)
    steps = {field.name: field.step for field in WHOLE.fields}
    return RealCard.build(
        {
            "name": "desk",
            "version": "1",
            "catalogue_version": WHOLE.catalogue_version,
            "participants": PARTICIPANTS,
            "fields": [
                {"name": f.name, "title": f.title, "reason": f.reason} for f in WHOLE.fields
            ],
            "features": [
                {
                    "holder": entry.holder,
                    "feature": entry.feature,
                    "field": entry.field,
                    "points": [
                        steps[entry.field] * (p + random.uniform(-0.3, 0.3)) for p in entry.points
                    ],
                }
                for entry in WHOLE.points
            ],
            "offset": WHOLE.scale.offset,
        }
    )


def sample(firms: int = 3000, seed: int = 1) -> Sample:
    """Firms drawn from the catalogue; the card's score decides who defaults, and chance."""
    bins = draw(catalogue(), PARTICIPANTS, firms, seed)
    scores = card().scores(bins)
    odds = (scores - scores.mean()) / scores.std()
    chance = np.random.default_rng(seed).random(firms)
    return Sample(bins, chance < 1 / (1 + np.exp(1.8 + 1.2 * odds)))
