"""Policy on the bank's own machine, before a scorecard is submitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from federation.policy import Earlier, PolicyReport, PolicyThresholds, certify_policy
from federation.policy.remedy import Remedies, remedies
from federation.policy.submission import Submission
from node.errors import NodeError
from node.models.reading import read_scorecard, read_toml
from scoring.catalogue import Catalogue
from scoring.documents import describe
from scoring.scorecard import Scorecard

Tell = Callable[[int, int], None]


class CheckError(NodeError):
    """A file that a check needs is not what it should be."""


@dataclass(frozen=True)
class Checked:
    """What policy says of a scorecard, and what would make it pass; None where it passes."""

    submission: Submission
    report: PolicyReport
    remedies: Remedies | None


def check(submission: Submission, judgements: int, tell: Tell) -> Checked:
    """Judge a submission; where it is refused, search for remedies with that many judgements.

    `tell` hears how many judgements were made, and how many may be. Raises PolicyError.
    """
    report = certify_policy(
        submission.scorecard, submission.catalogue, submission.thresholds, submission.earlier
    )
    if report.passed or judgements == 0:
        return Checked(submission, report, None)
    return Checked(submission, report, remedies(submission, report, judgements, tell))


def catalogue_for(scorecard: Scorecard, catalogues: Sequence[Catalogue]) -> Catalogue:
    """The catalogue of the scorecard's version. Raises CheckError."""
    for catalogue in catalogues:
        if catalogue.version == scorecard.catalogue_version:
            return catalogue
    known = ", ".join(catalogue.version for catalogue in catalogues)
    raise CheckError(
        f"catalogue: {scorecard.name}@{scorecard.version} is of version "
        f"{scorecard.catalogue_version}, and {known} was given; add --catalogue with that one"
    )


def read_earlier(
    paths: Sequence[Path], catalogues: Sequence[Catalogue], *, valid: bool
) -> tuple[Earlier, ...]:
    """Scorecards that were certified before. Raises NodeError, ScorecardError."""
    cards = [read_scorecard(path) for path in paths]
    return tuple(Earlier(card, catalogue_for(card, catalogues), valid) for card in cards)


def read_thresholds(path: Path | None) -> PolicyThresholds:
    """Thresholds from TOML, as in the `[policy]` section of a regulator's configuration; the
    protocol's own without a file. Raises NodeError.
    """
    if path is None:
        return PolicyThresholds()
    try:
        document = read_toml(path, "thresholds")
        return PolicyThresholds.model_validate(document.get("policy", document))
    except ValidationError as error:
        raise CheckError(f"{path}: {describe('policy', error)}; correct it") from error
