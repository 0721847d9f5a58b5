"""The catalogue's edges as cut points of a tool's characteristics, for fitting on fine bins.

A card whose cut points are among these loses nothing when it is imported: whoever fits one for a
chain gives them to the tool.
"""

from __future__ import annotations

from scoring.cards.density import exact
from scoring.cards.importing import feature_of
from scoring.cards.mapping import CardMapping
from scoring.catalogue import Catalogue


def edges(mapping: CardMapping, catalogue: Catalogue) -> dict[str, list[float]]:
    """Rising cut points by characteristic, in the tool's units; categories are left out.

    Raises ScorecardError for a feature or holder that the chain does not have.
    """
    found = {}
    for how in mapping.characteristics:
        feature = feature_of(catalogue, mapping, how)
        if feature.type == "number":
            factor = exact(how.factor)
            found[how.name] = sorted(float(exact(edge) / factor) for edge in feature.bins.edges)
    return found
