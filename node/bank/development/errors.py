"""Errors of developments, in both languages."""

from __future__ import annotations

from federation.development.verdict import LabelVerdict
from node.bank.errors import BankError
from node.bank.texts import TEXTS, Code, Said


class LabelsInvalid(BankError):
    """A file of labels or consents cannot be used; nothing was sent. Names a line, and no firm."""

    def __init__(self, field: str, reason: Said) -> None:
        self.reason = reason
        super().__init__(Code.LABELS_INVALID, field)

    def problem(self, language: str) -> str:
        """What is wrong, in `zh` or `en`."""
        return TEXTS[self.code][0].of(language).format(reason=self.reason.of(language))


class LabelsRefused(BankError):
    """The regulator certifies nothing of what was submitted; `verdict` says why."""

    def __init__(self, verdict: LabelVerdict) -> None:
        self.verdict = verdict
        super().__init__(Code.LABELS_REFUSED, "labels", count=len(verdict.reasons("en")))
