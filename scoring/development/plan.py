"""The bank's plan of a scorecard that is still to be developed: the document `yinxin-plan/1`.

Which kinds of holders make which dimension of the profile is for the bank to say; all of a kind's
features lie in one field.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from scoring.cards.real import RealField
from scoring.catalogue import Name
from scoring.development.counts import Counts
from scoring.documents import Document, Text
from scoring.errors import ScorecardError, ScoringError

FORMAT: Literal["yinxin-plan/1"] = "yinxin-plan/1"


class PlannedField(RealField):
    """A field of the scorecard, and the kinds of holders whose features it has."""

    kinds: tuple[Name, ...] = Field(min_length=1)


class Plan(Document):
    """The fields of a scorecard to develop."""

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-plan/1"] = FORMAT
    fields: tuple[PlannedField, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _kinds_once(self) -> Self:
        kinds = [kind for field in self.fields for kind in field.kinds]
        if len(set(kinds)) < len(kinds):
            raise ValueError("kinds: one stands in two fields; all of a holder lies in one")
        return self

    def field_of(self, counts: Counts) -> dict[str, str]:
        """Each participant's field; raises ScorecardError for a kind that has none."""
        planned = {kind: field.name for field in self.fields for kind in field.kinds}
        strangers = {p.kind for p in counts.participants} - set(planned)
        if strangers:
            raise ScorecardError(
                f"plan: {', '.join(sorted(strangers))} in no field; add the kind to one"
            )
        return {p.holder: planned[p.kind] for p in counts.participants}


def _field(name: str, zh: str, en: str, reason: str, *kinds: str) -> PlannedField:
    return PlannedField(name=name, title=Text(zh=zh, en=en), reason=reason, kinds=kinds)


DEFAULT: Final = Plan(
    fields=(
        _field(
            "compliance",
            "合规纳税",
            "Compliance",
            "R02",
            *("registry", "tax", "courts", "environment", "credit_database"),
        ),
        _field("trade", "经营开票", "Trade", "R04", "invoice", "customs", "receivables", "bills"),
        _field("staff", "用工稳定", "Staff", "R06", "social_insurance", "housing_fund"),
        _field("energy", "用能缴费", "Energy", "R03", "electricity", "water", "gas"),
        _field("assets", "资产创新", "Assets", "R11", "real_estate", "movables", "ip", "science"),
    )
)
"""For the kinds of the starting catalogue."""
