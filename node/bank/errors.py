"""The agent's own errors: a code, the field that is wrong, and texts in both languages."""

from __future__ import annotations

from federation.policy import PolicyReport
from node.bank.texts import TEXTS, Code
from node.errors import NodeError


class BankError(NodeError):
    """The agent cannot do what it was asked; `field` names the input that is wrong.

    `str()` is the English text with its remedy, on one line.
    """

    def __init__(self, code: Code, field: str, **details: str | int) -> None:
        self.code = code
        self.field = field
        self.details = details
        super().__init__(f"{field}: {self.problem('en')}; {self.remedy('en')}")

    def problem(self, language: str) -> str:
        """What is wrong, in `zh` or `en`."""
        return TEXTS[self.code][0].of(language).format(**self.details)

    def remedy(self, language: str) -> str:
        """What to do about it, in `zh` or `en`."""
        return TEXTS[self.code][1].of(language).format(**self.details)


class ScorecardRefused(BankError):
    """The regulator's policy refuses a scorecard; `report` says why, figure by figure."""

    def __init__(self, report: PolicyReport) -> None:
        self.report = report
        super().__init__(Code.SCORECARD_REFUSED, "scorecard", count=len(report.failures))


class Rejected(BankError):
    """An answer did not verify: nothing of it was stored, and the regulator is told.

    `field` is what was being done: `query`, `prepare` or `keys`; `party` whose part was wrong;
    `why` what was wrong with it.
    """

    def __init__(self, field: str, party: str, why: str) -> None:
        self.party = party
        self.why = why
        super().__init__(Code.ANSWER_REJECTED, field, party=party)
