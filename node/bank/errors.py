"""The agent's own errors: a code, the field that is wrong, and texts in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from federation.policy import PolicyReport
from node.bank.texts import TEXTS, Code
from node.errors import NodeError

if TYPE_CHECKING:
    from node.bank.problems import Problem


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


class JointIncomplete(BankError):
    """Chains that a question goes to have no result; `missing` says of each what was the matter."""

    def __init__(self, missing: Mapping[str, Problem]) -> None:
        self.missing = dict(sorted(missing.items()))
        named = "; ".join(f"{chain} ({why.text.en})" for chain, why in self.missing.items())
        super().__init__(Code.JOINT_INCOMPLETE, "chains", missing=named)

    @property
    def passes(self) -> bool:
        """Whether the same question may well be answered later."""
        return all(problem.passes for problem in self.missing.values())

    def problem(self, language: str) -> str:
        """As in BankError, with the reasons in the same language."""
        if language != "zh":
            return super().problem(language)
        named = "；".join(f"{chain}（{why.text.zh}）" for chain, why in self.missing.items())
        return TEXTS[self.code][0].zh.format(missing=named)
