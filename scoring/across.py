"""One firm in several chains: its records side by side, and one score only by a stated rule.

A chain's record tells what that chain's holders know: a head office in one, a plant in another.
Adding up records of different chains would count what both know twice, so a score over chains is a
choice among theirs, and the scorecards have to state it (`Scorecard.across`), each the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from scoring.errors import ScorecardError
from scoring.scorecard import AcrossRule, Scorecard


def _mean(scores: Sequence[int]) -> int:
    return math.floor(math.fsum(scores) / len(scores) + 0.5)


_RULES: Final[Mapping[AcrossRule, Callable[[Sequence[int]], int]]] = {
    "lowest": min,
    "highest": max,
    "mean": _mean,
}


def rule_of(scorecards: Mapping[str, Scorecard]) -> AcrossRule | None:
    """The rule that the scorecards of several chains state, by chain; None when they state none.

    Raises ScorecardError when they differ: one that states none differs from one that does.
    """
    rules = {scorecard.across for scorecard in scorecards.values()}
    if len(rules) > 1:
        stated = ", ".join(f"{chain} {card.across or '–'}" for chain, card in scorecards.items())
        raise ScorecardError(
            f"across: the chains' scorecards state different rules ({stated}); "
            "certify them with the same one"
        )
    return rules.pop() if rules else None


def combine(rule: AcrossRule, scores: Mapping[str, int]) -> int:
    """The score over chains, 300–850, from each chain's own; half a point rounds up.

    Raises ScorecardError when there is none to combine.
    """
    if not scores:
        raise ScorecardError("across: no chain has given a score; ask one that enrols the firm")
    return _RULES[rule](list(scores.values()))
