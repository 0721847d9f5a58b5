"""From a tool's card to a card of the chain's catalogue, and what that costs.

The chain's score of a firm is `scale.on_chain` of the tool's score. It is linear in the points, so
that every feature is converted by itself; what fine bins change is known by the published
frequencies, feature by feature. Of the whole card the mean change is at most the sum of those of
its features; how many firms it concerns is estimated as if features were independent. A sample
of raw values tells exactly (`scoring.cards.sample`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoring.cards.card import ToolCard
from scoring.cards.changes import Change
from scoring.cards.fine import Fine, fine
from scoring.cards.mapping import CardMapping, MappedCharacteristic
from scoring.cards.real import RealCard, RealFeature
from scoring.cards.report import FeatureReport, Finding, ImportReport
from scoring.catalogue import Catalogue, Feature
from scoring.documents import Text
from scoring.errors import CatalogueError, ScorecardError
from scoring.scorecard import Participant


@dataclass(frozen=True, slots=True)
class Imported:
    """The card of the chain's catalogue, and the report."""

    card: RealCard
    report: ImportReport


def import_card(card: ToolCard, mapping: CardMapping, catalogue: Catalogue) -> Imported:
    """Map a tool's card onto a catalogue.

    Raises ScorecardError for a characteristic that is neither mapped nor dropped, a scale that
    nobody gives, values without points, and features or holders that the chain does not have.
    """
    scale = mapping.scale or card.scale
    if scale is None:
        raise ScorecardError(
            f"scale: {card.tool} does not say what its scores mean; give scale.score, odds and pdo "
            "in the mapping"
        )
    _check_names(card, mapping)
    by_name = {made.name: made for made in card.characteristics}
    features, reports, findings = [], [], _notes(card, mapping)
    for how in mapping.characteristics:
        feature = feature_of(catalogue, mapping, how)
        made = fine(by_name[how.name], feature, how, mapping.method)
        points = tuple(scale.slope * value for value in made.points)
        features.append(
            RealFeature(holder=how.holder, feature=how.feature, field=how.field, points=points)
        )
        found = [_finding(how.name, change, abs(scale.slope)) for change in made.changes]
        findings += found
        reports.append(_feature_report(how, feature, points, made, found))
    real = RealCard.build(
        {
            "name": mapping.name,
            "version": mapping.version,
            "catalogue_version": catalogue.version,
            "participants": mapping.participants,
            "fields": mapping.fields,
            "features": tuple(features),
            "offset": scale.on_chain(card.initial + math.fsum(mapping.dropped.values())),
        }
    )
    real.catalogued(catalogue)
    return Imported(
        real,
        ImportReport(
            card=card.name,
            tool=card.tool,
            method=mapping.method,
            scale=scale,
            features=tuple(reports),
            findings=tuple(findings),
            share=1 - math.prod(max(0.0, 1 - report.share) for report in reports),
            expected=math.fsum(report.expected for report in reports),
        ),
    )


def _check_names(card: ToolCard, mapping: CardMapping) -> None:
    named = [how.name for how in mapping.characteristics] + list(mapping.dropped)
    known = [made.name for made in card.characteristics]
    strangers = sorted(set(named) - set(known))
    if strangers:
        raise ScorecardError(
            f"characteristics: {', '.join(strangers)}: not in the card: it has {', '.join(known)}"
        )
    left = [name for name in known if name not in named]
    if left:
        raise ScorecardError(
            f"characteristics: {', '.join(left)}: neither mapped nor dropped; map each to a "
            "feature, or list it under dropped with the points that every firm shall get"
        )


def feature_of(catalogue: Catalogue, mapping: CardMapping, how: MappedCharacteristic) -> Feature:
    """The catalogue's feature of a characteristic; raises ScorecardError where there is none."""
    participants: Mapping[str, Participant] = {p.holder: p for p in mapping.participants}
    if how.holder not in participants:
        raise ScorecardError(f"{how.name}: holder {how.holder} is no participant; add it")
    try:
        return catalogue.feature(participants[how.holder].kind, how.feature)
    except CatalogueError as failure:
        raise ScorecardError(f"{how.name}: {failure}") from None


def _notes(card: ToolCard, mapping: CardMapping) -> list[Finding]:
    notes = [Finding(kind="note", characteristic="", text=note) for note in card.notes]
    for name, points in mapping.dropped.items():
        text = Text(
            zh=f"舍弃：每家企业一律计 {points:g} 分（工具分）",
            en=f"dropped: every firm gets {points:g} of the tool's points",
        )
        notes.append(Finding(kind="dropped", characteristic=name, text=text))
    return notes


def _finding(name: str, change: Change, slope: float) -> Finding:
    return Finding(
        kind=change.kind,
        characteristic=name,
        text=change.text,
        share=change.share,
        expected=slope * change.expected,
    )


def _feature_report(
    how: MappedCharacteristic,
    feature: Feature,
    points: Sequence[float],
    made: Fine,
    findings: Sequence[Finding],
) -> FeatureReport:
    return FeatureReport(
        characteristic=how.name,
        holder=how.holder,
        feature=how.feature,
        bins=tuple(zip(feature.bin_labels, points, made.sources, strict=True)),
        share=math.fsum(finding.share for finding in findings),
        expected=math.fsum(finding.expected for finding in findings),
    )
