"""From counts to a card of real points: evidence, covariances, weights."""

from __future__ import annotations

from scoring.cards.real import RealCard, RealField
from scoring.catalogue import Catalogue
from scoring.development.counts import Counts
from scoring.development.evidence import Findings, findings
from scoring.development.modelled import modelled
from scoring.development.plan import DEFAULT, Plan
from scoring.development.weights import weigh


def build_card(
    counts: Counts,
    catalogue: Catalogue,
    *,
    name: str,
    version: str,
    plan: Plan = DEFAULT,
    score_unknown: bool = False,
) -> tuple[RealCard, Findings]:
    """The scorecard that the counts allow, and what they say of every bin.

    `score_unknown` as in `scoring.development.weights.weigh`. Raises ScorecardError for counts of
    another catalogue, statistics that are not published, a kind without a field, or features that
    tell too little.
    """
    found = findings(counts, catalogue)
    field_of = plan.field_of(counts)
    model = weigh(found, modelled(found, catalogue), field_of, score_unknown=score_unknown)
    used = {real.field for real in model.features}
    card = RealCard.of(
        model.features,
        name=name,
        version=version,
        catalogue_version=catalogue.version,
        participants=counts.participants,
        fields=[
            RealField(name=field.name, title=field.title, reason=field.reason)
            for field in plan.fields
            if field.name in used
        ],
        offset=model.offset,
    )
    return card, found
