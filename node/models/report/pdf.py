"""The report as PDF (A4), a file a language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Paragraph, Spacer, Table

from node.models.report.compose import ItemRow, Subject, View, compose
from node.models.report.drawing import Picture
from node.models.report.sets import FeatureView
from node.models.report.texts import WORDS, of
from node.paper import WIDTH, Sheet, build

_GAP = 13.0


def pdf(subject: Subject, language: str) -> bytes:
    """The PDF file in `zh` or `en`."""
    view = compose(subject, language)
    title = f"{view.say('title')} {subject.name}"
    return build(_Story(view).flow(), title, language, subject.name, of(WORDS["page"], language))


class _Story:
    """The flowing parts of the report, from top to bottom."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._sheet = Sheet(view.language)
        self._p = self._sheet.p

    def flow(self) -> Sequence[Flowable]:
        """Everything, in order."""
        view, section, say = self._view, self._sheet.section, self._view.say
        verdict = say("passed_title" if view.passed else "refused_title")
        parts: list[Flowable] = [
            self._sheet.header(
                say("system"), say("title"), (view.subject.name, say("confidential"))
            ),
            Spacer(0, 6 * mm),
            self._sheet.verdict(verdict, view.why, bad=not view.passed),
            *section(say("summary"), self._rules()),
        ]
        if view.failures:
            parts += section(say("failures"), self._items(view.failures))
        if view.remedies or view.remarks:
            parts += section(say("remedies"), *self._remedies())
        parts += section(say("facts"), self._pairs(view.facts))
        parts += section(say("fields"), *self._fields())
        if view.differences:
            parts += section(say("differences"), self._differences())
        # A heading stays with the first feature, whose plots are kept in one piece.
        parts += [CondPageBreak(90 * mm)]
        parts += section(say("features"), *map(self._feature, view.features))
        thresholds = (
            self._pairs(view.thresholds) if view.thresholds else self._p(say("no_thresholds"))
        )
        parts += section(say("thresholds"), thresholds)
        # What the plots of rule d show with their numbers is not written out again.
        rest = [item for item in view.items if item.rule != "d" or item.bins == "–"]
        return [*parts, *section(say("all_figures"), self._items(rest, marks=True))]

    def _rules(self) -> Table:
        rows = [self._heads("rule", "demands", "figures", "failed", "outcome")]
        rows += [
            [
                self._p(row.rule),
                self._p(row.demands),
                self._p(str(row.figures)),
                self._p(str(row.failed)),
                self._mark(row.failed == 0),
            ]
            for row in self._view.rules
        ]
        return self._sheet.table(rows, [0.08, 0.6, 0.1, 0.1, 0.12], heads=True)

    def _items(self, items: Sequence[ItemRow], *, marks: bool = False) -> Table:
        rows = [self._heads("rule", "figure", "limit", "what", *(["outcome"] if marks else []))]
        for item in items:
            row: list[Any] = [self._p(item.rule), self._p(item.figure), self._p(item.limit)]
            row.append(self._what(item))
            rows.append([*row, self._mark(item.passed)] if marks else row)
        last = [0.68, 0.12] if marks else [0.8]
        return self._sheet.table(rows, [0.06, 0.07, 0.07, *last], heads=True)

    def _what(self, item: ItemRow) -> list[Paragraph]:
        about = [part for part in (item.feature, item.bins) if part != "–"]
        told = [self._p(" · ".join(about))] if about else []
        more = [self._p(self._view.say("others", count=item.others))] if item.others else []
        return [*told, self._p(item.text, "soft" if told else "text"), *more]

    def _remedies(self) -> list[Flowable]:
        parts: list[Flowable] = []
        for remedy in self._view.remedies:
            changes = [self._p(f"· {change}") for change in remedy.changes]
            box = [self._p(remedy.title), *changes, self._p(remedy.shift, "soft")]
            parts += [self._sheet.box(box), Spacer(0, 2 * mm)]
        return [*parts, *(self._p(remark) for remark in self._view.remarks)]

    def _pairs(self, pairs: Sequence[tuple[str, str]]) -> Table:
        rows = [[self._p(name, "soft"), self._p(value, _style(value))] for name, value in pairs]
        return self._sheet.table(rows, [0.42, 0.58])

    def _fields(self) -> list[Flowable]:
        parts: list[Flowable] = []
        for field in self._view.fields:
            title = self._p(field.title, "bad" if field.failed else "head")
            levels = self._view.say("levels", step=field.step)
            parts += [
                KeepTogether([title, Spacer(0, 1 * mm), Picture(field.spread)]),
                KeepTogether([self._p(levels, "soft"), Picture(field.levels)]),
                self._p(field.jumps, "soft"),
                Spacer(0, 5 * mm),
            ]
        return parts

    def _differences(self) -> Table:
        rows = [self._heads("isolates", "what", "outcome")]
        rows += [
            [self._p(item.feature), self._p(item.text), self._mark(item.passed)]
            for item in self._view.differences
        ]
        return self._sheet.table(rows, [0.36, 0.52, 0.12], heads=True)

    def _feature(self, one: FeatureView) -> Flowable:
        right = Picture(one.gains) if one.gains else self._p(self._view.say("untold"), "soft")
        half = (WIDTH - _GAP) / 2
        table = Table([[Picture(one.bins), "", right]], colWidths=[half, _GAP, half])
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 9),
            ]
        )
        title = self._p(one.title, "fault" if one.failed else "text")
        return KeepTogether([title, self._p(one.about, "soft"), table])

    def _mark(self, passed: bool) -> Paragraph:
        return self._p(self._view.say("ok" if passed else "no"), "ok" if passed else "no")

    def _heads(self, *names: str) -> list[Any]:
        # The outcome stands at the right end.
        return [
            self._p(self._view.say(name), "right" if name == "outcome" else "soft")
            for name in names
        ]


def _style(value: str) -> str:
    """A hash may break anywhere."""
    return "hash" if len(value) >= 64 and " " not in value else "text"
