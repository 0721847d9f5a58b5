"""What would make a refused scorecard pass."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.documents import Text
from scoring.scorecard import Scorecard


@dataclass(frozen=True, slots=True)
class Remedy:
    """Changes to a scorecard after which `rules` are met; judged again, not guessed.

    `shift` is how far they move a firm's score: the root of the mean square over firms, in score
    points, taking features as independent. `passes` says that the whole policy is met.
    """

    rules: tuple[str, ...]
    changes: tuple[Text, ...]
    scorecard: Scorecard
    shift: float
    passes: bool


@dataclass(frozen=True, slots=True)
class Remedies:
    """A remedy for each rule that fails, where one was found, and one for the whole scorecard.

    `unmended` are the rules for which none was found; `stopped` says that the budget of
    `judgements` ended the search.
    """

    found: tuple[Remedy, ...]
    whole: Remedy | None
    unmended: tuple[str, ...]
    judgements: int
    stopped: bool
