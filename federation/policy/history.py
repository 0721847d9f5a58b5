"""What was certified before: later scorecards are judged together with it."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard


@dataclass(frozen=True, slots=True)
class Earlier:
    """A scorecard certified within 24 months for the bank or an affiliate, open or sealed.

    `valid` says that it can still be asked with now; one that expired or was withdrawn is not.
    `catalogue` is the one that it was certified for.
    """

    scorecard: Scorecard
    catalogue: Catalogue
    valid: bool
