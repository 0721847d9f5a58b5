"""What the policy report says, in one language, whatever it is shown with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from federation.auditkeys import CHINA
from federation.policy import PolicyItem, PolicyReport, PolicyThresholds
from federation.policy.remedy import Remedies
from node.models.report.drawing import Drawing
from node.models.report.fields import FieldView, field_views
from node.models.report.names import Names
from node.models.report.sets import FeatureView, feature_views
from node.models.report.texts import listed, of, say
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

RULES: Final = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Subject:
    """What a report is about: the scorecard, its catalogue, the findings, and what is known of it.

    `bank`, `decided` (Unix seconds), `certificate` and `salted` (the verdict's hash, 32 bytes) are
    those of a submission; a check on the bank's machine has none. `earlier` says how many
    scorecards it was judged with, None where that is not known.
    """

    scorecard: Scorecard
    catalogue: Catalogue
    report: PolicyReport
    remedies: Remedies | None = None
    bank: str = ""
    decided: int | None = None
    certificate: bytes = b""
    salted: bytes = b""
    earlier: int | None = None

    @property
    def name(self) -> str:
        """The scorecard's name and version."""
        return f"{self.scorecard.name}@{self.scorecard.version}"


@dataclass(frozen=True)
class RuleRow:
    """A rule: its letter, what it demands, how many figures it has, and how many failed."""

    rule: str
    demands: str
    figures: int
    failed: int


@dataclass(frozen=True)
class ItemRow:
    """A figure of the report; `over` is by how much it is over its limit, and `others` says how
    many more figures of rule d about the feature failed.
    """

    rule: str
    field: str
    feature: str
    bins: str
    prior: str
    figure: str
    limit: str
    passed: bool
    text: str
    over: float
    others: int = 0


@dataclass(frozen=True)
class RemedyRow:
    """A remedy: what it achieves, its changes, and how far scores move."""

    title: str
    changes: tuple[str, ...]
    shift: str


@dataclass(frozen=True)
class View:
    """The report in one language."""

    language: str
    subject: Subject
    why: str
    facts: tuple[tuple[str, str], ...]
    rules: tuple[RuleRow, ...]
    items: tuple[ItemRow, ...]
    remedies: tuple[RemedyRow, ...]
    remarks: tuple[str, ...]
    """What the search for remedies did not find."""
    fields: tuple[FieldView, ...]
    features: tuple[FeatureView, ...]
    thresholds: tuple[tuple[str, str], ...]

    @property
    def passed(self) -> bool:
        """Whether every rule is met."""
        return self.subject.report.passed

    @property
    def failures(self) -> tuple[ItemRow, ...]:
        """The figures that failed; of rule d the worst about each feature."""
        shown: list[ItemRow] = []
        told: dict[str, list[ItemRow]] = {}
        for item in (item for item in self.items if not item.passed):
            if item.rule == "d" and item.bins != "–":
                told.setdefault(item.feature, []).append(item)
            else:
                shown.append(item)
        for items in told.values():
            worst = max(items, key=lambda item: item.over)
            shown.append(replace(worst, others=len(items) - 1))
        return tuple(sorted(shown, key=lambda item: item.rule))

    @property
    def differences(self) -> tuple[ItemRow, ...]:
        """The figures of rule c."""
        return tuple(item for item in self.items if item.rule == "c")

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every plot."""
        fields = [plot for field in self.fields for plot in (field.spread, field.levels)]
        features = [plot for one in self.features for plot in (one.bins, one.gains) if plot]
        return (*fields, *features)

    def say(self, name: str, /, **details: object) -> str:
        """A word of the report's language."""
        return say(name, self.language, **details)


def compose(subject: Subject, language: str) -> View:
    """The report in `zh` or `en`."""
    names = Names(subject.scorecard, subject.catalogue, language)
    report = subject.report
    failed = sorted({item.rule for item in report.failures})
    why = "passed_why" if report.passed else "refused_why"
    thresholds = report.thresholds
    remedies = subject.remedies
    return View(
        language=language,
        subject=subject,
        why=say(
            why,
            language,
            count=len(report.items),
            failed=len(report.failures),
            rules=listed(failed, language),
        ),
        facts=tuple(_facts(subject, names)),
        rules=tuple(_rule(rule, report.items, language) for rule in RULES if _has(report, rule)),
        items=tuple(_item(item, names) for item in report.items),
        remedies=tuple(_remedy(number, remedies, language) for number in range(len(remedies.found)))
        if remedies
        else (),
        remarks=tuple(_remarks(remedies, report, language)),
        fields=field_views(subject.scorecard, names, report, thresholds or PolicyThresholds()),
        features=feature_views(subject.scorecard, names, report),
        thresholds=tuple((say(name, language), f"{value:g}") for name, value in (thresholds or ())),
    )


def _has(report: PolicyReport, rule: str) -> bool:
    return any(item.rule == rule for item in report.items)


def _facts(subject: Subject, names: Names) -> list[tuple[str, str]]:
    language, card = names.language, subject.scorecard
    holders = [participant.holder.rpartition("/")[2] for participant in card.participants]
    rows = [
        ("name", subject.name),
        ("bank", subject.bank),
        ("decided", "" if subject.decided is None else when(subject.decided)),
        ("catalogue", card.catalogue_version),
        ("participants", listed(holders, language)),
        ("disclosed", listed(card.disclosed, language) or say("none", language)),
        ("history", "" if subject.earlier is None else str(subject.earlier)),
        ("certificate", subject.certificate.hex()),
        ("salted", subject.salted.hex()),
    ]
    return [(say(name, language), value) for name, value in rows if value]


def when(seconds: int) -> str:
    """A time in China, to the second."""
    return datetime.fromtimestamp(seconds, CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _rule(rule: str, items: Sequence[PolicyItem], language: str) -> RuleRow:
    own = [item for item in items if item.rule == rule]
    return RuleRow(rule, say(rule, language), len(own), sum(not item.passed for item in own))


def _item(item: PolicyItem, names: Names) -> ItemRow:
    told = names.features(item.about) if item.about else ""
    return ItemRow(
        rule=item.rule,
        field=names.field(item.field),
        feature=names.feature(item.feature) if item.feature else told or "–",
        bins=names.told_of(item),
        prior="–" if item.prior is None else f"{item.prior:.3f}",
        figure=number(item.figure, item.limit),
        limit=number(item.limit, item.limit),
        passed=item.passed,
        text=of(item.text, names.language),
        over=item.figure - item.limit,
    )


def number(value: float, limit: float) -> str:
    """A count as it is; a share, which has a share for its limit, to three decimals."""
    return f"{value:g}" if limit == int(limit) else f"{value:.3f}"


def _remedy(number: int, remedies: Remedies, language: str) -> RemedyRow:
    remedy = remedies.found[number]
    before = {rule for other in remedies.found[:number] for rule in other.rules}
    name = "remedy_rules"
    if remedy.passes:
        name = "remedy_whole_after" if before else "remedy_whole"
    return RemedyRow(
        title=say(name, language, rules=listed(remedy.rules, language)),
        changes=tuple(of(change, language) for change in remedy.changes),
        shift=say("shift", language, points=remedy.shift),
    )


def _remarks(remedies: Remedies | None, report: PolicyReport, language: str) -> list[str]:
    if remedies is None or report.passed:
        return []
    remarks = []
    if remedies.whole is None:
        rules = listed(remedies.unmended, language)
        remarks.append(say("remedy_none", language, rules=rules))
    if remedies.stopped:
        remarks.append(say("remedy_stopped", language, count=remedies.judgements))
    return remarks
